"""Videos that were encoded once, to be asked for any labels later."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ovmlv.apis import OVMLVInferencer
from ovmlv.results import TagResult

from .adding import add_shard, add_videos, merge_fragments
from .approximate_search import build
from .creation import as_inferencer, begin_index, name_to_open, new_settings, open_for
from .encoding_engine import EncodingEngine, EncodingJob, LocalEngine
from .find_result import DuplicatePair, FindResult, SimilarVideo
from .index_questions import Choice, IndexQuestions, Labels, Tagger
from .index_writer import IndexWriter
from .query import Query, read_query
from .removing import remove_videos
from .reports import AddReport, IndexStatus
from .settings import THUMBNAIL, WINDOW, IndexSettings, ModelName
from .shard import Shard
from .similar import mean_embeddings, near_duplicates, nearest_videos
from .snapshot import Snapshot
from .status import status_of
from .verification import find_faults

if TYPE_CHECKING:
    from .ray_engine import RayEngine

Queries = str | Query | Sequence[str | Query]


class VideoIndex:
    """A folder with the embeddings of videos, which any labels can be asked of.

    A video is decoded once. Whatever is asked later is a product of matrices, and gives the
    probabilities of :class:`~ovmlv.apis.OVMLVInferencer` but for the half precision of the
    embeddings. An index answers as it was when it was opened, while another process adds to it;
    :meth:`refresh` looks again.

    Args:
        folder: Folder of the index.
        settings: What the index was made with.
        model: See :meth:`open`.
        memory: Bytes of embeddings that are kept in memory. A larger index is read from disk for
            every question.
        model_options: See :meth:`open`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
        >>> from ovmlv.datasets.motionshapes.generate import write_video
        >>> folder = tempfile.TemporaryDirectory()
        >>> for color in ('red', 'blue'):
        ...     scene = Scene('plain', (Actor('circle', color, 'moving left'),))
        ...     frames = render_clip(scene, 16, np.random.default_rng(0))
        ...     write_video(Path(folder.name) / f'{color}.mp4', frames)
        >>> index = VideoIndex.create(Path(folder.name) / 'index', 'motionshapes', device='cpu')
        >>> index.add(folder.name).summary()
        '2 videos encoded'
        >>> [Path(hit.video).name for hit in index.find('red circle', top=1)]
        ['red.mp4']
        >>> folder.cleanup()
    """

    def __init__(
        self,
        folder: str | Path,
        settings: IndexSettings,
        model: Any = None,
        memory: int = 2_000_000_000,
        **model_options: Any,
    ) -> None:
        self.folder, self.settings, self.memory = Path(folder), settings, memory
        self._model, self._options = model, model_options
        self._name: ModelName | None = None

    @classmethod
    def open(
        cls,
        folder: str | Path,
        model: Any = None,
        weights: str | Path | None = None,
        device: str | torch.device | None = None,
        calibration: Any = None,
        cfg_options: Any = None,
        memory: int = 2_000_000_000,
    ) -> VideoIndex:
        """Open an index.

        Args:
            folder: Folder of the index.
            model: An ``OVMLVInferencer``, or what it takes as its model. None takes the one that
                the index was made with when it is needed, unless that is a config in Python, which
                is a program.
            weights: See ``OVMLVInferencer``.
            device: See ``OVMLVInferencer``.
            calibration: See ``OVMLVInferencer``.
            cfg_options: See ``OVMLVInferencer``.
            memory: See the class.

        Raises:
            FileNotFoundError: There is no index.
            CheckpointError: The index was made by another model.
        """
        index = cls(folder, IndexSettings.load(Path(folder)), model, memory, weights=weights,
                    device=device, calibration=calibration, cfg_options=cfg_options)  # fmt: skip
        if model is not None:
            index.inferencer  # noqa: B018, another model is refused at once
        return index

    @classmethod
    def create(
        cls,
        folder: str | Path,
        model: Any,
        weights: str | Path | None = None,
        device: str | torch.device | None = None,
        calibration: Any = None,
        cfg_options: Any = None,
        *,
        window: float | None = WINDOW,
        stride: float | None = None,
        num_frames: int | None = None,
        num_clips: int | None = None,
        thumbnail: int | None = None,
        memory: int = 2_000_000_000,
        tables: bool = True,
    ) -> VideoIndex:
        """Make an index without videos, or open one that was made alike.

        Args:
            folder: Folder of the index.
            model: An ``OVMLVInferencer``, or what it takes as its model.
            weights: See ``OVMLVInferencer``.
            device: See ``OVMLVInferencer``.
            calibration: See ``OVMLVInferencer``.
            cfg_options: See ``OVMLVInferencer``.
            window: Seconds of a window, each of which has an embedding; None encodes whole videos.
            stride: Seconds from one window to the next; None: they do not overlap.
            num_frames: Frames of a clip; None takes the pipeline's.
            num_clips: Clips of a window; None takes the pipeline's.
            thumbnail: Longer side of the thumbnails in pixels; 0 keeps none. None takes 96, or
                what the index has.
            memory: See the class.
            tables: Whether to make the tables now, which only one process may do at a time.

        Raises:
            CheckpointError: There is an index of another model.
            ConfigError: There is one that reads videos otherwise, or the folder holds other things.
        """
        inferencer = as_inferencer(model, weights, device, calibration, cfg_options)
        name = ModelName.of(model, weights, cfg_options)
        pixels = THUMBNAIL if thumbnail is None else thumbnail
        settings = new_settings(inferencer, name, window, stride, num_frames, num_clips, pixels)
        settings = begin_index(Path(folder), settings, thumbnail, tables)
        index = cls(folder, settings, inferencer, memory)
        index._name = None if name.model is None else name
        return index

    @functools.cached_property
    def inferencer(self) -> OVMLVInferencer:
        """The model, compared with the index.

        Raises:
            CheckpointError: The index was made by another model.
            ConfigError: The index names no model that is opened by its word alone.
        """
        return open_for(self.settings, self._model, self._options, self.folder)

    @functools.cached_property
    def snapshot(self) -> Snapshot:
        """The content of the index, as it was at the first question since :meth:`refresh`."""
        return Snapshot(self.folder, self.settings, self.memory)

    @functools.cached_property
    def _questions(self) -> IndexQuestions:
        near = self.settings.approximate
        return IndexQuestions(self.snapshot, lambda: self.inferencer, near)

    @functools.cached_property
    def _means(self) -> np.ndarray:
        return mean_embeddings(self.snapshot)

    def refresh(self) -> None:
        """Look again at what the index holds."""
        self.settings = IndexSettings.load(self.folder)
        for name in ('snapshot', '_questions', '_means'):
            vars(self).pop(name, None)

    def __len__(self) -> int:
        return len(self.snapshot.videos)

    def add(
        self,
        inputs: str | Path | Iterable[str | Path],
        *,
        engine: EncodingEngine | None = None,
        shard: Shard | str | None = None,
        batch_size: int | None = None,
        **options: Any,
    ) -> AddReport:
        """Encode what is new or changed, and take out what is gone.

        A file is known again by its path, size and time of change, and if these differ by its
        content. A file that moved is not decoded again. If the process is killed, the next call
        goes on; at most the last seconds of work are done twice.

        Args:
            inputs: Files, folders and patterns, see :func:`~ovmlv.apis.find_videos`.
            engine: What encodes: ``RayEngine()``, say; None encodes in this process.
            shard: Encode a part of the files (``2/8``) for :meth:`merge`, while others do theirs.
            batch_size: Windows that go through the model at once.
            **options: ``keep_gone``: keep videos below these folders that no longer exist;
                ``retry``: read bad files again, though they did not change; ``commit_seconds``:
                write that often; ``progress``: show a bar, if this is a terminal.

        Returns:
            What was done, with the files that could not be read.

        Raises:
            ConfigError: Another process writes.
            FileNotFoundError: No file fits a pattern.
        """
        if engine is None:
            self.inferencer  # noqa: B018, another model is refused at once
            engine = LocalEngine()
        job = self.job(batch_size)
        if shard is not None:
            part = Shard.parse(shard) if isinstance(shard, str) else shard
            return add_shard(job, engine, inputs, part, **options)
        report = add_videos(job, engine, inputs, **options)
        self.refresh()
        return report

    def merge(self) -> AddReport:
        """Take in what was encoded in parts; what is gone or moved is left to :meth:`add`."""
        report = merge_fragments(self.folder, self.settings)
        self.refresh()
        return report

    def job(self, batch_size: int | None = None) -> EncodingJob:
        """What an engine needs to know of the index."""
        model = self._model if self._name is None else self._name
        name = functools.partial(name_to_open, model, self._options, self.settings, self.folder)
        calibration = self._options.get('calibration')
        return EncodingJob(
            self.folder, self.settings, lambda: self.inferencer, name, batch_size, calibration
        )

    def remove(self, paths: str | Path | Iterable[str | Path]) -> int:
        """Take out files, all files below folders, and those that fit patterns.

        Returns:
            Number of videos, bad ones as well.

        Raises:
            DataError: The index has nothing of one of them.
        """
        count = remove_videos(self.folder, self.settings, paths)
        self.refresh()
        return count

    def status(self, inputs: str | Path | Iterable[str | Path] | None = None) -> IndexStatus:
        """What the index holds.

        Args:
            inputs: Files or folders to compare it with; None compares nothing.
        """
        return status_of(self.snapshot, self.settings, inputs)

    def verify(
        self, inputs: str | Path | Iterable[str | Path] | None = None, content: bool = False
    ) -> list[str]:
        """Faults of the index and of its files, each in one line with the mend.

        Args:
            inputs: Files or folders to look at; None looks at all.
            content: Whether to read the files and compare their hashes.
        """
        return list(find_faults(self.snapshot, inputs, content))

    def find(self, query: Queries, top: int = 20, **options: Any) -> FindResult:
        """The videos, or parts of videos, of which a query is most probable.

        Args:
            query: A label; labels with AND, OR, NOT and parentheses, see :meth:`Query.parse`; or
                several of these, any of which will do.
            top: Number of hits.
            **options: See :meth:`find_each`; ``negative`` are labels that must not be there.
        """
        negative = options.pop('negative', ())
        return self.find_each([read_query(query, negative)], top, **options)[0]

    def find_each(
        self,
        queries: Sequence[str | Query],
        top: int = 20,
        *,
        threshold: float | str | None = None,
        per: str = 'video',
        after: float | None = None,
        before: float | None = None,
        within: str | None = None,
        approximate: bool = False,
    ) -> list[FindResult]:
        """The hits of several queries, found in one pass over the index.

        The probability of ``a AND b`` is the smaller of both, that of ``a OR b`` the larger, and
        that of ``NOT a`` the rest to one.

        Args:
            queries: See :meth:`find`.
            top: Number of hits of each.
            threshold: Least calibrated probability of a hit; ``calibrated`` asks whether each label
                reaches its own threshold of the calibration (0.5 without one).
            per: ``video``: each video once, with its best window; ``window``: all windows.
            after: Seconds into the videos: only windows that end after it.
            before: Seconds into the videos: only windows that begin before it.
            within: Pattern (``*holiday*``) or folder that the path must fit.
            approximate: Use the approximate index, see :meth:`make_approximate`.
        """
        choice = Choice(threshold, per, after, before, within)
        return self._questions.find_each(queries, top, choice, approximate)

    def tag(
        self,
        labels: Labels | None = None,
        videos: Iterable[str | Path] | None = None,
        timeline: bool = False,
        engine: RayEngine | None = None,
    ) -> Iterator[TagResult]:
        """Tag videos with labels as ``OVMLVInferencer`` does, without decoding them.

        Args:
            labels: See ``OVMLVInferencer``; None takes the labels of the model.
            videos: Paths; None takes all videos.
            timeline: Whether to keep the probabilities of each window.
            engine: What computes; None computes in this process.
        """
        if engine is not None:
            return engine.tag(self, labels, videos, timeline)
        return self.tagger(labels, timeline)(videos)

    def tagger(self, labels: Labels | None = None, timeline: bool = False) -> Tagger:
        """A function that tags videos, or all of them, as :meth:`tag` does."""
        return self._questions.tagger(labels, timeline)

    def labels(self, video: str | Path, labels: Labels | None = None) -> TagResult:
        """The labels of one video, with the probabilities of its windows; see :meth:`tag`."""
        return next(self.tag(labels, [video], self.settings.reading.window is not None))

    def position(self, video: str | Path) -> int:
        """Position of a video in ``snapshot.videos``, by its path."""
        return self._questions.position(video)

    def similar(self, video: str | Path, top: int = 20) -> list[SimilarVideo]:
        """The videos nearest to one of the index, by their mean embeddings."""
        return nearest_videos(self.snapshot, self._means, self.position(video), top)

    def duplicates(self, least: float = 0.99) -> list[DuplicatePair]:
        """Pairs of videos that are the same file, or nearly the same to the model.

        Args:
            least: Least cosine of their mean embeddings.
        """
        return near_duplicates(self.snapshot, self._means, least)

    def optimize(self) -> None:
        """Join small files and leave no earlier version; questions that are open must end."""
        with IndexWriter(self.folder, self.settings) as writer:
            writer.tidy(whole=True)
        self.refresh()

    def make_approximate(self, labels: Labels | None = None, target: float = 0.95) -> float:
        """Make an approximate index for many windows, and measure what it finds.

        Args:
            labels: Labels to measure with; None takes the labels of the model.
            target: Share of the 100 best windows that it shall find.

        Returns:
            The share that it finds.
        """
        with IndexWriter(self.folder, self.settings) as writer:
            parts = build(writer.tables, self.settings.embed_dim, len(self.snapshot))
            self.refresh()
            found = self._questions.measure(labels, parts, target)
            replace(self.settings, approximate=found).save(self.folder)
        self.refresh()
        return found.recall
