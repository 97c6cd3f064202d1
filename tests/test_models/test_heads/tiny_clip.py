"""A small CLIP architecture for the tests of the heads."""

from __future__ import annotations

import json
from pathlib import Path

CONFIG = {
    'embed_dim': 24,
    'vision_cfg': {'image_size': 32, 'layers': 1, 'width': 32, 'head_width': 16, 'patch_size': 16},
    'text_cfg': {'context_length': 24, 'vocab_size': 49408, 'width': 32, 'heads': 2, 'layers': 2},
}


def write_tiny_clip(folder: Path, custom_text: bool = False) -> str:
    """Write the JSON file of an architecture of open_clip's built-in or CustomTextCLIP layout."""
    path = folder / f'tiny_clip_for_heads_{int(custom_text)}.json'
    path.write_text(json.dumps({**CONFIG, 'custom_text': custom_text}))
    return str(path)
