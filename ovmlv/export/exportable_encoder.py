"""A recognizer's video encoder in a form that `torch.export` captures."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ovmlv.errors import ConfigError
from ovmlv.models.contracts import Recognizer, VideoEncoder
from ovmlv.models.data_preprocessors import VideoDataPreprocessor
from ovmlv.models.temporal.positions import TemporalPositions

INPUT_TYPES = {'uint8': torch.uint8, 'float32': torch.float32}


class ExportableEncoder(nn.Module):
    """Pixels to unit vectors, normalisation included, for any number of videos and frames.

    It is a float32 copy on the CPU, since other precisions take other paths there, and a graph is
    made only once.

    Args:
        model: A recognizer with a backbone that sees pixels.
        input_type: Type of the pixels: ``uint8`` (0 to 255) or ``float32`` (0 to 1).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: Recognizer, input_type: str = 'uint8') -> None:
        super().__init__()
        if input_type not in INPUT_TYPES:
            raise ConfigError(
                f'input_type={input_type!r} is not one of {", ".join(map(repr, INPUT_TYPES))}'
            )
        size, preprocessor = model.backbone.image_size, model.data_preprocessor
        mean = preprocessor.mean if isinstance(preprocessor, VideoDataPreprocessor) else None
        if size is None or mean is None:
            raise ConfigError(
                f'{type(model.backbone).__name__} with {type(model.data_preprocessor).__name__} '
                'cannot be exported: they name no image_size or mean; use a TemporalCLIPBackbone '
                'and a VideoDataPreprocessor'
            )
        self.input_type = input_type
        self.image_size: tuple[int, int] = (int(size[0]), int(size[1]))
        self.num_frames = model.backbone.num_frames
        self.backbone = _exportable(model.backbone)
        self.register_buffer('mean', mean.detach().clone().float().cpu().flatten())
        self.register_buffer('std', preprocessor.std.detach().float().cpu().flatten())
        self.eval().requires_grad_(False)

    def forward(self, frames: Tensor) -> Tensor:
        """Encode RGB frames ``(B, T, H, W, 3) -> (B, E)``, unit vectors."""
        x = frames.float()
        if self.input_type == 'uint8':
            x = x / 255
        x = ((x - self.mean) / self.std).permute(0, 4, 1, 2, 3)
        return F.normalize(self.backbone(x), dim=-1)

    def example(self, batch: int = 2, num_frames: int = 3) -> Tensor:
        """Random input."""
        shape = (batch, num_frames, *self.image_size, 3)
        generator = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        return pixels if self.input_type == 'uint8' else pixels.float() / 255


@torch.no_grad()
def capture(encoder: ExportableEncoder) -> ExportedProgram:
    """`torch.export` of the encoder, for any number of videos and, where it can be, of frames.

    An encoder with positions in time that are not ours may be captured for the number of frames of
    training alone, see :func:`fixed_frames`.

    Raises:
        ConfigError: The encoder cannot be captured in this way.
    """
    batch, time = Dim('batch', min=1, max=4096), Dim('time', min=1, max=4096)
    tries: list[tuple[Tensor, dict[int, Any]]] = [
        (encoder.example(), {0: batch, 1: time}),
        (encoder.example(num_frames=encoder.num_frames), {0: batch}),
    ]
    errors: list[Exception] = []
    for example, shapes in tries:
        try:
            return torch.export.export(encoder, (example,), dynamic_shapes=(shapes,), strict=False)
        except Exception as error:  # torch raises its own classes from many places
            errors.append(error)
    raise ConfigError(
        'torch.export cannot capture this video encoder for any number of videos and frames '
        f'({first_line(errors[0])}); docs/deployment.md lists the image towers that were tried'
    ) from errors[0]


def fixed_frames(program: ExportedProgram) -> int | None:
    """The only number of frames that a captured encoder takes; None where it takes any."""
    inputs = [
        node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs
    ]
    time = inputs[0].meta['val'].shape[1]
    return time if isinstance(time, int) else None


def first_line(error: Exception) -> str:
    """The first line of a message of torch, which may have hundreds of lines."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _exportable(backbone: VideoEncoder) -> nn.Module:
    """A copy without the parts that only training needs and without choices by frame count."""
    encoder = copy.deepcopy(backbone)
    encoder.drop_training_parts()
    copied = cast(nn.Module, encoder).float().cpu().eval()
    for module in list(copied.modules()):
        for name, child in module.named_children():
            if isinstance(child, TemporalPositions):
                setattr(module, name, _AnyLengthPositions(child.weight.detach()))
    return copied


class _AnyLengthPositions(nn.Module):
    """`TemporalPositions` for a T that is known when the graph runs.

    `resample_positions` takes a shortcut for the T of training, which would fix T in the graph.
    """

    weight: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer('weight', weight)

    def forward(self, num_frames: int) -> Tensor:
        last = self.weight.shape[0] - 1
        steps = torch.arange(num_frames, device=self.weight.device)
        # Exact where T is that of training, since T - 1 then divides its own multiples.
        at = steps.float() * last / steps[-1:].clamp(min=1)
        low = at.floor().long()
        high = (low + 1).clamp(max=last)
        return torch.lerp(self.weight[low], self.weight[high], (at - low)[:, None])
