"""Videos that visitors of the page may choose in place of one of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ovmlv.errors import ConfigError

_MOST = 24


class Samples:
    """Sample videos, held in memory, so that no request ever reads this disk.

    Args:
        paths: Video files.
        largest: Most bytes of a file.

    Raises:
        ConfigError: There are too many, or one is no file, empty or too large.
    """

    def __init__(self, paths: Sequence[str | Path], largest: int) -> None:
        if len(paths) > _MOST:
            raise ConfigError(f'--samples: {len(paths)} files; give at most {_MOST}')
        self.names: list[str] = []
        self.contents: list[bytes] = []
        for path in map(Path, paths):
            if not path.is_file():
                raise ConfigError(f'--samples: {path} is no file')
            content = path.read_bytes()
            if not 0 < len(content) <= largest:
                raise ConfigError(
                    f'--samples: {path} has {len(content):,} bytes; this server takes 1 to '
                    f'{largest:,}'
                )
            self.names.append(path.name)
            self.contents.append(content)
