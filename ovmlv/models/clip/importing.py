"""Weights of another project, written as a file that ``load_clip`` reads."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from ovmlv.files import whole_file

from .architecture import build_model, find_architecture
from .weights import OPENAI_EXTRAS, find_weights, load_weights, read_weights


def import_weights(source: str, model: str, out: str, base: str | None = None) -> list[str]:
    """Convert a weight file; see ``tools/model_converters/import_weights.py``.

    Args:
        source: Weight file, or folder of transformers.
        model: open_clip architecture, or path of a JSON file of its schema.
        out: File to write, in open_clip's naming.
        base: open_clip tag or file that fills in what the source leaves out.

    Returns:
        Names that came from ``base``.
    """
    if not Path(source).expanduser().exists():
        raise FileNotFoundError(
            f'there is no weight file {source}; give an existing file or folder'
        )
    architecture = find_architecture(model)
    weights = read_weights(Path(source).expanduser())
    filled: list[str] = []
    if base is not None:
        start = find_weights(architecture, base)
        # Both of open_clip's text layouts; the loader brings either to that of the architecture.
        own = {name.removeprefix('text.'): tensor for name, tensor in weights.state.items()}
        theirs = {name.removeprefix('text.'): tensor for name, tensor in start.state.items()}
        filled = [name for name in theirs if name not in own]
        weights.state = {**theirs, **own}
        if weights.quick_gelu is None:
            weights.quick_gelu = start.quick_gelu
    clip = build_model(architecture, weights.quick_gelu)
    load_weights(clip, weights, architecture.name)
    state = {name: tensor.contiguous() for name, tensor in clip.state_dict().items()}
    if weights.quick_gelu:
        # How a file tells its activation, see read_weights; the values themselves are not read.
        state.update({name: torch.zeros(()) for name in OPENAI_EXTRAS})
    with whole_file(out) as scratch:
        save_file(state, scratch)
    return filled
