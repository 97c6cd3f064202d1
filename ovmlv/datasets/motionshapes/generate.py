"""Writes MotionShapes to disk: real mp4 files and annotations that any reader can open.

Layout::

    root/videos/{train,val,test}/000000.mp4
    root/annotations/{train,val,test}.jsonl     one video a line: {"video", "labels"}
    root/annotations/classes.json               label -> {"split", "kind", "group"}
    root/annotations/meta.json                  version, seed and sizes, written last
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from ovmlv.errors import ConfigError, DataError
from ovmlv.files import whole_file, write_json, write_text

from .scene import Scene, render_clip, sample_scene
from .world import Label, all_labels

#: Raise it with every change of what is drawn, so that older files are not taken for new ones.
VERSION = 1
SPLITS = {'train': 0, 'val': 1, 'test': 2}
FPS = 8


def scene_of(seed: int, split: str, index: int) -> tuple[Scene, np.random.Generator]:
    """The scene of one video, and the generator to draw it with: a function of its name."""
    rng = np.random.default_rng((seed, SPLITS[split], index))
    return sample_scene(rng, video=True), rng


def labels_of(scene: Scene, split: str) -> list[Label]:
    """What is true of a scene; training videos are annotated with *seen* labels alone."""
    return [
        label
        for label in all_labels()
        if (split != 'train' or label.split == 'seen') and scene.satisfies(label)
    ]


def write_video(
    path: str | Path, frames: np.ndarray, fps: int = FPS, preset: str = 'medium'
) -> None:
    """Write RGB uint8 ``(T, H, W, 3)`` as H.264, whole or not at all."""
    import av

    # Without mbtree: where a processor has AVX-512, x264 with it gives other bytes each time.
    options = {'crf': '18', 'threads': '1', 'preset': preset, 'x264-params': 'mbtree=0'}
    # MP4 whatever the name, as data sets in miniature call their files.
    with whole_file(path) as scratch, av.open(str(scratch), 'w', format='mp4') as container:
        stream = container.add_stream('libx264', rate=fps, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = 'yuv420p'
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())


def _write_one(root: Path, seed: int, split: str, index: int, num_frames: int) -> dict:
    path = root / 'videos' / split / f'{index:06d}.mp4'
    scene, rng = scene_of(seed, split, index)
    if not path.exists():
        write_video(path, render_clip(scene, num_frames, rng))
    return {
        'video': f'{split}/{index:06d}.mp4',
        'labels': [label.text for label in labels_of(scene, split)],
    }


def generate(
    root: str | Path,
    sizes: dict[str, int],
    seed: int = 0,
    num_frames: int = 16,
    num_workers: int = 2,
    progress: Callable | None = None,
) -> bool:
    """Generate the data set, or reuse what is there.

    Args:
        root: The folder to write to.
        sizes: The number of videos of each split in ``train``, ``val`` and ``test``.
        seed: The same seed gives the same scenes and pictures.
        num_frames: The number of frames of a video.
        num_workers: The number of processes that draw and encode.
        progress: Function that wraps the iterator over videos, for instance ``tqdm``.

    Returns:
        Whether anything had to be written.

    Raises:
        ValueError: If a split is unknown, or ``root`` holds another version, seed or size.
    """
    root = Path(root)
    unknown = set(sizes) - set(SPLITS)
    if unknown:
        raise ConfigError(f'unknown split {sorted(unknown)[0]!r}; MotionShapes has {list(SPLITS)}')
    meta = {'version': VERSION, 'seed': seed, 'num_frames': num_frames, 'sizes': sizes}
    meta_file = root / 'annotations' / 'meta.json'
    if meta_file.exists():
        found = json.loads(meta_file.read_text())
        if found == meta:
            return False
        raise DataError(f'{root} holds MotionShapes of {found}, not of {meta}; remove it first')
    meta_file.parent.mkdir(parents=True, exist_ok=True)
    for split in sizes:
        (root / 'videos' / split).mkdir(parents=True, exist_ok=True)
    jobs = [(split, index) for split, size in sizes.items() for index in range(size)]
    with ProcessPoolExecutor(num_workers) as pool:
        found = pool.map(
            _write_one, [root] * len(jobs), [seed] * len(jobs), *zip(*jobs, strict=True),
            [num_frames] * len(jobs), chunksize=16,
        )  # fmt: skip
        rows = list(progress(found, total=len(jobs)) if progress else found)
    for split in sizes:
        lines = [json.dumps(row) for row, job in zip(rows, jobs, strict=True) if job[0] == split]
        write_text(root / 'annotations' / f'{split}.jsonl', '\n'.join(lines) + '\n')
    attributes = {
        label.text: {'split': label.split, 'kind': label.kind, 'group': label.group}
        for label in all_labels()
    }
    write_json(root / 'annotations' / 'classes.json', attributes, indent=1)
    write_json(meta_file, meta)
    return True
