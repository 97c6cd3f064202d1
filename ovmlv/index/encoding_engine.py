"""What encodes the videos that are new to an index: this process, or workers elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ovmlv.apis import OVMLVInferencer
from ovmlv.results import Timings

from .fragment import EncodedWindows
from .settings import IndexSettings, ModelName
from .video_encoding import encode_rows
from .video_rows import VideoRow


@dataclass(frozen=True)
class EncodingJob:
    """All that an engine needs to know.

    Attributes:
        folder: Folder of the index.
        settings: Settings of the index.
        inferencer: Function that gives the model in this process.
        model: Function that gives the name by which other processes open the model.
        batch_size: Windows that go through the model at once; None takes the inferencer's.
        calibration: What is applied to probabilities; None takes that of the model.
    """

    folder: Path
    settings: IndexSettings
    inferencer: Callable[[], OVMLVInferencer]
    model: Callable[[], ModelName]
    batch_size: int | None = None
    calibration: Any = None


@dataclass(frozen=True, eq=False)
class EncodedPart:
    """Videos that an engine encoded.

    Attributes:
        videos: The videos, bad ones as well.
        timings: Time that they took, all together.
        file: File of a fragment that holds them, which goes when they are committed; None: they
            are in memory only.
    """

    videos: tuple[EncodedWindows, ...]
    timings: Timings
    file: Path | None = None


class EncodingEngine(Protocol):
    """What encodes videos: :class:`LocalEngine`, ``RayEngine``, or one of yours."""

    def encode(self, rows: Sequence[VideoRow], job: EncodingJob) -> Iterator[EncodedPart]:
        """Encode files, in any order; each once, bad ones as well."""


class LocalEngine:
    """Encodes in this process; windows of several videos go through the model together."""

    def encode(self, rows: Sequence[VideoRow], job: EncodingJob) -> Iterator[EncodedPart]:
        """See :class:`EncodingEngine`; files keep their order."""
        settings = job.settings
        for video, timings in encode_rows(
            job.inferencer(), rows, settings.reading, settings.thumbnail, job.batch_size
        ):
            yield EncodedPart((video,), timings)
