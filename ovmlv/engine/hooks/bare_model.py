"""The model of a Runner without what is wrapped around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from mmengine.model import is_model_wrapper

from ovmlv.models.recognizers import OpenVocabRecognizer

_T = TypeVar('_T')


def bare_model(runner: Any) -> Any:
    """The model itself, also where it trains on several devices."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def within_model(model: Any, function: Callable[[], _T]) -> _T:
    """Call a function that uses parts of a bare model, where their weights can be used.

    Weights that are spread over processes have to be gathered for it, so all processes must call
    this.
    """
    return model.within(function) if isinstance(model, OpenVocabRecognizer) else function()
