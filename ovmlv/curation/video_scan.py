"""Probes of many videos: parallel, resumable, with a time limit for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from ovmlv.datasets.video_names import SUFFIXES
from ovmlv.files import read_lines
from ovmlv.version import __version__

from .supervised import Failure, run_supervised
from .video_probe import ProbeTask, VideoFacts, probe_video


def list_videos(folder: str | Path) -> list[str]:
    """Video files under a folder, by their suffix, sorted."""
    return sorted(
        str(path)
        for path in Path(folder).rglob('*')
        if path.suffix.lower() in SUFFIXES and not path.is_dir()
    )


def scan_videos(
    paths: Iterable[str],
    journal: str | Path | None = None,
    full: bool = True,
    min_frames: int = 1,
    num_workers: int = 2,
    time_limit: float = 120.0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict]:
    """Facts of each video, see :func:`~ovmlv.curation.probe_video`.

    A file whose decoding hangs or kills the process is reported like any other.

    Args:
        paths: Paths of the files.
        journal: JSONL file; a scan that was stopped goes on from it. Files that have changed since
            are looked at again.
        full: Whether to decode all frames.
        min_frames: Least number of frames; fewer are a problem.
        num_workers: Number of processes.
        time_limit: Longest time for one file, in seconds.
        progress: Function that is called with the number of files that are done and of all files.

    Returns:
        Path -> facts, in the order of ``paths``.
    """
    paths = list(dict.fromkeys(paths))
    stamps = {path: _stamp(path, full, min_frames) for path in paths}
    known = _read_journal(journal)
    found = {p: known[p]['facts'] for p in paths if known.get(p, {}).get('stamp') == stamps[p]}
    tasks = [ProbeTask(path, full, min_frames) for path in paths if path not in found]
    if progress:
        progress(len(found), len(paths))
    file = None
    if journal is not None and tasks:
        Path(journal).parent.mkdir(parents=True, exist_ok=True)
        file = open(journal, 'a', encoding='utf-8')  # noqa: SIM115  closed below
    try:
        for task, result in run_supervised(probe_video, tasks, num_workers, time_limit):
            if isinstance(result, Failure):
                facts = VideoFacts(task.path, problems=[('unreadable', result.reason)]).as_dict()
            else:
                facts = result
            found[task.path] = json.loads(json.dumps(facts))  # as a resumed scan has it
            if file is not None:
                row = dict(stamp=stamps[task.path], facts=facts)
                file.write(json.dumps(row) + '\n')
                file.flush()
            if progress:
                progress(len(found), len(paths))
    finally:
        if file is not None:
            file.close()
    return {path: found[path] for path in paths}


def _stamp(path: str, full: bool, min_frames: int) -> list:
    """The values that a result depends on."""
    try:
        stat = Path(path).stat()
    except OSError:
        return [__version__, full, min_frames, None]
    return [__version__, full, min_frames, stat.st_size, stat.st_mtime_ns]


def _read_journal(journal: str | Path | None) -> dict[str, dict]:
    """Rows by path. A last line that was cut when the scan was stopped is skipped."""
    rows: dict[str, dict] = {}
    if journal is None or not Path(journal).is_file():
        return rows
    for line in read_lines(journal, 'journal'):
        try:
            row = json.loads(line)
            rows[row['facts']['path']] = row
        except (json.JSONDecodeError, KeyError, TypeError):
            continue
    return rows
