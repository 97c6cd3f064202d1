"""Say what indexing a large collection takes: machines, hours, bytes, failures a day.

    python tools/simulate_fleet.py tools/service_times.json --videos 1e6 --machines 4
    python tools/simulate_fleet.py my_times.json --videos 1e8 --mean-seconds 60 --machines 200 \\
        --speed 32 --mtbf-hours 720 --restart-minutes 15 --stragglers 0.02 --slowdown 3 --static

The file holds what videos took on one machine, as tools/analysis_tools/measure_service_times.py
measures it: seconds of the videos and seconds of work for each, which are drawn with replacement.
--speed says how many times as fast a machine of the fleet is (its cores, or a GPU).

The simulation goes from event to event: a machine takes a part of the videos, fails after a time
that is exponentially distributed (--mtbf-hours of work on average), loses what it had not committed
(--commit-seconds), comes back after --restart-minutes, and goes on with the rest of the part; when
that is done it takes the next one from a queue, or with --static the next of its own share, as
"--shard i/n" gives it. Some machines are --slowdown times slower throughout. Every seed is a run;
the table shows the 5th, 50th and 95th percentile over all of them.

What it leaves out: machines that fail together, a network or a disk that all of them share, and
the time to write, unless it was measured with the work.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ovmlv.errors import ConfigError, DataError
from ovmlv.files import write_json
from ovmlv.schema import fits, number, read_object
from ovmlv.utils.cli import add_debug_argument, make_parser
from ovmlv.utils.error_door import run_tool

HOUR = 3600.0
BANDS = (5, 50, 95)
#: Work between commits, in mean times to a failure, beyond which it takes thousands of tries.
_MOST = 8
_FORM = dict(videos=[dict(seconds=number, work=number)], bytes_a_video_hour=number)


@dataclass(frozen=True, eq=False)
class ServiceTimes:
    """What a sample of videos took.

    Attributes:
        length: Seconds of each video.
        work: Seconds of work for each, on the machine that measured.
        bytes_a_video_hour: Bytes of an index for an hour of video.
    """

    length: np.ndarray
    work: np.ndarray
    bytes_a_video_hour: float

    @classmethod
    def load(cls, path: str | Path) -> ServiceTimes:
        """Read a file of ``measure_service_times.py``.

        Raises:
            DataError: The file is none, or holds a time that is not above 0.
        """
        mend = 'write it by tools/analysis_tools/measure_service_times.py'
        found = read_object(path, _FORM, 'no file of service times', mend)
        rows = found['videos']
        if not rows:
            raise DataError(f'{path} holds no videos; {mend}')
        for number_, row in enumerate(rows, 1):
            if not (row['seconds'] > 0 and row['work'] > 0):
                raise DataError(f'{path}: video {number_} has a time that is not above 0; {mend}')
        length, work = (np.array([row[k] for row in rows], float) for k in ('seconds', 'work'))
        return cls(length, work, float(found['bytes_a_video_hour']))

    def scaled(self, mean_seconds: float | None) -> ServiceTimes:
        """The same work a second of video, for videos of another mean length."""
        factor = 1.0 if mean_seconds is None else mean_seconds / float(self.length.mean())
        return ServiceTimes(self.length * factor, self.work * factor, self.bytes_a_video_hour)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[float, float]:
        """Seconds of video and of work of ``count`` videos, drawn with replacement."""
        often = rng.multinomial(count, np.full(len(self.work), 1 / len(self.work)))
        return float(often @ self.length), float(often @ self.work)


@dataclass(frozen=True)
class Fleet:
    """The machines, and how the work is given to them.

    Attributes:
        videos: Number of videos.
        machines: Number of machines.
        speed: How many times as fast as the one that measured each of them is.
        part: Videos that a machine takes at a time.
        mtbf_hours: Mean hours of work from a start of a machine to its failure; infinity for none.
        restart_minutes: Minutes until it is back.
        commit_seconds: Seconds of work that are lost at most; infinity if only whole parts count.
        stragglers: Share of the machines that are slow.
        slowdown: How many times as long those take.
        static: Whether each machine has its own share from the start.
        unreadable: Share of the videos that cannot be read; they take the same time.
    """

    videos: int
    machines: int
    speed: float = 1.0
    part: int = 1000
    mtbf_hours: float = math.inf
    restart_minutes: float = 10.0
    commit_seconds: float = 10.0
    stragglers: float = 0.0
    slowdown: float = 1.0
    static: bool = False
    unreadable: float = 0.0

    def __post_init__(self) -> None:
        for name in ('videos', 'machines', 'speed', 'part', 'mtbf_hours', 'commit_seconds'):
            if not getattr(self, name) > 0:
                raise ConfigError(f'--{name.replace("_", "-")} must be above 0')
        for name in ('stragglers', 'unreadable'):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f'--{name} must be a share from 0 to 1')
        if not self.restart_minutes >= 0 or not self.slowdown >= 1:
            raise ConfigError('--restart-minutes must be at least 0, and --slowdown at least 1')


@dataclass(frozen=True)
class Outcome:
    """One run.

    Attributes:
        hours: From the start to the end of the last part.
        machine_hours: Hours of work of all machines, with what was done twice.
        lost_hours: Of these, the hours whose result a failure took.
        down_hours: Hours in which machines were waited for.
        failures: Failures of machines.
        failures_a_day: The same for a day of the run.
        video_hours: Hours of video.
        gigabytes: Size of the index.
        unreadable: Videos in the report of those that could not be read.
    """

    hours: float
    machine_hours: float
    lost_hours: float
    down_hours: float
    failures: int
    failures_a_day: float
    video_hours: float
    gigabytes: float
    unreadable: int


@dataclass
class _Machine:
    """What happened to a machine."""

    slowdown: float
    busy: float = 0.0
    lost: float = 0.0
    failures: int = 0


def work_on(machine: _Machine, seconds: float, fleet: Fleet, rng: np.random.Generator) -> float:
    """Let a machine work on a part, however often it fails; gives the seconds that it takes.

    Args:
        machine: The machine; what happens is added to it.
        seconds: Seconds of work on a machine of the fleet that is not slow.
        fleet: The settings.
        rng: Source of the failures.
    """
    left, clock = seconds * machine.slowdown, 0.0
    if min(left, fleet.commit_seconds) > _MOST * fleet.mtbf_hours * HOUR:
        raise ConfigError(
            f'{min(left, fleet.commit_seconds) / HOUR:.3g} hours of work between commits hardly '
            'ever succeed with this --mtbf-hours; give a smaller --part or --commit-seconds'
        )
    while True:
        # An exponential distribution has no memory: it may begin anew with each part.
        until = math.inf
        if math.isfinite(fleet.mtbf_hours):
            until = float(rng.exponential(fleet.mtbf_hours * HOUR))
        if until >= left:
            machine.busy += left
            return clock + left
        kept = 0.0
        if math.isfinite(fleet.commit_seconds):
            kept = until // fleet.commit_seconds * fleet.commit_seconds
        machine.busy += until
        machine.lost += until - kept
        machine.failures += 1
        left -= kept
        clock += until + fleet.restart_minutes * 60


def simulate(times: ServiceTimes, fleet: Fleet, seed: int) -> Outcome:
    """One run, from the first event to the last."""
    rng = np.random.default_rng(seed)
    slow = round(fleet.stragglers * fleet.machines)
    slowdowns = np.ones(fleet.machines)
    slowdowns[rng.permutation(fleet.machines)[:slow]] = fleet.slowdown
    machines = [_Machine(float(s)) for s in slowdowns]
    free = [(0.0, i) for i in range(fleet.machines)]  # when each is free for its next part
    end = length = 0.0
    parts = math.ceil(fleet.videos / fleet.part)
    for number_ in range(parts):
        count = min(fleet.part, fleet.videos - number_ * fleet.part)
        seconds, work = times.draw(rng, count)
        length += seconds
        i = number_ % fleet.machines
        now = free[i][0] if fleet.static else free[0][0]
        if not fleet.static:
            i = free[0][1]
        done = now + work_on(machines[i], work / fleet.speed, fleet, rng)
        if fleet.static:
            free[i] = (done, i)
        else:
            heapq.heapreplace(free, (done, i))
        end = max(end, done)
    failures = sum(machine.failures for machine in machines)
    return Outcome(
        hours=end / HOUR,
        machine_hours=sum(machine.busy for machine in machines) / HOUR,
        lost_hours=sum(machine.lost for machine in machines) / HOUR,
        down_hours=failures * fleet.restart_minutes / 60,
        failures=failures,
        failures_a_day=failures / (end / HOUR / 24),
        video_hours=length / HOUR,
        gigabytes=length / HOUR * times.bytes_a_video_hour / 1e9,
        unreadable=int(rng.binomial(fleet.videos, fleet.unreadable)),
    )


def bands(outcomes: Sequence[Outcome]) -> dict[str, list[float]]:
    """Percentiles :data:`BANDS` of each figure."""
    return {
        field.name: [
            float(np.percentile([getattr(one, field.name) for one in outcomes], band))
            for band in BANDS
        ]
        for field in fields(Outcome)
    }


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('times', metavar='FILE', help='what videos took (.json)')
    parser.add_argument('--videos', type=_whole, required=True, metavar='N', help='such as 1e6')
    parser.add_argument('--machines', type=_whole, required=True, metavar='N')
    parser.add_argument(
        '--mean-seconds', type=float, metavar='S', help='mean length; default: as measured'
    )
    for field in fields(Fleet)[2:]:
        flag = f'--{field.name.replace("_", "-")}'
        if field.name == 'static':
            parser.add_argument(
                flag, action='store_true', help='shares that are fixed at the start'
            )
        else:
            kind = _whole if field.name == 'part' else float
            parser.add_argument(flag, type=kind, default=field.default, help='default: %(default)s')
    parser.add_argument('--seeds', type=_whole, default=20, help='runs (default: %(default)s)')
    parser.add_argument('--output', metavar='FILE', help='also write the figures (.json)')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def _whole(text: str) -> int:
    value = float(text)
    if not math.isfinite(value) or value != int(value) or value < 1:
        raise argparse.ArgumentTypeError(f'{text}: give a whole number from 1 on, such as 1e6')
    return int(value)


def main(args: argparse.Namespace) -> None:
    if args.mean_seconds is not None and not 0 < args.mean_seconds < math.inf:
        raise ConfigError('--mean-seconds must be above 0')
    times = ServiceTimes.load(args.times).scaled(args.mean_seconds)
    fleet = Fleet(**{field.name: getattr(args, field.name) for field in fields(Fleet)})
    found = bands([simulate(times, fleet, seed) for seed in range(args.seeds)])
    print(f'{fleet.videos} videos on {fleet.machines} machines, {args.seeds} runs')
    print(f'{"":16} ' + ' '.join(f'{f"{band} %":>12}' for band in BANDS))
    for name, values in found.items():
        print(f'{name.replace("_", " "):16} ' + ' '.join(f'{value:>12,.4g}' for value in values))
    if args.output:
        write_json(args.output, _record(args, fleet, found), indent=1)


def _record(
    args: argparse.Namespace, fleet: Fleet, found: dict[str, list[float]]
) -> dict[str, Any]:
    settings = {
        k: v if fits(v, number) or isinstance(v, bool) else str(v) for k, v in asdict(fleet).items()
    }
    return dict(times=args.times, mean_seconds=args.mean_seconds, seeds=args.seeds, fleet=settings,
                percentiles=list(BANDS), **json.loads(json.dumps(found)))  # fmt: skip


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
