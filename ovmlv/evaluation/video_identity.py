"""Which video a sample is of, and how messages call it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def text_of(name: object) -> str:
    """A ``filename`` or ``video_id`` as a sample has it; a missing one, that is None, is empty."""
    return '' if name is None else str(name)


def video_identity(video_id: str, filename: str, sample_idx: int) -> str | int:
    """What samples of one video have in common, and samples of two videos have not.

    A sample without a name is a video of its own: its number, which is never equal to a name.

    Examples:
        >>> video_identity('', 'a.mp4', 3), video_identity('', '', 3)
        ('a.mp4', 3)
    """
    return video_id or filename or sample_idx


def video_of(result: Mapping[str, Any]) -> str | int:
    """:func:`video_identity` of what a metric keeps of a sample."""
    return video_identity(result['video_id'], result['filename'], result['key'][0])


def name_of(result: Mapping[str, Any]) -> str:
    """How messages call what a metric keeps of a sample."""
    return str(result['filename'] or result['video_id'] or f'sample {result["key"][0]}')
