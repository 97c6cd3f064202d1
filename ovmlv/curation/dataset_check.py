"""A check of data sets: of their videos, segments and classes, and of what they share."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ovmlv.datasets.base_segment_dataset import BaseSegmentDataset
from ovmlv.datasets.base_video_dataset import BaseVideoDataset
from ovmlv.files import write_text

# Seconds that a label may reach past the last frame: annotations are rounded.
_SLACK = 0.1


@dataclass
class DatasetReport:
    """Findings; all are empty if nothing is wrong.

    Attributes:
        splits: Name -> ``samples``, ``videos``, ``positives`` (label -> number of samples) and
            ``without_positives`` (labels).
        videos: path -> what :func:`~ovmlv.curation.probe_video` found.
        past_end: Labels past the end of their video: split, video, start, end, duration.
        shared_ids: Videos of more than one split, by their id: id -> splits.
        same_content: Lists of paths of files with equal content (under other names).
        shared_content: Those of these lists whose files are in different splits.
    """

    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    videos: dict[str, dict] = field(default_factory=dict)
    past_end: list[dict[str, Any]] = field(default_factory=list)
    shared_ids: dict[str, list[str]] = field(default_factory=dict)
    same_content: list[list[str]] = field(default_factory=list)
    shared_content: list[list[str]] = field(default_factory=list)

    @property
    def problems(self) -> dict[str, list[tuple[str, str]]]:
        """kind -> (path, detail)."""
        kinds: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for path, facts in self.videos.items():
            for kind, detail in facts['problems']:
                kinds[kind].append((path, detail))
        return dict(kinds)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong (notes and classes without a positive are not wrong)."""
        return not (self.problems or self.past_end or self.shared_ids or self.shared_content)

    def save(self, folder: str | Path) -> None:
        """Write ``report.json`` and ``report.txt``, whole or not at all."""
        folder = Path(folder)
        content = dict(asdict(self), problems=self.problems)
        for name, text in (
            ('report.json', json.dumps(content, indent=1, ensure_ascii=False)),
            ('report.txt', self.text(limit=None)),
        ):
            write_text(folder / name, text + '\n')

    def text(self, limit: int | None = 20) -> str:
        """The report as text.

        Args:
            limit: Number of rows of each kind; None takes all of them.
        """
        bad = sum(bool(facts['problems']) for facts in self.videos.values())
        lines = [f'{len(self.videos)} videos: {len(self.videos) - bad} fine, {bad} with problems']
        for kind, found in self.problems.items():
            lines += _section(f'{kind}: {len(found)}', [f'{p}: {d}' for p, d in found], limit)
        notes = [f'{p}: {n}' for p, facts in self.videos.items() for n in facts['notes']]
        lines += _section(f'to know: {len(notes)} notes', notes, limit)
        for name, split in self.splits.items():
            counts = sorted(split['positives'].values())
            lines.append(
                f'{name}: {split["samples"]} samples of {split["videos"]} videos, '
                f'{len(counts)} classes with {counts[0]} to {counts[-1]} positives '
                f'(median {np.median(counts):g})'
            )
            absent = split['without_positives']
            lines += _section(f'{name}: {len(absent)} classes without a positive', absent, limit)
        rows = [
            '{split}: {video} [{start:g}, {end:g}] s, but the video ends at {duration:g} s'.format(
                **row
            )
            for row in self.past_end
        ]
        lines += _section(f'labels past the end of their video: {len(rows)}', rows, limit)
        rows = [f'{name}: {", ".join(splits)}' for name, splits in self.shared_ids.items()]
        lines += _section(f'videos of several splits, by their ids: {len(rows)}', rows, limit)
        rows = [' = '.join(group) for group in self.shared_content]
        lines += _section(f'the same file in several splits: {len(rows)}', rows, limit)
        rows = [' = '.join(group) for group in self.same_content]
        lines += _section(f'the same file under several names: {len(rows)}', rows, limit)
        return '\n'.join(lines)


def _section(title: str, rows: Sequence[str], limit: int | None) -> list[str]:
    """A heading and its rows; nothing if there are no rows."""
    if not rows:
        return []
    more = [] if limit is None or len(rows) <= limit else [f'  ... and {len(rows) - limit} more']
    return [title, *(f'  {row}' for row in rows[:limit]), *more]


def check_dataset(
    datasets: Mapping[str, BaseVideoDataset], videos: Mapping[str, dict]
) -> DatasetReport:
    """Compare annotations with each other and with the videos.

    Args:
        datasets: Split -> data set; pipelines are not used.
        videos: Result of :func:`~ovmlv.curation.scan_videos` of their files.
    """
    report = DatasetReport(videos=dict(videos))
    splits_of_id: dict[str, set[str]] = defaultdict(set)
    splits_of_file: dict[str, set[str]] = defaultdict(set)
    for name, dataset in datasets.items():
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        classes = dataset.metainfo['classes']
        positives = sum(((info['label'] == 1) for info in infos), np.zeros(len(classes), int))
        counts = dict(zip(classes, positives.tolist(), strict=True))
        files = {info['filename'] for info in infos}
        report.splits[name] = dict(
            samples=len(infos),
            videos=len(files),
            positives=counts,
            without_positives=[label for label, count in counts.items() if not count],
        )
        for info in infos:
            splits_of_id[info['video_id']].add(name)
            splits_of_file[info['filename']].add(name)
        report.past_end += [
            dict(row, split=name) for row in _past_end(dataset, infos, report.videos)
        ]
    report.shared_ids = {
        video: sorted(splits) for video, splits in sorted(splits_of_id.items()) if len(splits) > 1
    }
    by_content: dict[str, list[str]] = defaultdict(list)
    for path, facts in videos.items():
        if facts['digest']:
            by_content[facts['digest']].append(path)
    for group in by_content.values():
        if len(group) > 1:
            report.same_content.append(group)
            if len({frozenset(splits_of_file[path]) for path in group}) > 1:
                report.shared_content.append(group)
    return report


def _past_end(
    dataset: BaseVideoDataset, infos: Sequence[dict], videos: Mapping[str, dict]
) -> list[dict[str, Any]]:
    """Segments of the annotation file, before readers cut them, that the video does not reach."""
    ends = {path: facts['duration'] for path, facts in videos.items() if facts['duration']}
    spans: list[tuple[str, float, float]] = []
    if isinstance(dataset, BaseSegmentDataset):
        for timeline in dataset.read_timelines():
            folder = dataset.data_prefix.get('video', '')
            path = os.path.join(folder, timeline.video)  # noqa: PTH118  a name as data sets make it
            spans += [(path, s.start, s.end) for s in timeline.segments]
    else:
        spans = [(i['filename'], *i['segment']) for i in infos if i.get('segment')]
    seen = Counter(spans)  # the same span with several labels is one row
    return [
        dict(video=path, start=start, end=end, duration=ends[path])
        for path, start, end in seen
        if path in ends and end > ends[path] + _SLACK
    ]
