"""Pictures beside results."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ovmlv.errors import ConfigError

from .targets import refuse_unwritable

if TYPE_CHECKING:
    from ovmlv.apis import TagResult

_DRAWN = ('.png', '.jpg', '.jpeg', '.webp')
#: What is drawn -> endings of files, and the ending in a folder.
_KINDS = {
    'video': (('.mp4', '.mov', '.mkv', '.webm'), '.tagged.mp4'),
    'sheet': (_DRAWN, '.sheet.png'),
    'timeline': (_DRAWN, '.timeline.png'),
}


class Pictures:
    """Draws what was asked for.

    A path with the ending of a picture is a file for a single video; a sheet shows all videos of
    the run. Any other path is a folder with one file for each video.

    Args:
        paths: ``video`` for videos with their labels, ``sheet`` for frames beside labels,
            ``timeline`` for labels over time; each is a path or None.
        videos: All videos of the run; in a folder, videos of the same name get a number.
        top_k: Number of labels that are shown; None takes a number that suits the picture.
        threshold: Least probability of labels on videos.
    """

    def __init__(
        self,
        paths: dict[str, str | None],
        videos: Sequence[Path],
        top_k: int | None = None,
        threshold: float | None = None,
    ) -> None:
        self.paths = {kind: Path(path) for kind, path in paths.items() if path is not None}
        self.top_k, self.threshold = top_k, threshold
        self._count = Counter(path.stem.lower() for path in videos)
        self._sheet: list[TagResult] = []
        for kind, path in self.paths.items():
            flag = f'--save-{kind} {path}'
            if not self._is_file(kind):
                if path.is_file():
                    raise ConfigError(f'{flag} is a file; name a folder, or end it with .png')
            elif path.is_dir():
                raise ConfigError(f'{flag} is a folder with the name of a file; name another')
            elif kind != 'sheet' and len(videos) > 1:
                raise ConfigError(f'{flag} is one file for {len(videos)} videos; name a folder')
            elif path.exists() and any(v.exists() and path.samefile(v) for v in videos):
                raise ConfigError(f'{flag} is the video itself; name another file')
            refuse_unwritable(path, f'--save-{kind}', folder=not self._is_file(kind))

    def is_drawn(self, video: Path) -> bool:
        """Whether an earlier run drew this video."""
        folder = self.paths.get('video')
        return (
            folder is not None
            and video.name.endswith(_KINDS['video'][1])
            and video.parent.resolve() == folder.resolve()
        )

    def draw(self, result: TagResult) -> None:
        """Draw a video's pictures before its result is written, so that a kill leaves none out."""
        if 'video' in self.paths:
            from ovmlv.visualization.annotated_video import write_annotated_video

            out = self._target('video', result.video)
            write_annotated_video(result.video, result, out, self.top_k or 5, self.threshold)
        if 'timeline' in self.paths:
            from ovmlv.visualization.timeline import draw_timeline

            draw_timeline(result, self._target('timeline', result.video), self.top_k or 12)
        if 'sheet' in self.paths and not self._is_file('sheet'):
            self._draw_sheet([result], self._target('sheet', result.video))

    def collect(self, result: TagResult) -> None:
        """Note a written result, or a video that could not be read, for the sheet of all videos."""
        if 'sheet' in self.paths and self._is_file('sheet'):
            self._sheet.append(result)

    def finish(self) -> None:
        """Draw the sheet of all videos."""
        if self._sheet:
            self._draw_sheet(self._sheet, self._made('sheet'))

    def _draw_sheet(self, results: Sequence[TagResult], out: Path) -> None:
        from ovmlv.visualization.result_sheet import write_contact_sheet

        write_contact_sheet(results, out, self.top_k or 5)

    def _is_file(self, kind: str) -> bool:
        return self.paths[kind].suffix.lower() in _KINDS[kind][0]

    def _made(self, kind: str) -> Path:
        path = self.paths[kind]
        (path.parent if self._is_file(kind) else path).mkdir(parents=True, exist_ok=True)
        return path

    def _target(self, kind: str, video: str) -> Path:
        path = self._made(kind)
        if self._is_file(kind):
            return path
        name = Path(video).stem
        if self._count[name.lower()] > 1:
            digest = hashlib.blake2b(os.fsencode(os.path.abspath(video)), digest_size=4)
            name = f'{name}-{digest.hexdigest()}'
        return path / f'{name}{_KINDS[kind][1]}'
