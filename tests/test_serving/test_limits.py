"""Limits that are none are refused; the others are said as people say them."""

import pytest

from ovmlv.errors import ConfigError
from ovmlv.serving import ServingLimits
from ovmlv.serving.limits import megabytes, minutes


@pytest.mark.parametrize('value', [0, -1, float('nan'), float('inf'), '5', None])
def test_bad_limits(value):
    with pytest.raises(ConfigError, match='duration='):
        ServingLimits(duration=value)


def test_whole_numbers():
    assert ServingLimits(keep_seconds=0.5).keep_seconds == 0.5
    with pytest.raises(ConfigError, match='videos=2.5 must be a whole number'):
        ServingLimits(videos=2.5)


def test_words():
    assert [megabytes(n * 2**20) for n in (0.25, 1, 9.96, 200)] == [
        '0.25 MB', '1 MB', '10 MB', '200 MB',
    ]  # fmt: skip
    assert [minutes(s) for s in (1, 45, 119.5, 600, 150)] == [
        '1 second', '45 seconds', '120 seconds', '10 minutes', '2.5 minutes',
    ]  # fmt: skip
