"""Runs the jobs of a suite: several at once, without those that are done, with progress."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from ovmlv.errors import ConfigError

from .job import Job, digest, is_trained, job_config, save_job, weights_digest
from .progress import show_progress
from .results import Result, cost_path, read_result, result_path
from .suite import Row, Suite


@dataclass
class Plan:
    """The jobs of a suite.

    Attributes:
        jobs: All jobs, in the order of the table.
        digests: Job -> digest that identifies its result.
        weights: Job -> digest that identifies the weights that it tests.
        changed: Jobs with a result that another config gave.
        open: Jobs without a result.
    """

    jobs: list[Job]
    digests: dict[Job, str] = field(default_factory=dict)
    weights: dict[Job, str] = field(default_factory=dict)
    changed: list[Job] = field(default_factory=list)
    open: list[Job] = field(default_factory=list)

    def only(self, suite: Suite, seeds: Sequence[int] | None) -> Plan:
        """The part of the plan for the rows of a part of the suite and for these seeds.

        Rows with seeds of their own, and rows that are tested once, keep their seeds.
        """
        rows = {row.name: row for row in suite.rows}

        def wanted(job: Job) -> bool:
            if job.row not in rows:
                return False
            once = not (job.train or job.after)
            return not seeds or job.seed in seeds or once or bool(rows[job.row].seeds)

        parts = (filter(wanted, jobs) for jobs in (self.changed, self.open))
        jobs = list(filter(wanted, self.jobs))
        return Plan(jobs, self.digests, self.weights, *map(list, parts))

    def refuse_missing_data(self) -> None:
        """Refuse to run if the open jobs would not find their data.

        Raises:
            DataError: An annotation file or a video folder is not there.
        """
        from ovmlv.utils.configs import refuse_missing_data

        for job in {job.row: job for job in self.open}.values():
            refuse_missing_data(job_config(job), 'train_dataloader', 'test_dataloader')


def make_plan(
    suite: Suite,
    results: str,
    work_dir: str,
    seeds: Sequence[int] | None = None,
    budget_seconds: float | None = None,
    options: dict | None = None,
) -> Plan:
    """Find out what there is to run; it reads every config, so that mistakes show at once.

    Args:
        suite: The suite.
        results: Folder of the result files.
        work_dir: Folder for logs and checkpoints.
        seeds: Seeds besides the suite's.
        budget_seconds: Time budget of every training.
        options: Changes of all configs; they win over those of the suite.
    """
    from ovmlv.utils.configs import refuse_mistakes

    plan = Plan([])
    by_name: dict[tuple[str, int], Job] = {}
    for row in sorted(suite.rows, key=lambda row: bool(row.after)):
        for job in _jobs_of(row, suite, results, work_dir, seeds, budget_seconds, options):
            source = ''
            if row.after:
                if (row.after, job.seed) not in by_name:
                    raise ConfigError(
                        f'suite {suite.name}: {row.name} has seed {job.seed}, but '
                        f'{row.after} has no such seed'
                    )
                source = plan.weights[by_name[row.after, job.seed]]
            cfg = job_config(job)
            if not any(other.row == job.row for other in plan.jobs):  # once a row
                refuse_mistakes(cfg, job.config)
            by_name[job.row, job.seed] = job
            plan.jobs.append(job)
            plan.digests[job] = digest(job, cfg, source)
            plan.weights[job] = weights_digest(job, cfg, source)
            result = read_result(job.result)
            if result is None:
                plan.open.append(job)
            elif result['config_digest'] != plan.digests[job]:
                plan.changed.append(job)
    order = {row.name: i for i, row in enumerate(suite.rows)}
    plan.jobs.sort(key=lambda job: order[job.row])
    return plan


def make_cost_plan(
    suite: Suite, results: str, work_dir: str, steps: int, options: dict | None = None
) -> Plan:
    """Jobs that measure what a training step of each row costs; see :class:`~.job.Job`.

    Args:
        suite: The suite.
        results: See :func:`make_plan`.
        work_dir: See :func:`make_plan`.
        steps: Number of steps of each row.
        options: See :func:`make_plan`.
    """
    jobs = (_cost_job(row, suite, results, work_dir, steps, options) for row in suite.rows)
    plan = Plan([job for job in jobs if job.train])
    # Figures of other times would not compare, so all are measured anew.
    plan.open = list(plan.jobs)
    return plan


def read_costs(
    suite: Suite, results: str, options: dict | None = None
) -> tuple[dict[str, Result], list[str]]:
    """What ``--measure-costs`` found.

    Args:
        suite: The suite.
        results: See :func:`make_plan`.
        options: See :func:`make_plan`.

    Returns:
        Row -> its result, and the rows whose config has changed since.
    """
    found, changed = {}, []
    for row in suite.rows:
        result = read_result(cost_path(results, suite.name, row.name))
        if result is not None:
            job = _cost_job(row, suite, results, '', result['cost']['steps'], options)
            found[row.name] = result
            if result['config_digest'] != digest(job, job_config(job)):
                changed.append(row.name)
    return found, changed


def _cost_job(
    row: Row, suite: Suite, results: str, work_dir: str, steps: int, options: dict | None
) -> Job:
    job = _jobs_of(row, suite, results, work_dir, None, None, options)[0]
    return replace(
        job,
        work_dir=str(Path(job.work_dir).with_name('cost')),
        result=str(cost_path(results, suite.name, row.name)),
        cost_steps=steps,
    )


def _jobs_of(
    row: Row,
    suite: Suite,
    results: str,
    work_dir: str,
    seeds: Sequence[int] | None,
    budget_seconds: float | None,
    options: dict | None,
) -> list[Job]:
    merged = {**suite.options, **row.options, **(options or {})}
    folder = Path(work_dir) / suite.name
    probe = Job(suite.name, row.name, 0, row.config, '', '', merged)
    train = not row.after and (is_trained(probe) if row.train is None else row.train)
    chosen = list(row.seeds or suite.seeds)
    if not train and not row.after:
        chosen = chosen[:1]  # nothing in it is random
    elif not row.seeds:
        chosen = list(dict.fromkeys([*chosen, *(seeds or ())]))
    return [
        Job(
            suite.name,
            row.name,
            seed,
            row.config,
            str(folder / row.name / f'seed{seed}'),
            str(result_path(results, suite.name, row.name, seed)),
            merged,
            train,
            suite.validate,
            budget_seconds if train else None,
            str(folder / row.after / f'seed{seed}') if row.after else '',
            row.convert,
        )
        for seed in chosen
    ]


def start_process(job: Path, num_threads: int, log: IO[str]) -> subprocess.Popen:
    """Start the process of a job."""
    env = {**os.environ, 'PYTHONUNBUFFERED': '1', 'TOKENIZERS_PARALLELISM': 'false'}
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        env[name] = str(num_threads)
    return subprocess.Popen(
        [sys.executable, '-m', 'ovmlv.benchmarking.job', str(job)],
        env=env,
        stdout=log,
        stderr=subprocess.STDOUT,
    )


class Scheduler:
    """Runs jobs, each in its own process with its own threads.

    Args:
        plan: The jobs; those of ``plan.open`` run.
        num_jobs: Number of jobs at the same time.
        num_threads: Number of threads of each job.
        say: Function that takes lines about what happens.
        interval: Seconds between lines about the jobs that run.
    """

    def __init__(
        self,
        plan: Plan,
        num_jobs: int = 1,
        num_threads: int = 1,
        say: Callable[[str], None] = print,
        interval: float = 30.0,
    ) -> None:
        for name, value in (('jobs', num_jobs), ('threads', num_threads)):
            if value < 1:
                raise ConfigError(f'--{name} {value} must be at least 1')
        self.plan, self.num_jobs, self.num_threads = plan, num_jobs, num_threads
        self.say, self.interval = say, interval
        self._start = time.monotonic()
        self._running: dict[Job, tuple[subprocess.Popen, float]] = {}
        self._failed: list[Job] = []

    def run(self) -> list[Job]:
        """Run all jobs; a job that fails does not stop the others.

        Returns:
            The jobs that failed, or could not be run because another one failed.
        """
        waiting = list(self.plan.open)
        total = len(waiting)
        shown = time.monotonic()
        try:
            while waiting or self._running:
                while len(self._running) < self.num_jobs and (job := self._next(waiting)):
                    waiting.remove(job)
                    self._launch(job)
                if waiting and not self._running:  # they wait for one that failed
                    self._failed += waiting
                    for job in waiting:
                        self._log(f'{job.name}: not run, the row that it comes after failed')
                    break
                time.sleep(0.1)
                for job in list(self._running):
                    self._collect(job, total - len(waiting) - len(self._running), total)
                if time.monotonic() - shown >= self.interval and self._running:
                    shown = time.monotonic()
                    state = '; '.join(
                        f'{job.name} {show_progress(Path(job.work_dir) / "progress.json")}'
                        for job in self._running
                    )
                    done = total - len(waiting) - len(self._running)
                    self._log(f'{done} of {total} done; {state}')
        finally:
            for process, _ in self._running.values():  # an interrupt must not leave them behind
                process.kill()
                process.wait()
        return self._failed

    def _next(self, waiting: Sequence[Job]) -> Job | None:
        unfinished = {job.work_dir for job in (*waiting, *self._running, *self._failed)}
        return next((job for job in waiting if job.after not in unfinished), None)

    def _launch(self, job: Job) -> None:
        source = next(
            (self.plan.weights[j] for j in self.plan.jobs if job.after and j.work_dir == job.after),
            '',
        )
        path = save_job(job, process=os.getpid(), source=source)
        for stale in (path.parent / 'progress.json', Path(job.result)):
            stale.unlink(missing_ok=True)
        with open(path.parent / 'job.log', 'a') as log:
            process = start_process(path, self.num_threads, log)
        self._running[job] = process, time.monotonic()
        self._log(f'{job.name}: started, log {path.parent / "job.log"}')

    def _collect(self, job: Job, done: int, total: int) -> None:
        process, start = self._running[job]
        status = process.poll()
        if status is None:
            return
        del self._running[job]
        took = f'after {time.monotonic() - start:.0f} s'
        result = read_result(job.result) if status == 0 else None
        if result is None:
            self._failed.append(job)
            lines = (Path(job.work_dir) / 'job.log').read_text(errors='replace').splitlines()
            last = next((line for line in reversed(lines) if line.strip()), '')
            self._log(f'{job.name}: FAILED {took} with status {status}: {last.strip()}')
            return
        figures = '  '.join(
            f'{key} {result["metrics"][key]:.3f}'
            for key in ('mAP', 'mAP_seen', 'mAP_unseen', 'mAP_novel', 'mAP_harmonic')
            if key in result['metrics']
        )
        self._log(f'{job.name}: done {took} ({done + 1} of {total})  {figures}')

    def _log(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        self.say(f'[{minutes:3d}:{seconds:02d}] {text}')
