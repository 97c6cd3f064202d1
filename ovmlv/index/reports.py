"""What adding to an index and looking at it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class AddReport:
    """What was added, and what it cost.

    Attributes:
        encoded: Videos that were decoded and encoded.
        merged: Videos that other processes had encoded before, and that were taken in.
        changed: How many of these were known with other content.
        moved: Videos that are under another path, and were not decoded again.
        unchanged: Videos that were as the index knew them.
        removed: Videos that are gone, and were taken out.
        windows: Windows that were written.
        unread: Path -> why it could not be read, in one line; bad files of earlier times as well.
        video_seconds: Length of what was encoded.
        decode_seconds: Time to read and resize frames, with hashes and thumbnails.
        encode_seconds: Time in the model.
        write_seconds: Time to write.

    Examples:
        >>> AddReport(encoded=2, unread={'a.mp4': 'no video'}).summary()
        '2 videos encoded, 1 could not be read'
    """

    encoded: int = 0
    merged: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    removed: int = 0
    windows: int = 0
    unread: dict[str, str] = field(default_factory=dict)
    video_seconds: float = 0.0
    decode_seconds: float = 0.0
    encode_seconds: float = 0.0
    write_seconds: float = 0.0

    def summary(self) -> str:
        """One line for people."""
        parts = [f'{self.encoded} videos encoded']
        for count, what in (
            (self.changed, 'of them changed'),
            (self.merged, 'encoded before and taken in'),
            (self.moved, 'moved'),
            (self.unchanged, 'unchanged'),
            (self.removed, 'gone and taken out'),
            (len(self.unread), 'could not be read'),
        ):
            if count:
                parts.append(f'{count} {what}')
        return ', '.join(parts)

    def cost(self) -> dict[str, float]:
        """Seconds of decoding, encoding and writing for a minute of video."""
        minutes = max(self.video_seconds / 60, 1e-9)
        return {
            name: getattr(self, f'{name}_seconds') / minutes
            for name in ('decode', 'encode', 'write')
        }


@dataclass(frozen=True)
class IndexStatus:
    """What an index holds.

    Attributes:
        videos: Good videos.
        windows: Their windows.
        seconds: Their length.
        unread: Path -> why it could not be read.
        bytes: Size on disk.
        model: Name of its model; None if it has none.
        encoder: Class and fingerprint of its video encoder.
        window: Seconds of a window; None for whole videos.
        approximate: What is known of the approximate index; None if there is none.
        new: Files of the folders in question that are not in it, or are with other content; None
            without a question.
        gone: Videos that no longer exist; None without a question.

    Examples:
        >>> status = IndexStatus(2, 6, 24.0, {}, 10_000, 'motionshapes', 'X 1f', 4.0)
        >>> status.to_dict()['windows']
        6
    """

    videos: int
    windows: int
    seconds: float
    unread: Mapping[str, str]
    bytes: int
    model: str | None
    encoder: str
    window: float | None
    approximate: Mapping[str, Any] | None = None
    new: int | None = None
    gone: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)
