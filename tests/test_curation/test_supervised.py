"""Tasks that hang or kill their process cost themselves alone."""

import os
import time

import pytest

from ovmlv.curation import Failure, run_supervised
from ovmlv.errors import ConfigError


def test_results_and_errors():
    found = dict(run_supervised(len, ['abc', '', 5], num_workers=2, time_limit=20))
    assert found['abc'] == 3 and found[''] == 0
    assert found[5] == Failure("TypeError: object of type 'int' has no len()")


def test_a_hanging_task_is_stopped_and_the_others_go_on():
    begin = time.monotonic()
    tasks = [0.0, 60.0, 0.01, 0.02]
    found = dict(run_supervised(time.sleep, tasks, num_workers=1, time_limit=1))
    assert found.pop(60.0) == Failure('took more than 1 s and was stopped')
    assert found == {0.0: None, 0.01: None, 0.02: None}
    assert time.monotonic() - begin < 40


def test_a_crash_is_a_failure():
    found = dict(run_supervised(os._exit, [3, 4], num_workers=1, time_limit=20))
    assert found == {
        code: Failure(f'crashed its process, which ended with status {code}') for code in (3, 4)
    }


def test_settings():
    with pytest.raises(ConfigError, match='num_workers=0'):
        list(run_supervised(len, [''], num_workers=0))
