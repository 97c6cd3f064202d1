"""Rows of starts: what a command takes until it has done the least that it can be asked for.

Every run is a process of its own, and its processor time counts, with that of its workers. The
files that it reads are warm. ``--beside`` names the folder of another checkout (``git worktree add
/tmp/before HEAD~3``), whose commands take turns with those of this one; both must give the same.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .side_by_side import Row, Side

_HERE = Path(__file__).resolve().parents[2]
_VIDEOS = dict(train=32, val=1, test=32)
_LABELS = ('a red circle', 'a star spinning', 'a blue square moving left')
#: A third of the start is the goal.
_GOAL = 1 / 3


def rows(args: argparse.Namespace) -> Iterator[Row]:
    """A row for each command; those with a language model also with its states kept on disk."""
    folder = (args.out / 'start').resolve()
    data = folder / 'data'  # no name of a model, which a folder here would hide
    sizes = [word for name, count in _VIDEOS.items() for word in (f'--{name}', count)]
    _call(_HERE, folder, 'tools/data/motionshapes/generate_videos.py', '--out-dir', data, *sizes)
    roots = [f'{part}_dataloader.dataset.data_root={data}' for part in _VIDEOS]
    one_step = [
        *roots, 'train_cfg.max_epochs=1', 'default_hooks.checkpoint=None',
        'default_hooks.logger.interval=1',
    ]  # fmt: skip
    kept = f'model.head.readout.cache_dir={folder / "states"}'
    llm, video = _config('ovmlv_motionshapes'), data / 'videos' / 'test' / '000000.mp4'
    tag = ('-m', 'ovmlv', 'tag', video, '--labels', *_LABELS, '--model')
    test = ('tools/test.py', _config('zeroshot_motionshapes'), '--cfg-options', roots[-1])
    train = ('tools/train.py', llm, '--no-validate', '--cfg-options', *one_step)
    commands: dict[str, tuple[Callable[..., Any], Sequence[Any]]] = {
        'test of 32 videos': (_metrics, test),
        'training of one step, language model': (_losses, train),
        'training of one step, states of labels kept': (_losses, (*train, kept)),
        'tag a video': (_tags, (*tag, 'motionshapes')),
        'tag a video, language model': (_tags, (*tag, llm)),
        'tag a video, states of labels kept': (_tags, (*tag, llm, '--cfg-options', kept)),
    }
    places = {'ovmlv': _HERE}
    if args.beside is not None:
        places = {str(args.beside): args.beside.resolve(), **places}
    for name, (read, command) in commands.items():
        sides = [
            Side(
                side, functools.partial(read, place, folder, command),
                _GOAL if place == _HERE and len(places) > 1 else None,
            )
            for side, place in places.items()
        ]  # fmt: skip
        yield Row(f'start: {name}', sides, _check, processes=True)


def _config(name: str) -> str:
    """A config of the checkout that runs, whichever it is."""
    return f'ovmlv::{name}.py'


def _check(found: dict[str, Any]) -> str:
    first, *others = found.values()
    assert all(other == first for other in others), found
    return f'the same results: {str(first)[:120]}' if others else f'results: {str(first)[:120]}'


def _call(place: Path, folder: Path, *command: Any) -> str:
    """What a command of a checkout prints."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [str(place / word) if str(word).startswith('tools/') else str(word) for word in command]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(place)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _metrics(place: Path, folder: Path, command: Sequence[Any]) -> dict[str, str]:
    """The metrics of a test, as text, in which nan equals nan."""
    out = folder / 'metrics.json'
    _call(place, folder, *command[:2], '--work-dir', folder / 'test', '--out', out, *command[2:])
    metrics = json.loads(out.read_text(encoding='utf-8'))
    return {name: str(value) for name, value in metrics.items() if not name.endswith('time')}


def _losses(place: Path, folder: Path, command: Sequence[Any]) -> dict[str, float]:
    """Loss and length of the gradient of a training's only step."""
    work = folder / 'train'
    before = set(work.glob('*/vis_data/scalars.json'))
    _call(place, folder, *command[:2], '--work-dir', work, *command[2:])
    (file,) = set(work.glob('*/vis_data/scalars.json')) - before
    logged = json.loads(file.read_text(encoding='utf-8').splitlines()[0])
    return {name: logged[name] for name in ('loss', 'grad_norm')}


def _tags(place: Path, folder: Path, command: Sequence[Any]) -> str:
    return _call(place, folder, *command)
