"""A dual encoder in a folder of its own, for places without the weights or without a network."""

from __future__ import annotations

from pathlib import Path

import transformers

from .configurations import fetched, quiet, read_configuration
from .loading import read_model
from .names import Source


def save_dual_encoder(name: str, folder: Path) -> Path:
    """Write the model, its processor of pixels and its tokenizer as transformers writes them.

    Args:
        name: See :func:`~.loading.load_dual_encoder`.
        folder: Folder to write; it is made if missing.
    """
    source = Source.of(name)
    config, family = read_configuration(source)
    parts = [read_model(source, config, family)]
    kind = 'AutoVideoProcessor' if family.processor == 'video' else 'AutoImageProcessor'
    for owner, what in ((kind, 'processor'), ('AutoTokenizer', 'tokenizer')):
        parts.append(fetched(getattr(transformers, owner).from_pretrained, source, what))
    with quiet():
        for part in parts:
            part.save_pretrained(folder)
    return folder
