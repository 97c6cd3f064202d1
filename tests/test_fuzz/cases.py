"""How many mutated inputs there are, and what may come out of one.

    bash tools/run_tests.sh tests/test_fuzz            # the fast part, with all other tests
    bash tools/run_tests.sh --slow tests/test_fuzz     # at least 5,000 inputs

The seed of an input is ``[SEED, number of the case]``; a failure names the number.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import pytest

from ovmlv.errors import OvmlvError

T = TypeVar('T')
SEED = 20261128
#: Door -> inputs for each of its targets in the fast part and in the long part.
COUNTS = dict(
    annotation=(12, 80),
    generic=(30, 160),
    junk=(4, 20),
    video=(12, 100),
    weights=(20, 120),
    bank=(40, 400),
    folder=(16, 160),
    request=(60, 600),
)
_SECONDS = 60


def cases(door: str) -> list:
    """Parameters of a test: ``range`` objects of case numbers, the long one marked slow."""
    fast, slow = COUNTS[door]
    return [
        pytest.param(range(fast), id='fast'),
        pytest.param(range(fast, slow), id='long', marks=pytest.mark.slow),
    ]


def generators(numbers: range, target: str) -> Iterator[tuple[int, np.random.Generator]]:
    """Case numbers, each with its random generator."""
    for number in numbers:
        yield number, np.random.default_rng([SEED, number, *target.encode()])


def attempt(read: Callable[[], T], case: object) -> T | None:
    """The result, or None for a refusal in one readable line.

    Everything else is a fault: another error, an error of many lines, a call that does not end.
    """
    try:
        with _time_limit(case):
            return read()
    except OvmlvError as error:
        text = str(error)
        assert text.strip() and '\n' not in text and len(text) < 1000, (case, text)
        assert text.isprintable(), (case, text)
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f'{case}: {type(error).__name__}: {error}') from error
    return None


@contextmanager
def _time_limit(case: object) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise AssertionError(f'{case}: no end after {_SECONDS} s')

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SECONDS)
    # Of code that never comes back to Python, the place at least.
    faulthandler.dump_traceback_later(3 * _SECONDS, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)
