"""Measuring several ways to do the same thing in turn, in one process, on the same inputs.

Two figures of two runs say more of the machine's mood than of the code. Here the ways take turns,
each round in another order, and what counts is the ratio within a round.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Side:
    """A way to do something.

    Attributes:
        name: What it is called in tables.
        run: Does it once, and returns what is compared.
        goal: The largest ratio of its time to the first side's that is wanted; None for no wish.
    """

    name: str
    run: Callable[[], Any]
    goal: float | None = None


@dataclass(frozen=True)
class Row:
    """Something that is measured.

    Attributes:
        name: What is done, of what size.
        sides: Ways to do it; the first one is what people would use instead of this project.
        check: Gets the results by the names of their sides, returns in words what was compared and
            how far it differs, and raises ``AssertionError`` where that is too much.
        unit: What one run handles, for rates: ``(count, 'videos')``; None for none.
        processes: Whether the ways start processes, the time of which counts.
    """

    name: str
    sides: list[Side]
    check: Callable[[dict[str, Any]], str]
    unit: tuple[float, str] | None = None
    processes: bool = False


@dataclass
class Measured:
    """Figures of a row.

    Attributes:
        name: Of the row.
        seconds: Side -> seconds of each round.
        goals: Side -> goal, where there is one.
        equality: What the check said.
        clock: 'CPU' seconds of the process, or 'wall' seconds.
        unit: Of the row.
        memory: Side -> bytes that a run adds at most; empty where that cannot be told.
    """

    name: str
    seconds: dict[str, list[float]]
    goals: dict[str, float]
    equality: str
    clock: str
    unit: tuple[float, str] | None = None
    memory: dict[str, int] = field(default_factory=dict)

    def ratios(self, side: str) -> list[float]:
        """Times of a side over those of the first side, round by round."""
        first = next(iter(self.seconds.values()))
        return [mine / theirs for mine, theirs in zip(self.seconds[side], first, strict=True)]

    def is_met(self, side: str) -> bool | None:
        """Whether the goal of a side is met; None without a goal."""
        goal = self.goals.get(side)
        return None if goal is None else statistics.median(self.ratios(side)) <= goal

    def lines(self) -> list[str]:
        """The lines of a Markdown table."""
        found = []
        for side, seconds in self.seconds.items():
            ratios = self.ratios(side)
            middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
            goal = self.goals.get(side)
            judged = (
                '' if goal is None else f'{goal:.3g}: {"met" if self.is_met(side) else "missed"}'
            )
            spread = (
                '1' if side == next(iter(self.seconds)) else f'{middle:.2f} ({low:.2f}–{high:.2f})'
            )
            time_ = f'{statistics.median(seconds):.3g} s'
            if self.unit:
                time_ += f', {self.unit[0] / statistics.median(seconds):.3g} {self.unit[1]}/s'
            memory = f'{self.memory[side] / 2**20:,.0f} MB' if side in self.memory else ''
            found.append(f'| {side} | {time_} | {spread} | {judged} | {memory} |')
        return found


def measure(
    row: Row, rounds: int, device: str = 'cpu', wall: bool = False, memory: bool = False
) -> Measured:
    """Run all sides of a row once to warm up and compare, then ``rounds`` times in turn.

    On a CPU the time is that of this process, all its threads together, which other programs
    disturb least; elsewhere, or with ``wall``, it is that of the clock. With ``memory``, each side
    runs once more, to tell how much it takes.

    Raises:
        AssertionError: The sides do not do the same.
    """
    on_clock = wall or (device != 'cpu' and not row.processes)
    clock = time.perf_counter if on_clock else time.process_time
    if row.processes and not wall:
        clock, memory = _time_of_children, False
    settle = torch.cuda.synchronize if device.startswith('cuda') else (lambda: None)
    equality = row.check({side.name: side.run() for side in row.sides})
    sizes = {side.name: peak_memory(side.run, device) for side in row.sides} if memory else {}
    seconds: dict[str, list[float]] = {side.name: [] for side in row.sides}
    for turn in range(rounds):
        shift = turn % len(row.sides)
        for side in row.sides[shift:] + row.sides[:shift]:
            settle()
            start = clock()
            side.run()
            settle()
            seconds[side.name].append(clock() - start)
    goals = {side.name: side.goal for side in row.sides if side.goal is not None}
    kind = 'wall' if on_clock else 'CPU'
    known = {name: size for name, size in sizes.items() if size is not None}
    return Measured(row.name, seconds, goals, equality, kind, row.unit, known)


def _time_of_children() -> float:
    """Processor time of processes that this one has started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def peak_memory(run: Callable[[], Any], device: str = 'cpu') -> int | None:
    """Bytes that a run adds to what is held before it, at most; None where that cannot be told.

    On a CPU, Linux tells the largest resident size of the process since it was last asked to forget
    it. What the C library holds back of freed memory is given to the system before.
    """
    if device.startswith('cuda'):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    try:
        ctypes.CDLL(None).malloc_trim(0)
        before = _status('VmRSS')
        Path('/proc/self/clear_refs').write_text('5')
        run()
        return max(_status('VmHWM') - before, 0)
    except (OSError, AttributeError):
        return None


def _status(key: str) -> int:
    """A size in bytes from Linux's status of this process."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])


def difference(first: torch.Tensor, second: torch.Tensor) -> float:
    """Largest difference, as a share of the largest value."""
    return float((first - second).abs().max() / first.abs().max())
