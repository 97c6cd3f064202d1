"""Pictures beside results, one file a video."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ovmlv.errors import ConfigError

if TYPE_CHECKING:
    from ovmlv.apis import TagResult


class Pictures:
    """Draws what was asked for.

    Args:
        video: Folder for videos with their labels.
        sheet: Folder for sheets of frames.
        timeline: Folder for timelines.
        videos: All videos of the run; those of the same name get a number of their own.
    """

    def __init__(
        self,
        video: str | None,
        sheet: str | None,
        timeline: str | None,
        videos: Sequence[Path],
    ) -> None:
        self.folders = dict(video=video, sheet=sheet, timeline=timeline)
        for kind, folder in self.folders.items():
            if folder is not None and Path(folder).exists() and not Path(folder).is_dir():
                raise ConfigError(f'--save-{kind} {folder} is a file; name a folder')
        self._count = Counter(path.stem.lower() for path in videos)

    def draw(self, result: TagResult, top_k: int | None, threshold: float | None) -> None:
        """Draw one result."""
        if self.folders['video'] is not None:
            from ovmlv.visualization.annotated_video import write_annotated_video

            out = self._path('video', result.video, '.mp4')
            write_annotated_video(result.video, result, out, top_k or 5, threshold)
        if self.folders['sheet'] is not None:
            from ovmlv.visualization.result_sheet import write_contact_sheet

            write_contact_sheet(
                [result], self._path('sheet', result.video, '.sheet.png'), top_k or 5
            )
        if self.folders['timeline'] is not None:
            from ovmlv.visualization.timeline import draw_timeline

            draw_timeline(
                result, self._path('timeline', result.video, '.timeline.png'), top_k or 12
            )

    def _path(self, kind: str, video: str, ending: str) -> Path:
        name = Path(video).stem
        if self._count[name.lower()] > 1:
            digest = hashlib.blake2b(os.fsencode(os.path.abspath(video)), digest_size=4)
            name = f'{name}-{digest.hexdigest()}'
        folder = Path(self.folders[kind])
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f'{name}{ending}'
