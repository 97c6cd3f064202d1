"""What workers of Ray do: encode files to fragments, and tag what is encoded."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.apis import LabelBank
from ovmlv.apis.label_source import read_labels
from ovmlv.errors import ConfigError
from ovmlv.evaluation.score_calibration import Calibration
from ovmlv.results import TagResult, Timings

from .creation import as_inferencer, check_model
from .fragment import Fragment
from .fragment_folder import FragmentFolder
from .ray_cluster import WorkerPlan
from .ray_pool import machine
from .settings import IndexSettings, ModelName
from .video_encoding import encode_rows
from .video_rows import VideoRow

if TYPE_CHECKING:
    from .index_questions import Labels

#: A network file system may show a new file some seconds later.
_PATIENCE = 3


@dataclass(frozen=True)
class Written:
    """What a worker encoded.

    Attributes:
        file: Name of the fragment.
        timings: Time that its videos took, all together.
    """

    file: str
    timings: Timings


@dataclass(frozen=True)
class Unseen:
    """A file that a worker does not see.

    Attributes:
        path: The file.
        machine: Name of the worker's machine.
    """

    path: str
    machine: str


@dataclass
class EncodingSetup:
    """What a worker needs to encode.

    Attributes:
        folder: Folder of the index, as an absolute path.
        settings: Settings of the index.
        model: Name of the model.
        batch_size: Windows that go through the model at once.
        mark: Name of a file among the fragments, by which a worker knows the folder.
    """

    folder: Path
    settings: IndexSettings
    model: ModelName
    batch_size: int | None
    mark: str = ''

    def open(self, plan: WorkerPlan) -> Callable[[tuple[VideoRow, ...]], Written | Unseen]:
        """Open the model in a worker.

        Raises:
            ConfigError: The worker does not see the index.
            CheckpointError: Its machine has another model under this name.
        """
        fragments = FragmentFolder(self.folder, self.settings)
        if not _is_seen(fragments.folder / self.mark):
            raise ConfigError(
                f'machine {machine()} does not see index {self.folder}; put the index where all '
                'machines see it under the same path'
            )
        name = self.model
        inferencer = as_inferencer(name.model, name.weights, plan.device, None, name.cfg_options)
        check_model(self.settings, inferencer, self.folder)
        reading, thumbnail = self.settings.reading, self.settings.thumbnail

        def encode(rows: tuple[VideoRow, ...]) -> Written | Unseen:
            for row in rows:
                if not _is_seen(Path(row.path)):
                    return Unseen(row.path, machine())
            found = list(encode_rows(inferencer, rows, reading, thumbnail, self.batch_size))
            path = fragments.write(Fragment(tuple(video for video, _ in found)))
            each = [timings for _, timings in found]
            return Written(
                path.name, Timings(sum(t.decode for t in each), sum(t.encode for t in each))
            )

        return encode


@dataclass(frozen=True)
class Questions:
    """What is asked of an index.

    Attributes:
        labels: Labels, a bank, or the folder of one; None takes the labels of the model.
        timeline: Whether to keep the probabilities of each window.
        calibration: What is applied to probabilities; None takes that of the model.
    """

    labels: tuple[str, ...] | LabelBank | str | None = None
    timeline: bool = False
    calibration: Any = None

    @classmethod
    def of(
        cls, labels: Labels | None, timeline: bool, calibration: Calibration | str | Path | None
    ) -> Questions:
        """Read what workers may not see: files of labels and of a calibration.

        A label bank on disk is read by the workers, since it may be large.

        Raises:
            VocabularyError: A label is empty, is not a text, or is given twice.
        """
        found: tuple[str, ...] | LabelBank | str | None = None
        if isinstance(labels, (str, Path)) and Path(labels).expanduser().is_dir():
            found = str(Path(labels).expanduser().absolute())
        elif labels is not None:
            found = read_labels(labels)
        if isinstance(calibration, (str, Path)):
            calibration = Calibration.load(calibration)
        return cls(found, timeline, calibration)


@dataclass(frozen=True)
class TaggingSetup:
    """What a worker needs to tag.

    Attributes:
        folder: Folder of the index, as an absolute path.
        model: Name of the model.
        questions: What is asked.
        render: What is made of the results of some videos.
    """

    folder: Path
    model: ModelName
    questions: Questions
    render: Callable[[Iterable[TagResult]], Any]

    def open(self, plan: WorkerPlan) -> Callable[[tuple[int, tuple[str, ...]]], Any]:
        """Open the index and its model in a worker.

        Raises:
            ConfigError: The worker does not see the index.
        """
        from .video_index import VideoIndex

        if not _is_seen(self.folder / 'index.json'):
            raise ConfigError(
                f'machine {machine()} does not see index {self.folder}; put the index where all '
                'machines see it under the same path'
            )
        name, asked = self.model, self.questions
        index = VideoIndex.open(
            self.folder,
            name.model,
            name.weights,
            plan.device,
            asked.calibration,
            name.cfg_options,
            memory=0,  # a worker reads its own parts only
        )
        tag = index.tagger(asked.labels, asked.timeline)

        def do(task: tuple[int, tuple[str, ...]]) -> Any:
            return self.render(tag(task[1]))

        return do


def _is_seen(path: Path) -> bool:
    for attempt in range(_PATIENCE):
        if os.path.lexists(path):
            return True
        time.sleep(0 if attempt == _PATIENCE - 1 else 1)
    return False
