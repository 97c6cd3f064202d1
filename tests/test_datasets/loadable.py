"""Readers of videos whose libraries can be loaded here; torchcodec's mostly cannot."""

import pytest

from ovmlv.datasets.decoders import READERS, TorchCodecReader
from ovmlv.errors import DependencyError


def _why_not() -> str:
    try:
        TorchCodecReader.check_installed()
    except DependencyError as error:
        return str(error)
    return ''


WHY_NOT = _why_not()
needs_torchcodec = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
#: Names of all readers, as parameters of a test; those that cannot be loaded are skipped.
BACKENDS = [
    pytest.param(name, marks=needs_torchcodec) if name == 'torchcodec' else name for name in READERS
]
#: The names and the classes of those that can be loaded.
LOADABLE = {name: kind for name, kind in READERS.items() if name != 'torchcodec' or not WHY_NOT}
