"""What an index was made with: the file ``index.json`` in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ovmlv.errors import ConfigError, DataError
from ovmlv.files import write_json
from ovmlv.schema import count, fits, number, positive, read_object, text

FORMAT = 'ovmlv video index 1'
FILE = 'index.json'
#: Seconds of a window, and longer side of thumbnails in pixels, if nothing else is said.
WINDOW, THUMBNAIL = 4.0, 96
_MEND = 'perhaps cut short; make the index again'
_PLAIN = (text, number, bool, None, list, dict)
_FIELDS: dict[str, Any] = dict(
    format=text,
    encoder=dict(
        type=text, fingerprint=text, settings=dict, embed_dim=positive, average_views=text
    ),
    reading=dict(
        window=(number, None),
        stride=(number, None),
        num_frames=(positive, None),
        num_clips=(positive, None),
        pipeline=text,
    ),
    model=dict(model=(text, None), weights=(text, None), cfg_options=({text: _PLAIN}, None)),
    thumbnail=count,
    approximate=(
        dict(
            partitions=positive,
            probes=positive,
            candidates=positive,
            recall=number,
            queries=text,
            rows=count,
        ),
        None,
    ),
)
#: Configs that are programs: a folder may come from a stranger, and must not choose what runs.
_PROGRAMS = ('.py',)


@dataclass(frozen=True)
class Reading:
    """How videos are read into an index.

    Attributes:
        window: Seconds of a window; None encodes whole videos.
        stride: Seconds from one window to the next; None: they do not overlap.
        num_frames: Frames of a clip; None takes the pipeline's.
        num_clips: Clips of a window; None takes the pipeline's.
        pipeline: The transforms, as text to compare.
    """

    window: float | None
    stride: float | None
    num_frames: int | None
    num_clips: int | None
    pipeline: str

    def check(self, other: Reading, owner: str) -> None:
        """Raise a :class:`ConfigError` that names a difference, unless videos are read alike."""
        for name, value in asdict(self).items():
            if value != getattr(other, name):
                was = '' if name == 'pipeline' else f' ({value}, now {getattr(other, name)})'
                raise ConfigError(
                    f'{owner} was made with another {name}{was}; give the same, or make a new '
                    'index in another folder'
                )


@dataclass(frozen=True)
class ModelName:
    """The model of an index as it was named, so that nobody has to name it again.

    Attributes:
        model: What ``open_model`` takes; None for a model that was made in Python.
        weights: See ``open_model``.
        cfg_options: See ``open_model``.
    """

    model: str | None = None
    weights: str | None = None
    cfg_options: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, model: Any, weights: Any = None, cfg_options: Any = None) -> ModelName:
        """The name, with absolute paths; empty for what has no name."""
        if not isinstance(model, (str, Path)):
            return cls()
        options = json.loads(json.dumps(dict(cfg_options), default=str)) if cfg_options else None
        return cls(_absolute(model), None if weights is None else _absolute(weights), options)

    def refuse_program(self, folder: Path) -> None:
        """Refuse to open a model by the word of an index alone if that runs a program.

        Raises:
            ConfigError: The index names no model, or a config in Python.
        """
        if self.model is None:
            raise ConfigError(f'index {folder} names no model; give it (--model)')
        if self.model.lower().endswith(_PROGRAMS):
            raise ConfigError(
                f'index {folder} names the config {self.model}, which is a program and is not run '
                f'by the word of an index; give it (--model)'
            )


@dataclass(frozen=True)
class Approximate:
    """What was measured when the approximate index was made.

    Attributes:
        partitions: Parts that the embeddings are divided into.
        probes: Parts that are looked at for a query.
        candidates: Windows that are compared exactly, for each that is wanted.
        recall: Share of the 100 best windows that are found.
        queries: What this was measured with.
        rows: Windows at that time.
    """

    partitions: int
    probes: int
    candidates: int
    recall: float
    queries: str
    rows: int


@dataclass(frozen=True)
class IndexSettings:
    """All of ``index.json``.

    Attributes:
        encoder: Identity of the video encoder, see
            :class:`~ovmlv.index.video_encoder_identity.VideoEncoderIdentity`.
        reading: How videos are read.
        model: The name of the model.
        thumbnail: Longer side of the thumbnails in pixels; 0: there are none.
        approximate: The approximate index; None: there is none.
    """

    encoder: Mapping[str, Any]
    reading: Reading
    model: ModelName
    thumbnail: int
    approximate: Approximate | None = None

    @property
    def embed_dim(self) -> int:
        """E."""
        return int(self.encoder['embed_dim'])

    def save(self, folder: Path) -> None:
        """Write the file whole."""
        write_json(folder / FILE, dict(format=FORMAT, **asdict(self)), indent=1)

    @classmethod
    def load(cls, folder: Path) -> IndexSettings:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: There is no index.
            DataError: The file is damaged, or of another format.
        """
        path = folder / FILE
        if not path.is_file():
            raise FileNotFoundError(
                f'there is no video index in {folder} (no {FILE}); make one by "ovmlv index add"'
            )
        content = read_object(path, _FIELDS, 'no video index', _MEND)
        if content['format'] != FORMAT:
            raise DataError(
                f'{path} is of format {content["format"]!r}, not {FORMAT!r}; make the index again '
                'with this version'
            )
        found = {
            name: {key: content[name][key] for key in _FIELDS[name]}
            for name in ('encoder', 'reading', 'model')
        }
        near = content['approximate']
        if near is not None:
            near = {name: near[name] for name in Approximate.__dataclass_fields__}
        if not fits(found['encoder']['embed_dim'], lambda e: e <= 1 << 20):
            raise DataError(f'{path} is no video index (embed_dim is wrong), {_MEND}')
        return cls(
            found['encoder'],
            Reading(**found['reading']),
            ModelName(**found['model']),
            content['thumbnail'],
            None if near is None else Approximate(**near),
        )


def _absolute(name: str | Path) -> str:
    path = Path(name).expanduser()
    return str(path.absolute()) if path.exists() else str(name)
