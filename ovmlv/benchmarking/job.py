"""One row with one seed, in a process of its own: train or go on training, test, write the result.

The scheduler starts it as ``python -m ovmlv.benchmarking.job JOB.json``.
"""

from __future__ import annotations

import bisect
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from ovmlv.errors import CheckpointError, ConfigError, DataError
from ovmlv.files import parse_json, read_lines, write_text
from ovmlv.utils.file_lock import lock_file

from .results import config_digest, machine, versions, write_json

_COST_BATCHES = 4


@dataclass(frozen=True, eq=False)
class Job:
    """What to run, and where.

    Attributes:
        suite: Name of the suite.
        row: Name of the row.
        seed: The seed.
        config: Config file.
        options: Changes of the config.
        train: Whether to train.
        validate: Whether to validate during training.
        budget_seconds: Time after which training ends; None leaves this to the config.
        work_dir: Folder for logs and checkpoints.
        result: File to write.
        after: Work folder whose weights are tested; empty if there is none.
        convert: Command that makes the weights to test out of those.
        cost_steps: Number of steps on a few batches that measure the cost of a step; then nothing
            is tested.
    """

    suite: str
    row: str
    seed: int
    config: str
    work_dir: str
    result: str
    options: Mapping[str, Any] = field(default_factory=dict)
    train: bool = True
    validate: bool = False
    budget_seconds: float | None = None
    after: str = ''
    convert: tuple[str, ...] = ()
    cost_steps: int = 0

    @property
    def name(self) -> str:
        """Name of the job for people."""
        return f'{self.row} {"cost" if self.cost_steps else f"seed {self.seed}"}'


def job_config(job: Job) -> Any:
    """The config of a job, with all that the benchmark changes in it."""
    from ovmlv.utils.configs import load_config

    cfg = load_config(job.config, job.options)
    for key in ('test_dataloader', 'test_cfg', 'test_evaluator'):
        if cfg.get(key) is None:
            raise ConfigError(f'{job.config} has no {key}; a benchmark tests every row')
    cfg.launcher = 'none'
    cfg.work_dir = job.work_dir
    cfg.randomness = {**(cfg.get('randomness') or {}), 'seed': job.seed}
    if not job.train:
        for key in ('train_cfg', 'train_dataloader', 'optim_wrapper', 'param_scheduler'):
            cfg[key] = None
    if not (job.train and job.validate):
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if job.train:
        hooks = [*(cfg.get('custom_hooks') or [])]
        if job.budget_seconds is not None:
            hooks.append(dict(type='ovmlv.TimeBudgetHook', seconds=job.budget_seconds))
        cfg.custom_hooks = hooks
        saver = (cfg.get('default_hooks') or {}).get('checkpoint')
        if saver is not None and saver.get('max_keep_ckpts', -1) == 1:
            # mmengine removes the old one before it writes the new one: a kill would lose both.
            saver.max_keep_ckpts = 2
    if job.cost_steps:
        _shorten(cfg, job.cost_steps)
    return cfg


def _shorten(cfg: Any, steps: int) -> None:
    """Train on four batches again and again: the median step is one with full caches."""
    loader = cfg.train_dataloader
    if 'dataset' not in loader.dataset:  # wrappers of data sets take no indices
        loader.dataset.indices = _COST_BATCHES * loader.batch_size
    cfg.train_cfg = dict(by_epoch=False, max_iters=steps)
    if cfg.get('log_processor'):
        cfg.log_processor.by_epoch = False
    cfg.default_hooks.checkpoint = None  # without the key, mmengine would put in its own


def is_trained(job: Job) -> bool:
    """Whether the config says how to train."""
    from ovmlv.utils.configs import load_config

    cfg = load_config(job.config, job.options)
    return all(cfg.get(key) is not None for key in ('train_cfg', 'train_dataloader'))


def weights_digest(job: Job, cfg: Any, source: str = '') -> str:
    """Digest of the weights that a job tests: of its config without the parts about testing.

    Args:
        job: The job.
        cfg: Its config.
        source: The digest of the job that it comes after.
    """
    table = {key: value for key, value in cfg.to_dict().items() if not key.startswith('test_')}
    return config_digest(table, _origin(job, source))


def digest(job: Job, cfg: Any, source: str = '') -> str:
    """Digest of what a job computes; the arguments are those of :func:`weights_digest`."""
    if job.cost_steps:  # tests nothing
        return weights_digest(job, cfg, source)
    return config_digest(cfg.to_dict(), _origin(job, source))


def _origin(job: Job, source: str) -> dict[str, Any]:
    return dict(convert=list(job.convert), source=source) if job.after else {}


def run(job: Job, source: str = '') -> dict[str, Any]:
    """Run a job to its end and write its result.

    Args:
        job: The job.
        source: Digest of the weights of the job that it comes after.
    """
    from mmengine.runner import Runner

    from ovmlv.utils.checkpoints import load_strictly
    from ovmlv.utils.configs import leave_amp_to_gpus, refuse_mistakes

    cfg = job_config(job)
    identity, weights = digest(job, cfg, source), weights_digest(job, cfg, source)
    refuse_mistakes(cfg, job.config)
    leave_amp_to_gpus(cfg)
    work_dir = Path(job.work_dir)
    if job.cost_steps:  # measured anew each time
        _clear(work_dir)
    starts = _take_over(work_dir, weights)
    cfg.resume = False
    cfg.load_from = _weights(job, cfg, work_dir, source)
    runner = Runner.from_cfg(cfg)
    load_strictly(runner)
    # Registered apart from the config: measuring is no part of what is compared.
    measure, watch = _measures(work_dir)
    runner.register_hook(measure)
    runner.register_hook(watch)
    if job.train:
        runner.train()
    start = time.perf_counter()
    metrics = {} if job.cost_steps else runner.test()
    cost = measure.cost() if job.train else _untrained_cost(job)
    cost['test_seconds'] = time.perf_counter() - start
    result = dict(
        suite=job.suite,
        row=job.row,
        seed=job.seed,
        config=job.config,
        options=dict(job.options),
        budget_seconds=job.budget_seconds,
        config_digest=identity,
        metrics=metrics,
        cost=cost,
        starts=starts,
        versions=versions(),
        machine=machine(),
    )
    _keep_log(work_dir, job.result)
    write_json(job.result, result)
    return result


def _keep_log(work_dir: Path, result: str) -> None:
    """Put what the trainings logged, one JSON line each time, beside the result.

    A training that was killed may have logged steps that the next one repeated; the later ones
    count.
    """
    kept: list[str] = []
    steps: list[int] = []  # the last training step that a kept line comes after
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in read_lines(path):
            try:
                entry = parse_json(line, str(path))
            except DataError:  # cut by a kill
                continue
            if 'iter' in entry:  # of training
                first = bisect.bisect_left(steps, entry['step'])
                del kept[first:], steps[first:]
            kept.append(line)
            steps.append(entry['step'] if 'iter' in entry else steps[-1] if steps else 0)
    if kept:
        write_text(Path(result).with_suffix('.log.jsonl'), '\n'.join(kept) + '\n')


def _measures(work_dir: Path) -> tuple[Any, Any]:
    from ovmlv.engine.hooks import StepCostHook

    from .progress import ProgressHook

    return StepCostHook(), ProgressHook(work_dir / 'progress.json')


def _take_over(work_dir: Path, weights: str) -> int:
    """Keep a training of the same config, interrupted or complete; remove everything else.

    Returns:
        Number of times that this job was started, including this time.
    """
    note = work_dir / 'identity.json'
    state: dict[str, Any] = dict(digest=weights, starts=0)
    if note.is_file():
        with contextlib.suppress(ValueError):
            state = json.loads(note.read_text())
    if state.get('digest') != weights:
        _clear(work_dir)
        state = dict(digest=weights, starts=0)
    state['starts'] += 1
    write_json(note, state)
    return state['starts']


def _clear(work_dir: Path) -> None:
    for path in work_dir.iterdir():
        if path.name not in ('job.json', 'job.log', 'lock'):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _weights(job: Job, cfg: Any, work_dir: Path, source: str) -> str | None:
    """The checkpoint to begin with; it sets ``cfg.resume`` if training goes on."""
    from ovmlv.utils.checkpoints import find_checkpoint, read_checkpoint

    if job.after:
        checkpoint = find_checkpoint(job.after)
        note = Path(job.after) / 'identity.json'
        known = json.loads(note.read_text())['digest'] if note.is_file() else ''
        if checkpoint is None or known != source:
            raise CheckpointError(
                f'{job.row}: {job.after} has no checkpoint of the config that it comes after; '
                "remove that row's results, so that it is trained anew"
            )
        return _convert(job, checkpoint, work_dir) if job.convert else checkpoint
    if not job.train:
        return cfg.get('load_from')
    try:
        checkpoint = find_checkpoint(job.work_dir)
        if checkpoint is not None:
            read_checkpoint(checkpoint)
    except (FileNotFoundError, CheckpointError) as error:
        print(f'starting from the beginning: {error}', flush=True)
        checkpoint = None
    cfg.resume = checkpoint is not None
    return checkpoint or cfg.get('load_from')


def _convert(job: Job, checkpoint: str, work_dir: Path) -> str:
    out = str(work_dir / 'converted.pth')
    words = [word.format(checkpoint=checkpoint, out=out) for word in job.convert]
    if words[0].endswith('.py'):
        words.insert(0, sys.executable)
    subprocess.run(words, check=True)
    return out


def _untrained_cost(job: Job) -> dict[str, Any]:
    """The cost of the row that trained the weights; without such a row, nothing was trained."""
    source = Path(job.after) / 'job.json'
    if job.after and source.is_file():
        result = json.loads(Path(json.loads(source.read_text())['result']).read_text())
        return dict(result['cost'])
    return dict(trainable_parameters=0, steps=0)


@contextlib.contextmanager
def _alone(work_dir: Path) -> Iterator[None]:
    """Hold the work folder's lock."""
    work_dir.mkdir(parents=True, exist_ok=True)
    with open(work_dir / 'lock', 'ab', buffering=0) as file:
        lock_file(file, f'{work_dir} is in use by another run of this benchmark; wait for its end')
        yield


def _end_with_parent(parent: int) -> None:
    """Let the system kill this process when the scheduler dies, even by SIGKILL (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        sys.exit('the scheduler is gone')


def load_job(path: str | Path) -> tuple[Job, dict[str, Any]]:
    """A job, and what else the scheduler says."""
    table = json.loads(Path(path).read_text(encoding='utf-8'))
    extra = table.pop('scheduler')
    table['convert'] = tuple(table['convert'])
    return Job(**table), extra


def save_job(job: Job, **scheduler: Any) -> Path:
    """Write ``job.json`` into the work folder."""
    path = Path(job.work_dir) / 'job.json'
    write_json(path, dict(asdict(job), scheduler=scheduler))
    return path


def main(path: str) -> int:
    """Run the job of a file, and return the exit status."""
    from ovmlv.utils.error_door import run_tool

    job, scheduler = load_job(path)
    _end_with_parent(scheduler['process'])

    def work(_: Any) -> None:
        with _alone(Path(job.work_dir)):
            run(job, scheduler['source'])

    return run_tool(work, cast(Any, None))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
