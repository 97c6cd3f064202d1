"""A part of the work, for processes that know nothing of each other."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ovmlv.errors import ConfigError

_ItemT = TypeVar('_ItemT')


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``.

    Attributes:
        number: From 1 on.
        count: Number of parts.

    Examples:
        >>> [Shard.parse(f'{i}/3').slice('abcdefgh') for i in (1, 2, 3)]
        ['ab', 'cde', 'fgh']
        >>> Shard.parse('2/3').part_of('tags.csv')
        PosixPath('tags-00002-of-00003.csv')
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``2/8``.

        Raises:
            ConfigError: It is none.
        """
        found = re.fullmatch(r'([0-9]{1,9})/([0-9]{1,9})', text)
        shard = cls(*map(int, found.groups())) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.count:
            raise ConfigError(f'shard {text!r} is none; give i/n with i from 1 to n, such as 2/8')
        return shard

    def __str__(self) -> str:
        return f'{self.number}/{self.count}'

    def files(self, paths: Iterable[str | Path]) -> list[str | Path]:
        """The files of this part. It depends on a file's absolute path alone.

        So a file that comes or goes moves no other file to another part.
        """
        return [path for path in paths if _number(path) % self.count == self.number - 1]

    def slice(self, items: Sequence[_ItemT]) -> Sequence[_ItemT]:
        """Items of this part, which stand together; all parts one after the other are the whole."""
        first, last = (
            len(items) * number // self.count for number in (self.number - 1, self.number)
        )
        return items[first:last]

    def part_of(self, path: str | Path) -> Path:
        """The file for this part of a result."""
        path = Path(path)
        return path.with_name(f'{path.stem}-{self.number:05}-of-{self.count:05}{path.suffix}')


def _number(path: str | Path) -> int:
    name = os.fsencode(os.path.abspath(path))
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), 'big')
