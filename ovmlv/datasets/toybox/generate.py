"""Writes Toybox to disk: real mp4 files and annotations that any reader can open.

Layout::

    root/videos/{train,val,test,test_held_out}/000000.mp4
    root/annotations/{train,val,test,test_held_out}.jsonl   a video a line: video, labels, unknown
    root/annotations/classes.json                           label -> split, kind, group, words, read
    root/annotations/parts.json                             "an axe growing" -> "axe", "growing"
    root/annotations/{test,test_held_out}_{de,es,fr,zh}.jsonl   names of things in other languages
    root/annotations/classes_{de,es,fr,zh}.json             name -> split of its English name
    root/annotations/meta.json                              version, seed and sizes, written last

Videos of ``test_held_out`` are drawn by the family that is in no image of pretraining and in no
video of training.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ovmlv.datasets.motionshapes.generate import write_video
from ovmlv.errors import ConfigError, DataError
from ovmlv.files import read_json, write_json, write_text

from .assets import concepts
from .render import render
from .scene import Scene, sample_scene
from .tracks import FPS
from .words import Label, all_labels, is_apart

#: Raise it with every change of what is drawn, so that older files are not taken for new ones.
VERSION = 4
EXTENT = 80
LANGUAGES = ('de', 'es', 'fr', 'zh')
#: How often the tiny CLIP's captions held an entity's rarest word: lower ends of ranges, and names.
READ_BOUNDS = (1, 180, 300, 600)
READ = ('never_read', 'read_to_180', 'read_to_300', 'read_to_600', 'read_often')
SPLITS = {'train': 0, 'val': 1, 'test': 2, 'test_held_out': 3}


def scene_of(seed: int, split: str, index: int) -> tuple[Scene, np.random.Generator]:
    """The scene of one video, and the generator to draw it with: a function of its name."""
    rng = np.random.default_rng((seed, SPLITS[split], index))
    return sample_scene(rng, EXTENT, held_out=split == 'test_held_out'), rng


def annotation_of(scene: Scene, split: str) -> dict[str, list[str]]:
    """True and unknown labels of a scene; training videos have *seen* labels alone."""
    found: dict[str, list[str]] = dict(labels=[], unknown=[])
    for label in all_labels():
        if split == 'train' and label.split != 'seen':
            continue
        truth = scene.truth(label)
        if truth:
            found['labels' if truth > 0 else 'unknown'].append(label.text)
    return found


def generate(
    root: str | Path,
    sizes: dict[str, int],
    word_counts: Mapping[str, int],
    seed: int = 0,
    num_workers: int = 2,
    progress: Callable | None = None,
) -> bool:
    """Generate the data set, or reuse what is there; more videos than there are can be asked for.

    Args:
        root: The folder to write to.
        sizes: Number of videos of each of :data:`SPLITS` that are wanted at least.
        word_counts: How often the tiny CLIP's captions held each word.
        seed: The same seed gives the same scenes and pictures.
        num_workers: Number of processes that draw and encode.
        progress: Function that wraps the iterator over videos, for instance ``tqdm``.

    Returns:
        Whether anything had to be written.

    Raises:
        ConfigError: A split is unknown.
        DataError: ``root`` holds Toybox of another version or seed.
    """
    root = Path(root)
    unknown = sorted(set(sizes) - set(SPLITS))
    if unknown:
        raise ConfigError(f'sizes: {unknown[0]!r} is none of {", ".join(SPLITS)}')
    meta: dict[str, Any] = dict(version=VERSION, seed=seed, sizes=sizes)
    note = root / 'annotations' / 'meta.json'
    there = read_json(note) if note.exists() else None
    if there and any(there.get(name) != meta[name] for name in ('version', 'seed')):
        raise DataError(f'{root} holds Toybox of {there}, not of {meta}; remove it first')
    _write_parts(root)  # a folder may be of before there was this file
    if there:
        if all(there['sizes'].get(split, 0) >= size for split, size in sizes.items()):
            return False
        # A video is a function of its number, so that those that are there stay as they are.
        old = there['sizes']
        sizes = {s: max(old.get(s, 0), sizes.get(s, 0)) for s in {**old, **sizes}}
        meta['sizes'] = sizes
    jobs = [(root, seed, split, i) for split, size in sizes.items() for i in range(size)]
    for split in sizes:
        (root / 'videos' / split).mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(num_workers) as pool:
        found = pool.map(_write_one, *zip(*jobs, strict=True), chunksize=16)
        rows = list(progress(found, total=len(jobs)) if progress else found)
    of_split: dict[str, list[dict[str, Any]]] = {split: [] for split in sizes}
    for row, (_, _, split, _) in zip(rows, jobs, strict=True):
        of_split[split].append(row)
    for split, own in of_split.items():
        _write_rows(root, split, own)
    attributes = {label.text: attributes_of(label, word_counts) for label in all_labels()}
    write_json(root / 'annotations' / 'classes.json', attributes, indent=1)
    for language in LANGUAGES:
        _write_names(root, of_split, language)
    write_json(note, meta)
    return True


def attributes_of(label: Label, word_counts: Mapping[str, int]) -> dict[str, str]:
    """What is told of a label beside its truth: the columns of a table of results."""
    read = 'no_entity'
    if label.kind == 'entity':
        rarest = min(word_counts.get(word, 0) for word in label.text.lower().split())
        read = READ[bisect.bisect_right(READ_BOUNDS, rarest)]
    words = 'new' if is_apart(label) else 'shared'
    return dict(split=label.split, kind=label.kind, group=label.group, words=words, read=read)


def _write_parts(root: Path) -> None:
    parts = {label.text: label.parts for label in all_labels() if label.parts}
    write_json(root / 'annotations' / 'parts.json', parts, indent=1)


def _write_rows(root: Path, name: str, rows: list[dict[str, Any]]) -> None:
    lines = '\n'.join(map(json.dumps, rows))
    write_text(root / 'annotations' / f'{name}.jsonl', lines + '\n')


def _write_names(root: Path, of_split: dict[str, list[dict[str, Any]]], language: str) -> None:
    """Write which things are in test videos, by their names in another language."""
    names = {concept.name: concept.names[language] for concept in concepts()}
    for split, rows in of_split.items():
        if split.startswith('test'):
            told = [
                dict(
                    video=row['video'],
                    labels=sorted({names[v] for v in row['labels'] if v in names}),
                )
                for row in rows
            ]
            _write_rows(root, f'{split}_{language}', told)
    by_text = {label.text: label for label in all_labels()}
    attributes = {names[name]: dict(split=by_text[name].split) for name in sorted(names)}
    write_json(root / 'annotations' / f'classes_{language}.json', attributes, indent=1)


def _write_one(root: Path, seed: int, split: str, index: int) -> dict[str, Any]:
    path = root / 'videos' / split / f'{index:06d}.mp4'
    scene, rng = scene_of(seed, split, index)
    if not path.exists():
        write_video(path, render(scene, rng), FPS, preset='veryfast')
    return dict(video=f'{split}/{index:06d}.mp4', **annotation_of(scene, split))
