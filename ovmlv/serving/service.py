"""What the server does with videos and labels, apart from HTTP."""

from __future__ import annotations

import dataclasses
import io
import math
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ovmlv.apis.encoded_video import EncodedVideo
from ovmlv.apis.label_source import read_labels
from ovmlv.apis.video_reader import VideoReader
from ovmlv.errors import ConfigError, VocabularyError
from ovmlv.label_bank.bank import LabelBank
from ovmlv.models.recognizers import OpenVocabRecognizer
from ovmlv.results import TagResult, Window
from ovmlv.visualization.frame_relevance import encode_frames
from ovmlv.visualization.strip import Strip

from .decoder import Decoder
from .limits import ServingLimits
from .monitor import Monitor
from .schemas import Bank, Frame, Frames, Span, Tag, Tags, Video
from .service_error import ServiceError, sentence
from .typed_labels import check_typed_labels
from .uploads import Upload
from .video_store import StoredVideo

_TOP_OF_BANK = 20
#: Box in pixels, and quality, of pictures to show.
_BOX, _QUALITY = (320, 240), 80


class TaggingService:
    """Looks at videos and scores labels.

    One thread may look at a video while another scores labels; two threads never do the same.

    Args:
        inferencer: An ``OVMLVInferencer``.
        limits: Limits of what is taken.
        banks: Name -> bank, or its folder, that clients may choose.
    """

    def __init__(
        self,
        inferencer: Any,
        limits: ServingLimits,
        banks: Mapping[str, LabelBank | str | Path] | None = None,
    ) -> None:
        self.inferencer, self.limits, self.monitor = inferencer, limits, Monitor()
        self._encoding, self._scoring = threading.Lock(), threading.Lock()
        model = inferencer.model
        reader = VideoReader(model.cfg, inferencer.pipeline, image_size=model.backbone.image_size)
        self.decoder = Decoder(reader, limits)
        self.default_labels: tuple[str, ...] = ()
        self.banks: dict[str, LabelBank] = {}
        for name, source in {**_own_bank(inferencer), **(banks or {})}.items():
            bank = read_labels(source, inferencer.model)
            if not isinstance(bank, LabelBank):
                raise ConfigError(f'bank {name}: {source} is no folder of a label bank')
            if len(bank) > limits.bank_labels:
                raise ConfigError(
                    f'bank {name} has {len(bank)} labels, more than bank_labels='
                    f'{limits.bank_labels}; raise the limit if the memory allows, or offer a part'
                )
            self.banks[name] = bank
        if inferencer.labels is not None and not isinstance(inferencer.labels, LabelBank):
            self.default_labels = tuple(inferencer.labels)

    @property
    def model_name(self) -> str:
        """Name of the model for visitors."""
        cfg = self.inferencer.model.cfg
        if cfg.filename:
            return Path(cfg.filename).stem
        name = ((cfg.get('model') or {}).get('backbone') or {}).get('model_name')
        if not isinstance(name, str):
            return type(self.inferencer.model.backbone).__name__
        # Visitors need not know where a folder is.
        return Path(name).name if Path(name.partition(':')[2] or name).is_absolute() else name

    @property
    def videos_decoded(self) -> int:
        """Number of videos decoded since the start."""
        return int(self.inferencer.num_decoded)

    @property
    def label_cache(self) -> dict[str, int]:
        """Use of the model's memory of label embeddings; empty if it has none of ours."""
        model = self.inferencer.model
        return model.label_cache.use() if isinstance(model, OpenVocabRecognizer) else {}

    def start(self, wait: bool = False) -> None:
        """Get ready for the first video; with ``wait``, return when that is done."""
        self.decoder.start(wait)

    def close(self) -> None:
        """End what is being decoded; no more videos are taken."""
        self.decoder.close()

    def look(
        self, upload: Upload, window: float | None = None, stride: float | None = None
    ) -> StoredVideo:
        """Decode an upload into what is kept of it.

        Args:
            upload: The file.
            window: Seconds of a window; None takes a length that suits the video.
            stride: Seconds between the starts of windows; None takes half a window.

        Raises:
            ServiceError: The file is not a video or exceeds the limits, or its decoder crashed or
                took too long.
        """
        with self._encoding, self.decoder.open(upload, window, stride) as video:
            encoded = self.inferencer.encode(video, window=video.window, stride=video.stride)
            strip = video.strip
        assert strip is not None and encoded.timings is not None  # all clips were read
        started = time.perf_counter()
        vectors = encode_frames(self.inferencer.model, strip.pictures)
        windows = tuple(Window(float(a), float(b)) for a, b in strip.times)
        length = float(encoded.duration or video.duration)
        length = length if math.isfinite(length) else video.duration
        encode = encoded.timings.encode + time.perf_counter() - started
        self.monitor.looked(length, video.seconds, encode)
        return StoredVideo(
            name=upload.name,
            duration=length,
            encoded=dataclasses.replace(encoded, video=upload.name),
            frames=EncodedVideo(upload.name, vectors, windows),
            times=tuple(strip.times.mean(1).tolist()),
            pictures=_small(strip),
        )

    def describe(self, video: StoredVideo) -> Video:
        """What the client is told about a video."""
        return Video(
            id=video.id,
            name=video.name,
            duration=_short(video.duration),
            windows=_spans(video.encoded.windows),
            frames=len(video.pictures),
            keep_seconds=self.limits.keep_seconds,
        )

    def offered_banks(self) -> list[Bank]:
        """Banks that clients may choose."""
        return [Bank(name=name, labels=len(bank)) for name, bank in self.banks.items()]

    def tag(
        self,
        video: StoredVideo,
        labels: Sequence[str] | None = None,
        bank: str | None = None,
        top_k: int | None = None,
    ) -> Tags:
        """Score labels, or those of a bank; nothing is decoded."""
        source = self._source(labels, bank)
        result = self._score(video.encoded, source)
        limit = len(result.labels)
        if isinstance(source, LabelBank):
            limit, top_k = self.limits.results, top_k or _TOP_OF_BANK
        order = np.argsort(-result.probabilities, kind='stable')[: min(limit, top_k or limit)]
        columns = result.window_probabilities
        return Tags(
            id=video.id,
            name=video.name,
            duration=_short(video.duration),
            num_labels=len(result.labels),
            tags=[
                Tag(
                    label=result.labels[i],
                    probability=_short(result.probabilities[i]),
                    threshold=None if result.thresholds is None else _short(result.thresholds[i]),
                    timeline=[] if columns is None else [_short(p) for p in columns[:, i]],
                )
                for i in order.tolist()
            ],
            windows=_spans(result.windows),
        )

    def frames(self, video: StoredVideo, label: str, count: int) -> Frames:
        """The frames with the largest probability of a label, each scored alone."""
        result = self._score(video.frames, self._source([label], None))
        assert result.window_probabilities is not None  # each frame is a window
        scores = result.window_probabilities[:, 0]
        return Frames(
            label=result.labels[0],
            frames=[
                Frame(
                    number=i,
                    time=_short(video.times[i]),
                    probability=_short(scores[i]),
                    picture=f'api/videos/{video.id}/frames/{i}.jpg',
                )
                for i in np.argsort(-scores, kind='stable')[:count].tolist()
            ],
        )

    def _score(self, encoded: EncodedVideo, labels: Sequence[str] | LabelBank) -> TagResult:
        try:
            with self._scoring:
                started = time.perf_counter()
                result = self.inferencer.score(encoded, labels)
                self.monitor.scored(len(labels), time.perf_counter() - started)
                return result
        except VocabularyError as error:
            raise ServiceError('invalid_labels', sentence(str(error))) from error

    def _source(self, labels: Sequence[str] | None, bank: str | None) -> Sequence[str] | LabelBank:
        if labels is not None and bank is not None:
            raise ServiceError('invalid_request', 'Give labels or a bank, not both.')
        if bank is not None:
            if bank not in self.banks:
                offered = ', '.join(self.banks) or 'none'
                raise ServiceError(
                    'unknown_bank', f'There is no bank {bank!r}; the server offers: {offered}.'
                )
            return self.banks[bank]
        if labels is None:
            if not self.default_labels:
                raise ServiceError('invalid_labels', 'Give at least one label.')
            return self.default_labels
        return check_typed_labels(labels, self.limits)


def _own_bank(inferencer: Any) -> dict[str, LabelBank]:
    """The bank that came with the model."""
    labels = inferencer.labels
    return {'default': labels} if isinstance(labels, LabelBank) else {}


def _small(strip: Strip) -> tuple[bytes, ...]:
    """Frames as small JPEG files."""
    files = []
    for frame in strip.pictures:
        picture, buffer = Image.fromarray(frame), io.BytesIO()
        picture.thumbnail(_BOX)
        picture.save(buffer, 'JPEG', quality=_QUALITY)
        files.append(buffer.getvalue())
    return tuple(files)


def _spans(windows: Sequence[Window]) -> list[Span]:
    return [Span(start=_short(w.start), end=_short(w.end)) for w in windows]


def _short(value: float) -> float:
    return float(f'{value:.6g}')
