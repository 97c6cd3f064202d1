"""Two trainings in one work folder."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from ovmlv.errors import ConfigError
from ovmlv.utils.file_lock import only_training_in

pytest.importorskip('fcntl')

# Holds the lock; a forked worker outlives the process.
HOLDER = """
import os, sys, time
from ovmlv.utils.file_lock import only_training_in
with only_training_in(sys.argv[1]):
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
    print('held', flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path, repository):
    process = subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=repository,
        start_new_session=True,
    )
    assert process.stdout.readline() == b'held\n'
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_second_training_is_refused_until_the_first_is_gone(holder, tmp_path):
    """FAULTS D13: two trainings in one work_dir overwrote each other."""
    refused = pytest.raises(ConfigError, match='another training is writing to .*--work-dir')
    with refused, only_training_in(tmp_path):
        pass
    with only_training_in(tmp_path / 'other'):
        pass
    holder.kill()  # its worker is still there
    holder.wait()
    end = time.monotonic() + 5
    while True:
        try:
            with only_training_in(tmp_path):
                break
        except ConfigError:
            assert time.monotonic() < end, 'the lock outlives its holder'


def test_within_one_process(tmp_path):
    """FAULTS D13"""
    refused = pytest.raises(ConfigError, match='another training')
    with only_training_in(tmp_path), refused, only_training_in(tmp_path):
        pass
    with only_training_in(tmp_path):
        pass


def test_the_first_process_locks_for_all(tmp_path, monkeypatch):
    """FAULTS D13: of a distributed training, rank 0 holds the lock."""
    with only_training_in(tmp_path, 'pytorch'):
        monkeypatch.setenv('RANK', '1')
        with only_training_in(tmp_path, 'pytorch'):
            pass
        # A variable of the cluster's, and no launcher.
        with pytest.raises(ConfigError, match='another training'), only_training_in(tmp_path):
            pass
