"""What may be given to a library that probes files by itself."""

from __future__ import annotations

import os
from pathlib import Path

from ovmlv.containers import is_file, is_harmless
from ovmlv.errors import UnreadableVideoError


def plain_source(source: str | Path | bytes, library: str) -> str | bytes:
    """The absolute path of a video file, or its content where the name could name other files.

    Args:
        source: Path, or content of the file.
        library: Name of the library that is to open it, for the message.

    Raises:
        UnreadableVideoError: It is not a plain container for sure.
        FileNotFoundError: There is no such file.
    """
    if not isinstance(source, bytes) and not is_file(source):
        raise FileNotFoundError(f'video {source} not found; give the path of a video file')
    if not is_harmless(source):
        raise UnreadableVideoError(
            f"it begins like none of the containers that {library} may open; use backend='pyav'"
        )
    if isinstance(source, bytes):
        return source
    path = os.path.abspath(source)
    # FFmpeg may take such a name for a pattern of other files.
    return Path(path).read_bytes() if '%' in path else path
