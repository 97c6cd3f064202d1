"""What must be known of an exported video encoder beside its graph."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from ovmlv.errors import DataError

FORMAT = 1


@dataclass(frozen=True)
class EncoderMeta:
    """Content of ``meta.json``.

    Attributes:
        fingerprint: Of label encoder and scorer; label files of the model carry the same one.
        embed_dim: E.
        image_size: Height and width of the frames that the graph takes.
        num_frames: Frames of a clip, as the model was tested; the graph takes any number.
        num_clips: Clips (temporal views) of a video.
        num_crops: Crops of a clip: 1 (the centre), or 3 along the longer side.
        short_side: The shorter side is resized to this before the crop; None: to fill the crop.
        average_views: See ``OpenVocabRecognizer``.
        input_type: ``uint8`` (0 to 255) or ``float32`` (0 to 1).
        mean: Of each channel in [0, 1]. The graph subtracts it, like all of normalisation.
        std: Deviation of each channel.
        template: Text that labels were put into; None if the label encoder has no single one.
        layout: Order of the graph's input.
        format: Version of this format.
        made_by: Versions of what made the graph.
    """

    fingerprint: str
    embed_dim: int
    image_size: tuple[int, int]
    num_frames: int
    num_clips: int = 1
    num_crops: int = 1
    short_side: int | None = None
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
        """Read ``meta.json``."""
        content = read_json(path)
        if content.get('format') != FORMAT:
            raise DataError(
                f'{path} has format {content.get("format")!r}, not {FORMAT}; export the model with '
                'the same version of ovmlv'
            )
        try:
            meta = cls(**content)
        except TypeError as error:
            raise DataError(f'{path} does not fit ({error}); export the model again') from None
        values = {'image_size': tuple(meta.image_size)}
        return dataclasses.replace(meta, mean=tuple(meta.mean), std=tuple(meta.std), **values)

    def save(self, path: Path) -> None:
        """Write ``meta.json``."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + '\n', encoding='utf-8')


def read_json(path: Path) -> dict:
    """A JSON file that holds an object."""
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} not found; make it by "ovmlv export" (or tools/deployment/export_onnx.py '
            'of the repository)'
        )
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise DataError(f'{path} is no JSON ({error}); export the model again') from None
    if not isinstance(content, dict):
        raise DataError(f'{path} holds no JSON object; export the model again')
    return content
