"""The file of a video, if the annotations do not give its suffix."""

from __future__ import annotations

import os
import posixpath

#: Endings of video files.
SUFFIXES = '.mp4 .mkv .webm .avi .mov .flv .m4v .mpg .mpeg .wmv .3gp .ts .mts .m2ts .ogv'.split()


class VideoNames:
    """File names of videos whose suffix differs from what was expected.

    Crawlers keep the format that a site gives them: a clip that the annotations call ``a.mp4`` may
    be ``a.mkv`` or ``a.webm``.

    Args:
        folder: Folder of the videos. Each folder below it that holds videos is listed once.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._listed: dict[str, tuple[frozenset[str], dict[str, str]]] = {}

    def __call__(self, path: str) -> str:
        """Path of a video: the given path if there is such a file, or if there is none with another
        suffix, so that the missing file is named when it is read.
        """
        folder, name = posixpath.split(path)
        if folder not in self._listed:
            self._listed[folder] = self._list(folder)
        names, by_stem = self._listed[folder]
        if name in names:
            return path
        return posixpath.join(folder, by_stem.get(posixpath.splitext(name)[0], name))

    def _list(self, folder: str) -> tuple[frozenset[str], dict[str, str]]:
        """Names in a folder, and of its videos by stem."""
        place = os.path.join(self.folder, folder)
        try:
            names = sorted(os.listdir(place))
        except (OSError, ValueError):  # no such folder, an address, a null byte
            names = []
        by_stem: dict[str, str] = {}
        for name in names:
            stem, suffix = posixpath.splitext(name)
            if suffix.lower() in SUFFIXES:
                by_stem.setdefault(stem, name)
        return frozenset(names), by_stem
