"""Media types of video files."""

from __future__ import annotations

from pathlib import Path

#: Never a type that a browser would run. Players look at the content.
_TYPES = {
    '.mp4': 'video/mp4',
    '.m4v': 'video/mp4',
    '.mov': 'video/quicktime',
    '.webm': 'video/webm',
    '.mkv': 'video/x-matroska',
    '.avi': 'video/x-msvideo',
    '.ogv': 'video/ogg',
    '.ts': 'video/mp2t',
    '.mpg': 'video/mpeg',
    '.mpeg': 'video/mpeg',
    '.flv': 'video/x-flv',
    '.wmv': 'video/x-ms-wmv',
}
_UNKNOWN = 'application/octet-stream'


def media_type(name: str) -> str:
    """The media type of a file by its name."""
    return _TYPES.get(Path(name).suffix.lower(), _UNKNOWN)
