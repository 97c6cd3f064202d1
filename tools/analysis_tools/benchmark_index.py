"""Measure a video index: that a kill loses nothing, what it costs, and how fast it answers.

    python tools/analysis_tools/benchmark_index.py videos work_dirs/index --count 2000
    python tools/analysis_tools/benchmark_index.py windows work_dirs/index --count 1000000

`videos` generates videos of MotionShapes, one in twenty of them damaged, indexes them by the
command line, kills that three times, and compares what it finds with OVMLVInferencer. `windows`
fills an index with synthetic embeddings of 512 numbers and searches it for 32 labels, exactly and
approximately. Both print and write what they measure (videos.json, windows.json). Nothing else
should run on the machine; seconds of processor time are told beside those of the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ovmlv.files import write_json
from ovmlv.utils.cli import make_parser

if TYPE_CHECKING:
    from ovmlv.index import VideoIndex
    from ovmlv.index.settings import IndexSettings
    from ovmlv.index.snapshot import Snapshot

MODEL = 'motionshapes'
LABELS, DIMENSIONS = 32, 512
WINDOWS_A_VIDEO = 20
CONCEPTS = 4000
_ROUNDING = 1e-4  # of sums in another order, whose values are up to 40


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument('what', choices=('videos', 'windows', 'search'), help='see above')
    parser.add_argument('folder', type=Path, help='where to work')
    parser.add_argument('--count', type=int, default=2000, help='videos, or windows')
    parser.add_argument('--compare', type=int, default=200, help='videos to compare')
    parser.add_argument('--sizes', type=int, nargs='*', default=[100, 400, 2000], help='for growth')
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    found = dict(videos=measure_videos, windows=measure_windows, search=search_windows)[args.what](
        args
    )
    write_json(args.folder / f'{args.what}.json', found, indent=1)
    print(json.dumps(found, indent=1))


# --- videos --------------------------------------------------------------------------------------


def measure_videos(args: argparse.Namespace) -> dict:
    from ovmlv.apis import OVMLVInferencer
    from ovmlv.index import VideoIndex

    good, bad = make_videos(args.folder / 'videos', args.count)
    folder = args.folder / 'index'
    shutil.rmtree(folder, ignore_errors=True)
    found: dict = dict(videos=args.count, damaged=len(bad))
    found['kills_at'] = add_with_kills(args.folder / 'videos', folder, args.count)
    index = VideoIndex.open(folder, OVMLVInferencer(MODEL, device='cpu'))
    rows = [row.path for row in index.snapshot.videos]
    assert sorted(rows) == sorted(map(str, good)), 'a good video is missing, or there twice'
    assert set(index.status().unread) == set(map(str, bad)), 'a damaged video is not reported'
    assert not index.verify(), index.verify()[:3]
    found['each_good_video_once'] = True
    found['bytes_a_video_hour'] = round(index.status().bytes / index.status().seconds * 3600)
    decoded = index.inferencer.num_decoded
    more = args.folder / 'videos' / 'more'
    shutil.rmtree(more, ignore_errors=True)
    make_ten(more)
    found['adding_10_encodes'] = index.add(args.folder / 'videos').encoded
    assert index.inferencer.num_decoded - decoded == found['adding_10_encodes'] == 10
    decoded = index.inferencer.num_decoded
    labels = [
        f'{color} thing number {i}' for i in range(250) for color in 'red blue old new'.split()
    ]
    started = time.perf_counter(), time.process_time()
    index.find_each(labels, top=10)
    seconds = [round(b - a, 2) for a, b in zip(started, (time.perf_counter(), time.process_time()))]
    found['seconds_for_1000_labels'], found['processor_seconds_for_1000_labels'] = seconds
    found['decoded_for_1000_labels'] = index.inferencer.num_decoded - decoded
    assert not found['decoded_for_1000_labels']
    found['largest_difference'] = compare(index, good[: args.compare], labels[:50])
    assert found['largest_difference'] < 1e-3
    found['growth'] = measure_growth(args, good)
    return found


def make_videos(folder: Path, count: int) -> tuple[list[Path], list[Path]]:
    """Good and damaged videos; what is there is used again."""
    from ovmlv.datasets.motionshapes.generate import generate

    generate(folder, dict(test=count), seed=7, num_frames=16)
    shutil.rmtree(folder / 'more', ignore_errors=True)
    paths = sorted((folder / 'videos').rglob('*.mp4'))
    bad = paths[::20]
    for number, path in enumerate(bad):
        data = path.read_bytes()
        if len(data) > 400:
            kinds = (data[: len(data) // 3], b'', b'no video\n' * 20)
            path.write_bytes(kinds[number % 3][:400])
    return [path.absolute() for path in paths if path not in set(bad)], [p.absolute() for p in bad]


def make_ten(more: Path) -> None:
    """Ten videos that are not there yet."""
    from ovmlv.datasets.motionshapes.generate import scene_of, write_video
    from ovmlv.datasets.motionshapes.scene import render_clip

    more.mkdir()
    for number in range(10):
        scene, rng = scene_of(8, 'test', number)
        write_video(more / f'{number}.mp4', render_clip(scene, 16, rng))


def add_with_kills(videos: Path, folder: Path, count: int) -> list[int]:
    """Run the command and kill it by SIGKILL when a quarter, a half and three quarters are in."""
    from ovmlv.index.lance_tables import LanceTables

    command = [sys.executable, '-m', 'ovmlv', 'index', 'add', str(videos), '--index', str(folder)]
    command += ['--model', MODEL, '--device', 'cpu', '--window', '2', '--commit-seconds', '0.5']
    killed = []
    for part in (1, 2, 3, None):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while part is not None and process.poll() is None:
            time.sleep(random.uniform(0.05, 0.3))
            if not (folder / 'index.json').is_file():
                continue
            rows = LanceTables(folder, 128).videos.count_rows()
            if rows >= part * count // 4:
                os.kill(process.pid, signal.SIGKILL)
                killed.append(rows)
                break
        process.wait()
    assert len(killed) == 3 and process.returncode == 3, (killed, process.returncode)
    return killed


def compare(index: VideoIndex, videos: list[Path], labels: list[str]) -> float:
    """Largest difference of probabilities from those of the inferencer on the files."""
    wanted = index.inferencer.iterate(videos, labels, window=index.settings.reading.window)
    pairs = zip(wanted, index.tag(labels, videos), strict=True)
    return float(max(np.abs(a.probabilities - b.probabilities).max() for a, b in pairs))


def measure_growth(args: argparse.Namespace, good: list[Path]) -> dict:
    """Cost of indices of several sizes, and the exponent of the seconds in the number of videos."""
    from ovmlv.apis import OVMLVInferencer
    from ovmlv.index import VideoIndex

    inferencer = OVMLVInferencer(MODEL, device='cpu')
    rows = []
    for size in sorted({min(size, len(good)) for size in args.sizes}):
        folder = args.folder / f'index_{size}'
        shutil.rmtree(folder, ignore_errors=True)
        started = time.perf_counter(), time.process_time()
        index = VideoIndex.create(folder, inferencer, window=2.0)
        report = index.add(good[:size])
        clock, processor = time.perf_counter() - started[0], time.process_time() - started[1]
        cost = {f'{k}_seconds_a_video_minute': round(v, 3) for k, v in report.cost().items()}
        index.optimize()
        size_on_disk = index.status().bytes
        rows.append(
            dict(
                videos=size,
                seconds=round(clock, 2),
                processor_seconds=round(processor, 2),
                bytes=size_on_disk,
                bytes_a_video_hour=round(size_on_disk / report.video_seconds * 3600),
                **cost,
            )
        )
    sizes = np.log([row['videos'] for row in rows])
    fit = {
        name: round(float(np.polyfit(sizes, np.log([row[name] for row in rows]), 1)[0]), 3)
        for name in ('seconds', 'processor_seconds', 'bytes')
        if len(rows) > 1
    }
    return dict(rows=rows, exponents=fit)


# --- windows -------------------------------------------------------------------------------------


def make_concepts() -> np.ndarray:
    """What the synthetic videos are about."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((CONCEPTS, DIMENSIONS)).astype(np.float32)


def make_texts() -> np.ndarray:
    """Unit vectors of labels, near some of the concepts."""
    rng = np.random.default_rng(2)
    text = make_concepts()[:LABELS]
    text = text + 0.6 * rng.standard_normal(text.shape).astype(np.float32)
    return text / np.linalg.norm(text, axis=1, keepdims=True)


def synthetic(rng: np.random.Generator, concepts: np.ndarray, videos: int) -> np.ndarray:
    """Windows of videos: unit vectors near concepts, the windows of a video near each other."""
    about = concepts[rng.integers(len(concepts), size=videos)]
    own = about + 0.7 * rng.standard_normal(about.shape, np.float32)
    each = own.repeat(WINDOWS_A_VIDEO, 0)
    each += 0.4 * rng.standard_normal(each.shape, np.float32)
    return (each / np.linalg.norm(each, axis=1, keepdims=True)).astype(np.float16)


def measure_windows(args: argparse.Namespace) -> dict:
    """Fill an index, then search it in a process of its own, whose memory is measured."""
    from ovmlv.index.fragment import EncodedWindows, Fragment
    from ovmlv.index.index_writer import IndexWriter
    from ovmlv.index.video_rows import VideoRow

    folder = args.folder / 'million'
    rng = np.random.default_rng(0)
    concepts = make_concepts()
    num_videos = args.count // WINDOWS_A_VIDEO
    started = time.perf_counter()
    if not (folder / 'index.json').is_file():
        shutil.rmtree(folder, ignore_errors=True)
        times = np.arange(WINDOWS_A_VIDEO) * 4.0
        with IndexWriter(folder, synthetic_settings()) as writer:
            for first in range(0, num_videos, 2000):
                block = synthetic(rng, concepts, min(2000, num_videos - first))
                videos = [
                    EncodedWindows(
                        VideoRow(f'/videos/{n:07}.mp4', 1, 1, f'{n:032x}', 80.0, 25.0, len(times)),
                        times,
                        times + 4.0,
                        part,
                        [None] * len(times),
                    )
                    for n, part in enumerate(np.split(block, len(block) // WINDOWS_A_VIDEO), first)
                ]
                writer.commit(Fragment(tuple(videos)))
            writer.tidy(whole=True)
    written = time.perf_counter() - started
    size = sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())
    command = [sys.executable, __file__, 'search', str(args.folder), '--count', str(args.count)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found = json.loads((args.folder / 'search.json').read_text())
    whole = sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())
    return dict(
        windows=num_videos * WINDOWS_A_VIDEO,
        write_seconds=round(written, 1),
        bytes=size,
        bytes_with_approximate_index=whole,
        **found,
    )


def synthetic_settings() -> IndexSettings:
    from ovmlv.index.settings import IndexSettings, ModelName, Reading

    encoder = dict(
        type='Synthetic', fingerprint='0', settings={}, embed_dim=DIMENSIONS, average_views='score'
    )
    return IndexSettings(encoder, Reading(4.0, None, None, None, '[]'), ModelName(), 0)


def search_windows(args: argparse.Namespace) -> dict:
    """Exact search, equal to brute force; then the approximate one."""
    import torch

    from ovmlv.apis import open_model
    from ovmlv.index.approximate_search import build, measure, search_approximately
    from ovmlv.index.exact_search import Question, search
    from ovmlv.index.label_logits import LabelLogits
    from ovmlv.index.lance_tables import LanceTables
    from ovmlv.index.query import Query
    from ovmlv.index.snapshot import Snapshot

    torch.set_num_threads(2)  # as on a machine with two cores
    folder, settings = args.folder / 'million', synthetic_settings()
    model = open_model(MODEL, device='cpu')
    labels = [f'label {i}' for i in range(LABELS)]
    queries = [Query.of(label) for label in labels]
    logits = LabelLogits(model, None, torch.from_numpy(make_texts()))
    question = Question(100)
    snapshot = Snapshot(folder, settings)
    search(snapshot, logits, labels, queries, question)  # warm-up
    clock, processor, exact = timed(lambda: search(snapshot, logits, labels, queries, question))
    found: dict = dict(exact_seconds=clock, exact_processor_seconds=processor)
    found['exact_memory_bytes'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    brute = brute_force(snapshot, logits.vectors.numpy())
    found['equal_to_brute_force'] = all(
        np.array_equal(np.sort(values)[::-1], values)
        and np.allclose(values - logits.bias, scores[windows], atol=_ROUNDING)
        and float(values.min()) - logits.bias >= np.partition(scores, -100)[-100] - _ROUNDING
        for (windows, values), scores in zip(exact, brute, strict=True)
    )
    assert found['equal_to_brute_force']
    del brute
    started = time.perf_counter(), time.process_time()
    parts = build(LanceTables(folder, DIMENSIONS), DIMENSIONS, len(snapshot))
    found['build_seconds'] = round(time.perf_counter() - started[0], 1)
    found['build_processor_seconds'] = round(time.process_time() - started[1], 1)
    snapshot = Snapshot(folder, settings)
    near = measure(snapshot, logits, labels, parts, 0.95, f'{LABELS} synthetic labels')

    def approximately() -> object:
        return search_approximately(snapshot, logits, labels, queries, question, near)

    approximately()
    clock, processor, _ = timed(approximately)
    found.update(approximate_seconds=clock, approximate_processor_seconds=processor)
    found.update(partitions=parts, probes=near.probes, candidates=near.candidates)
    found['recall_at_100'] = near.recall
    found['times_faster'] = round(found['exact_seconds'] / clock, 1)
    found['times_less_processor_time'] = round(found['exact_processor_seconds'] / processor, 1)
    return found


def brute_force(snapshot: Snapshot, vectors: np.ndarray) -> np.ndarray:
    """All products ``(32, N)`` by NumPy."""
    parts = [vectors @ part.astype(np.float32).T for _, part in snapshot.chunks()]
    return np.concatenate(parts, 1)


def timed(work: Callable[[], Any], rounds: int = 5) -> tuple[float, float, Any]:
    """Least seconds of the clock and of the processors over some rounds, and the last result."""
    clock, processor = [], []
    for _ in range(rounds):
        started = time.perf_counter(), time.process_time()
        result = work()
        clock.append(time.perf_counter() - started[0])
        processor.append(time.process_time() - started[1])
    return round(min(clock), 3), round(min(processor), 3), result


if __name__ == '__main__':
    main()
