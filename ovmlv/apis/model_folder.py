"""Models in folders of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

INDEX = 'ovmlv.json'


def load_published(
    folder: Path,
    device: str | torch.device | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """The model of a published folder."""
    raise NotImplementedError
