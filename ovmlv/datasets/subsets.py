"""The rows of a file that belong to a subset; a misspelt name makes none of them vanish."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ovmlv.errors import ConfigError, DataError, shown

ALL = 'all'


class Subset:
    """The rows of one subset of a file that holds several.

    Args:
        reader: Name of the data set, for messages.
        wanted: The subset to take, or ``all``.
        known: Names of the subsets that the file can have.

    Raises:
        ConfigError: ``wanted`` is not one of them.
    """

    def __init__(self, reader: str, wanted: str, known: Sequence[str]) -> None:
        if wanted not in (*known, ALL):
            raise ConfigError(
                f'{reader}: subset={wanted!r} is not one of {", ".join(known)}, {ALL}'
            )
        self.wanted, self.known = wanted, tuple(known)

    def has(self, value: object, where: str) -> bool:
        """Whether a row with this subset is to be taken.

        Raises:
            DataError: The value is not a subset, so the row would be in none.
        """
        if self.wanted == ALL:
            return True
        if value not in self.known:
            near = difflib.get_close_matches(str(value).lower(), self.known, n=1, cutoff=0.6)
            hint = f'; did the file mean {near[0]!r}?' if near else ''
            raise DataError(
                f'{where}: subset {shown(value)} is none of {", ".join(self.known)}{hint}; correct '
                "it, or set subset='all'"
            )
        return value == self.wanted
