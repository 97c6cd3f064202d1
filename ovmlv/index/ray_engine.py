"""Workers of Ray, on this machine or on many, that encode and tag for one process that writes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ovmlv.errors import ConfigError, DataError
from ovmlv.results import TagResult, Timings

from .encoding_engine import EncodedPart, EncodingJob
from .fragment import EncodedWindows
from .fragment_folder import FragmentFolder
from .ray_cluster import RayCluster, WorkerPlan
from .ray_pool import RayPool
from .ray_workers import EncodingSetup, Questions, TaggingSetup, Unseen, Written
from .video_rows import VideoRow, content_digest

if TYPE_CHECKING:
    from .index_questions import Labels
    from .video_index import VideoIndex

_PartT = TypeVar('_PartT')
#: Videos that a worker gets at once; fewer if there is little to do.
_AT_ONCE = 16
_TAGGED_AT_ONCE = 128
#: So many tasks for each worker at least, so that all of them end at about the same time.
_TASKS = 4
#: A task that ends its worker this many times is not tried again.
_DEATHS = 3


@dataclass(frozen=True)
class RayEngine:
    """Encodes on a Ray cluster: actors that hold the model, one for each GPU or some CPUs.

    A worker reads files with the reader that a single process has, and writes what it encoded as a
    fragment into the folder of the index, under a name that only depends on the files. This process
    alone commits fragments. So a worker may end at any time and its work be done again, and what
    was written before this process was killed is taken in when it is started again.

    These are actors of Ray itself and not of Ray Data. Ray Data does a whole block again, and ends
    the run or drops the block, with no word which file was at fault; and what it writes, it writes
    at the end.

    Args:
        address: See :class:`~ovmlv.index.ray_cluster.RayCluster`.
        device: ``cpu`` or ``cuda``; None takes GPUs if the cluster has any.
        workers: Number of workers; None fills the cluster.
        worker_cpus: Cores of each; None takes one beside a GPU, and two without.
        worker_gpus: GPUs of each, also a part of one; None takes one if there are any.

    Examples:
        >>> engine = RayEngine(workers=2, worker_cpus=1)
        >>> engine.worker_cpus
        1

        It is given to an index: ``index.add('videos/', engine=engine)``.
    """

    address: str | None = None
    device: str | None = None
    workers: int | None = None
    worker_cpus: float | None = None
    worker_gpus: float | None = None

    def _cluster(self) -> RayCluster:
        return RayCluster(self.address, (self.workers or 1) * (self.worker_cpus or 1))

    def _plan(self, cluster: RayCluster) -> WorkerPlan:
        return cluster.plan(self.device, self.workers, self.worker_cpus, self.worker_gpus)

    def encode(self, rows: Sequence[VideoRow], job: EncodingJob) -> Iterator[EncodedPart]:
        """See :class:`~ovmlv.index.encoding_engine.EncodingEngine`.

        A file that ends its worker again and again is reported as a bad one.

        Raises:
            ConfigError: Workers do not see the index or a file that this process sees, or end while
                they open the model.
        """
        if not rows:
            return
        setup = EncodingSetup(job.folder.absolute(), job.settings, job.model(), job.batch_size)
        fragments = FragmentFolder(job.folder, job.settings)
        with self._cluster() as cluster, fragments.mark() as setup.mark:
            plan = self._plan(cluster)
            pool: RayPool[tuple[VideoRow, ...]] = RayPool(cluster, plan, setup)
            for task in _tasks(rows, plan.count, _AT_ONCE):
                pool.submit(tuple(task))
            deaths: Counter[str] = Counter()
            for outcome in pool.outcomes():
                task, found = outcome.task, outcome.value
                if outcome.death is not None:
                    path = fragments.path_of(task)
                    if path.is_file():  # it ended after its work
                        yield EncodedPart(fragments.read(path).videos, Timings(0.0, 0.0), path)
                    else:
                        yield from self._of_dead(pool, task, outcome.death, deaths, job)
                elif isinstance(found, Unseen):
                    yield from self._of_unseen(pool, task, found, job)
                elif isinstance(found, Written):
                    path = fragments.folder / found.file
                    yield EncodedPart(fragments.read(path).videos, found.timings, path)

    def _of_dead(
        self,
        pool: RayPool[tuple[VideoRow, ...]],
        task: tuple[VideoRow, ...],
        death: str,
        deaths: Counter[str],
        job: EncodingJob,
    ) -> Iterator[EncodedPart]:
        """Look for the file at fault among those that a worker ended with."""
        if len(task) > 1:
            for row in task:
                pool.submit((row,), first=True)
            return
        (row,) = task
        deaths[row.path] += 1
        if deaths[row.path] < _DEATHS:
            pool.submit(task)
            return
        yield _bad(
            row,
            f'video {row.path} ended {_DEATHS} workers ({death}); repair or remove it, or give '
            'workers more memory',
            job,
        )

    def _of_unseen(
        self,
        pool: RayPool[tuple[VideoRow, ...]],
        task: tuple[VideoRow, ...],
        unseen: Unseen,
        job: EncodingJob,
    ) -> Iterator[EncodedPart]:
        """A file that is gone by now is a bad one; another must be seen by all."""
        if os.path.exists(unseen.path):
            raise ConfigError(
                f'machine {unseen.machine} does not see {unseen.path}, which this one has; put it '
                'where all machines see it under the same path'
            )
        rest = tuple(row for row in task if row.path != unseen.path)
        if rest:
            pool.submit(rest, first=True)
        (row,) = (row for row in task if row.path == unseen.path)
        try:
            content_digest(row.path)
        except DataError as error:
            yield _bad(row, str(error), job)
        else:  # it came back
            pool.submit((row,))

    def tag(
        self,
        index: VideoIndex,
        labels: Labels | None = None,
        videos: Iterable[str | Path] | None = None,
        timeline: bool = False,
    ) -> Iterator[TagResult]:
        """See :meth:`~ovmlv.index.VideoIndex.tag`."""
        parts = self.tag_parts(index, list, labels, videos, timeline)
        return (result for part in parts for result in part)

    def tag_parts(
        self,
        index: VideoIndex,
        render: Callable[[Iterable[TagResult]], _PartT],
        labels: Labels | None = None,
        videos: Iterable[str | Path] | None = None,
        timeline: bool = False,
    ) -> Iterator[_PartT]:
        """Tag videos of an index part by part, in their order.

        Args:
            index: The index.
            render: What a worker makes of the results of a part, a function that workers import.
            labels: See :meth:`~ovmlv.index.VideoIndex.tag`.
            videos: Paths; None takes all videos.
            timeline: Whether to keep the probabilities of each window.

        Raises:
            ConfigError: Workers do not see the index, or end again and again.
        """
        known = index.snapshot.videos
        chosen = range(len(known)) if videos is None else map(index.position, videos)
        paths = [known[position].path for position in chosen]
        job = index.job()
        questions = Questions.of(labels, timeline, job.calibration)
        setup = TaggingSetup(job.folder.absolute(), job.model(), questions, render)
        return self._tag(paths, setup)

    def _tag(self, videos: list[str], setup: TaggingSetup) -> Iterator[Any]:
        if not videos:
            return
        with self._cluster() as cluster:
            plan = self._plan(cluster)
            pool: RayPool[tuple[int, tuple[str, ...]]] = RayPool(cluster, plan, setup)
            tasks = enumerate(map(tuple, _tasks(videos, plan.count, _TAGGED_AT_ONCE)))
            for _, task in zip(range(_TASKS * plan.count), tasks, strict=False):
                pool.submit(task)
            ready: dict[int, Any] = {}
            deaths: Counter[int] = Counter()
            at = 0
            for outcome in pool.outcomes():
                number = outcome.task[0]
                if outcome.death is not None:
                    deaths[number] += 1
                    if deaths[number] >= _DEATHS:
                        raise ConfigError(
                            f'{_DEATHS} workers of Ray ended while they tagged '
                            f'{outcome.task[1][0]} ({outcome.death}); give each more memory'
                        )
                    pool.submit(outcome.task, first=True)
                    continue
                ready[number] = outcome.value
                while at in ready:
                    yield ready.pop(at)
                    at += 1
                    if (more := next(tasks, None)) is not None:
                        pool.submit(more)


def _tasks(items: Sequence[_PartT], workers: int, most: int) -> Iterator[Sequence[_PartT]]:
    size = max(1, min(most, len(items) // (_TASKS * workers)))
    return (items[first : first + size] for first in range(0, len(items), size))


def _bad(row: VideoRow, error: str, job: EncodingJob) -> EncodedPart:
    return EncodedPart((EncodedWindows.bad(row, error, job.settings.embed_dim),), Timings(0.0, 0.0))
