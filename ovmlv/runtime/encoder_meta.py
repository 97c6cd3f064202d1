"""What must be known about an exported video encoder beside its graph."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ovmlv.errors import DataError
from ovmlv.files import write_json
from ovmlv.schema import fits, integer, number, positive, read_object, text

FORMAT = 1
_MEND = 'export the model again'
_FIELDS: dict[str, Any] = dict(
    fingerprint=text,
    embed_dim=positive,
    image_size=[positive],
    num_frames=positive,
    num_clips=positive,
    num_crops=lambda value: integer(value) and value in (1, 3),
    short_side=(positive, None),
    squash=lambda value: isinstance(value, bool),
    average_views=lambda value: value in ('score', 'embedding', 'probability'),
    input_type=lambda value: value in ('uint8', 'float32'),
    mean=[number],
    std=[number],
    template=(text, None),
    layout=lambda value: value == 'BTHWC',
    format=integer,
    made_by=text,
)


@dataclass(frozen=True)
class EncoderMeta:
    """Content of ``meta.json``.

    Attributes:
        fingerprint: Fingerprint of label encoder and scorer; label files of the model have the same
            one.
        embed_dim: E.
        image_size: Height and width of the frames that the graph takes.
        num_frames: Frames of a clip, as the model was tested; the graph takes any number.
        num_clips: Clips (temporal views) of a video.
        num_crops: Crops of a clip: 1 (the centre), or 3 along the longer side.
        short_side: Size to which the shorter side is resized before the crop; with None, frames
            just fill the crop.
        squash: Whether frames are resized to the size of the graph whatever their shape, without
            a crop.
        average_views: See ``OpenVocabRecognizer``.
        input_type: Type of the pixels: ``uint8`` (0 to 255) or ``float32`` (0 to 1).
        mean: Mean of each channel in [0, 1]. The graph does the normalisation itself.
        std: Deviation of each channel.
        template: Text that labels were put into; None if the label encoder has no single one.
        layout: Order of the graph's input.
        format: Version of this format.
        made_by: Versions of the libraries that made the graph.

    Examples:
        >>> import pathlib
        >>> import tempfile
        >>> meta = EncoderMeta('c7c71179', embed_dim=128, image_size=(64, 64), num_frames=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, 'meta.json')
        ...     meta.save(path)
        ...     print(EncoderMeta.load(path) == meta)
        True
    """

    fingerprint: str
    embed_dim: int
    image_size: tuple[int, int]
    num_frames: int
    num_clips: int = 1
    num_crops: int = 1
    short_side: int | None = None
    squash: bool = False
    average_views: str = 'score'
    input_type: str = 'uint8'
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    template: str | None = None
    layout: str = 'BTHWC'
    format: int = FORMAT
    made_by: str = ''

    @classmethod
    def load(cls, path: Path) -> EncoderMeta:
        """Read ``meta.json``.

        Raises:
            FileNotFoundError: The file is missing.
            DataError: The file is damaged, or of another version.
        """
        if not path.is_file():
            raise FileNotFoundError(f'{path} not found; make it by "ovmlv export"')
        content = read_object(path, dict(format=integer), 'no description of an encoder', _MEND)
        if content['format'] != FORMAT:
            raise DataError(
                f'{path} has format {content["format"]!r}, not {FORMAT}; export the model with '
                'the same version of ovmlv'
            )
        known = {field.name: field for field in dataclasses.fields(cls)}
        needed = [k for k, field in known.items() if field.default is dataclasses.MISSING]
        bad = next((k for k in needed if k not in content), None) or next(
            (k for k, v in content.items() if k not in known or not fits(v, _FIELDS[k])), None
        )
        if bad is not None:
            raise DataError(f'{path} does not fit ({bad!r} is missing, wrong or unknown); {_MEND}')
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in content.items()
        }
        meta = cls(**values)
        if not len(meta.mean) == len(meta.std) == 3 or len(meta.image_size) != 2:
            raise DataError(f'{path} does not fit (mean, std or image_size); {_MEND}')
        return meta

    def save(self, path: Path) -> None:
        """Write ``meta.json``."""
        write_json(path, dataclasses.asdict(self), indent=2)
