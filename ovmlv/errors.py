"""Errors that a user can mend. Each message is one line: the culprit, then the mend."""

import reprlib

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 80
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = 12


def shown(value: object) -> str:
    """A value of a stranger's file in the form for a message: short, one line, visible signs."""
    return _REPR.repr(value)


def quoted(text: str, longest: int = 200) -> str:
    """A text that may quote a stranger, for a message: not longer, and with visible signs only."""
    signs = text[: longest + 1]
    signs = ''.join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in signs)
    return signs if len(signs) <= longest else f'{signs[:longest]}…'


def reason_of(error: BaseException) -> str:
    """The text of a library's error, for a message of ours: short, in one line that can be read.

    It may quote a stranger's file with any content.
    """
    return quoted(' '.join(str(error).split())) or type(error).__name__


class OvmlvError(Exception):
    """Base of all errors that ovmlv raises for its users."""


class ConfigError(OvmlvError, ValueError):
    """A setting that cannot work."""


class DataError(OvmlvError, ValueError):
    """A file, row or sample that cannot be used."""


class OutputError(OvmlvError, OSError):
    """A file or folder that cannot be written."""


class UnreadableVideoError(DataError, OSError):
    """A video that cannot give the frames that are asked for."""


class VocabularyError(OvmlvError, ValueError):
    """A label or a set of labels that cannot be used."""


class CheckpointError(OvmlvError, RuntimeError):
    """Weights that do not fit the model."""


class DependencyError(OvmlvError, RuntimeError):
    """A package that is missing or of an unfit version.

    This is not an ImportError on purpose: mmengine swallows those while it imports a registry's
    locations, and reports a class that "is not in the registry" instead.
    """
