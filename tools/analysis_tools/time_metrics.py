"""Time average precision beside a loop over scikit-learn's ``average_precision_score``.

    python tools/analysis_tools/time_metrics.py [--videos 10000] [--labels 1000] [--require 20]

Both run in one thread on the same scores, as (videos, labels) float32 or float64 and int64 targets,
including the checks of the input. The time is the CPU time of the process, which other programs on
the machine disturb least; the best of --repeat runs counts. The largest difference over all labels
is printed too. The first line is the usual case, 1.5 % positives; the other lines are harder cases.

Exit status: 1 if the first line is below --require or a difference is above 1e-9.
"""

from __future__ import annotations

import argparse
import os
import sys

for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'  # before the libraries are loaded

import functools  # noqa: E402
import platform  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from importlib.metadata import version  # noqa: E402

import numpy as np  # noqa: E402
from sklearn.metrics import average_precision_score  # noqa: E402

from ovmlv.utils.cli import add_debug_argument, make_parser  # noqa: E402
from ovmlv.utils.error_door import run_tool  # noqa: E402

Problem = tuple[str, np.ndarray, np.ndarray]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('--videos', type=int, default=10_000, help='default: %(default)s')
    parser.add_argument('--labels', type=int, default=1_000, help='default: %(default)s')
    parser.add_argument(
        '--positives', type=float, default=0.015, help='share of positives (default: %(default)s)'
    )
    parser.add_argument('--repeat', type=int, default=3, help='default: %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument('--first', action='store_true', help='only the first line')
    parser.add_argument('--require', type=float, help='least ratio of the first line')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def problems(args: argparse.Namespace) -> Iterator[Problem]:
    """Name, scores and targets of each line."""
    random = np.random.default_rng(args.seed)
    shape = args.videos, args.labels
    targets = (random.random(shape) < args.positives).astype(np.int64)
    # Positives score higher, most probabilities are near 0, as a model's are.
    logits = random.normal(size=shape) * 2 - 4 + 3 * targets
    probabilities = 1 / (1 + np.exp(-logits))
    share = f'{args.positives:.3g} positive'
    yield f'probabilities, float32, {share}', probabilities.astype(np.float32), targets
    yield f'the same in float64, {share}', probabilities, targets
    yield f'logits, float32, {share}', logits.astype(np.float32), targets
    uniform = random.random(shape, dtype=np.float32)
    yield f'noise without signal, float32, {share}', uniform, targets
    yield f'100 different scores (ties), float32, {share}', uniform.round(2), targets
    yield '0.3 positive, float32', uniform, (random.random(shape) < 0.3).astype(np.int64)


def best_time(function: Callable[[], np.ndarray], repeat: int) -> tuple[float, np.ndarray]:
    """Least CPU seconds of several runs, and the value."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        value = function()
        times.append(time.process_time() - start)
    return min(times), value


def by_scikit_learn(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Average precision of each label, one after the other, ``(C,)``."""
    columns = zip(targets.T, scores.T, strict=True)
    return np.array([average_precision_score(t, s) for t, s in columns])


def main(args: argparse.Namespace) -> int:
    import torch

    from ovmlv.benchmarking.results import processor_name
    from ovmlv.evaluation.functional import average_precision

    torch.set_num_threads(1)
    packages = ('numpy', 'torch', 'scikit-learn')
    print(f'{processor_name()}, {platform.system()}, Python {platform.python_version()}')
    print('  '.join(f'{name} {version(name)}' for name in packages))
    print(f'{args.videos} videos x {args.labels} labels, one thread, best of {args.repeat}\n')
    print(f'{"":<52}{"scikit-learn":>13}{"ovmlv":>10}{"ratio":>8}{"difference":>12}')
    first, worst = None, 0.0
    for name, scores, targets in problems(args):
        pair = torch.from_numpy(scores), torch.from_numpy(targets)
        loop = functools.partial(by_scikit_learn, scores, targets)
        theirs, expected = best_time(loop, args.repeat)
        ours, found = best_time(lambda pair=pair: average_precision(*pair).numpy(), args.repeat)
        counts = targets.any(0)  # scikit-learn says 0 of a label without positives, ovmlv NaN
        difference = np.abs(found - expected)[counts].max(initial=0.0)
        ratio = theirs / ours
        first = ratio if first is None else first
        worst = max(worst, difference)
        print(f'{name:<52}{theirs:>11.2f} s{ours:>8.3f} s{ratio:>8.1f}{difference:>12.1e}')
        if args.first:
            break
    return int(worst > 1e-9 or (args.require is not None and first < args.require))


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
