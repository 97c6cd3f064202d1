"""Which file a video id is, where the annotations do not say."""

from __future__ import annotations

import os
from pathlib import PurePath

SUFFIXES = ('.mp4', '.mkv', '.webm', '.avi', '.mov', '.flv', '.m4v')


class VideoNames:
    """File names of video ids whose suffix differs from video to video.

    Args:
        folder: Of the videos; it is listed once. Where it does not exist, or lacks a video,
            ``.mp4`` is assumed, so that the missing file is named when it is read.
    """

    def __init__(self, folder: str) -> None:
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        self.names: dict[str, str] = {}
        for name in names:
            path = PurePath(name)
            if path.suffix.lower() in SUFFIXES:
                self.names.setdefault(path.stem, name)

    def __call__(self, stem: str) -> str:
        """File name of a video."""
        return self.names.get(stem, f'{stem}.mp4')
