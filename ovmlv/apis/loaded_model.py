"""A model with what was published beside it."""

from __future__ import annotations

from dataclasses import dataclass

from ovmlv.models.contracts import Recognizer

from .model_folder import ModelFolder


@dataclass(frozen=True)
class LoadedModel:
    """What :func:`~ovmlv.apis.load_model` gives.

    Attributes:
        recognizer: The model in evaluation mode, with its config as ``recognizer.cfg``.
        published: The folder that it came from, which may have a label bank and a calibration;
            None for a model that came from elsewhere.

    Examples:
        >>> from ovmlv.apis import load_model
        >>> loaded = load_model('motionshapes', device='cpu')
        >>> type(loaded.recognizer).__name__, loaded.published
        ('OpenVocabRecognizer', None)
    """

    recognizer: Recognizer
    published: ModelFolder | None = None
