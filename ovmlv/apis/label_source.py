"""Labels in the forms in which users have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ovmlv.errors import VocabularyError
from ovmlv.label_bank.bank import LabelBank
from ovmlv.label_bank.files import INDEX
from ovmlv.labels import load_labels, unique_labels
from ovmlv.models.contracts import Recognizer


def read_labels(
    source: Sequence[str] | LabelBank | str | Path, model: Recognizer | None = None
) -> tuple[str, ...] | LabelBank:
    """Labels of a list, a file (see :func:`ovmlv.labels.load_labels`), a label bank or its folder.

    Args:
        source: The labels, or the place where they are.
        model: Model whose label encoder must be that of a bank; a bank of another one is refused.

    Raises:
        VocabularyError: A label is empty, is not a text, or is given twice.
        CheckpointError: The bank was made by another label encoder.
    """
    if isinstance(source, LabelBank):
        if model is not None:
            source.check(model)
        return source
    if not isinstance(source, (str, Path)):
        return unique_labels(source)
    path = Path(source).expanduser()
    if path.is_dir():
        return LabelBank.load(path, model)
    if path.name == INDEX and path.is_file():
        return LabelBank.load(path.parent, model)
    if not path.is_file():
        raise VocabularyError(
            f'labels={str(source)!r} is neither a text file nor a label bank; for a single label '
            f'write [{str(source)!r}]'
        )
    return tuple(load_labels(str(path)))
