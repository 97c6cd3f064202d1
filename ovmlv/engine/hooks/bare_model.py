"""The model of a Runner without what is wrapped around it."""

from __future__ import annotations

from typing import Any

from mmengine.model import is_model_wrapper


def bare_model(runner: Any) -> Any:
    """The model itself, also where it trains on several devices."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
