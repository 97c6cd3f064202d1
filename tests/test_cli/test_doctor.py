"""``ovmlv doctor``."""

import json
import os
from pathlib import Path

import pytest

from ovmlv.cli import doctor, health_checks
from ovmlv.datasets.decoders import READERS
from ovmlv.utils import requirements


def findings(command, *arguments):
    status, out, _ = command('doctor', '--format', 'jsonl', *arguments)
    return status, {row['what']: row for row in map(json.loads, out.splitlines())}


def test_this_environment_is_well(command):
    status, found = findings(command)
    assert status == 0, found
    assert {'Python', 'torch', 'decoder pyav', 'tagging', 'this folder'} <= set(found)
    assert all(row['state'] in ('ok', 'note') for row in found.values())
    status, out, _ = command('doctor', '--quick')
    assert status == 0 and out.endswith('all is well\n') and 'tagging' not in out


def test_what_is_wrong_is_named_with_its_mend(command, monkeypatch, tmp_path):
    """Each of several faults, in one run, which goes on after every one."""

    class Broken:
        def __init__(self, path):
            raise OSError('a library is missing')

    def packages(folder):
        return dict(runtime=['torch>=99', 'no-such-package>=1'], optional=['no-such-extra'])

    def devices():
        raise RuntimeError('the driver\nis too old')

    monkeypatch.setitem(READERS, 'pyav', Broken)
    monkeypatch.setattr(health_checks, 'declared', packages)
    checks = (health_checks.packages, devices, health_checks.decoders)
    monkeypatch.setattr(doctor, 'CHECKS', checks)
    status, out, _ = command('doctor')
    assert status == 3
    for words in (
        'needed: torch>=99)\n        mend: pip install "torch>=99"',
        'no-such-package is not installed',
        'note  optional packages: no-such-extra is not installed',
        'BAD   devices: RuntimeError: the driver is too old',
        'BAD   decoder pyav: a library is missing\n        mend: pip install --force-reinstall av',
        'ok    decoder decord',
        '4 to mend',
    ):
        assert words in out, out


def test_wrong_frames_are_seen(monkeypatch):
    pyav = READERS['pyav']

    class Late(pyav):
        def get_frames(self, indices):
            return [255 - frame for frame in super().get_frames(indices)]

    monkeypatch.setitem(READERS, 'pyav', Late)
    (found,) = [f for f in health_checks.decoders() if f.what == 'decoder pyav']
    assert (found.state, found.detail) == ('bad', 'it gives wrong frames')


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() == 0, reason='root may write')
def test_folders_that_cannot_be_written(monkeypatch, tmp_path):
    tmp_path.chmod(0o500)
    monkeypatch.chdir(tmp_path)
    (found, *_) = health_checks.writing()
    assert found.state == 'bad' and 'cannot be written' in found.detail


def test_missing_folders_are_looked_at_from_above(tmp_path):
    found = health_checks._writable('x', tmp_path / 'a' / 'b', 'y')
    assert found.state in ('ok', 'note') and not (tmp_path / 'a').exists()


def test_requirements_of_an_installed_package(monkeypatch, tmp_path):
    lines = ['torch>=2.6', 'onnx>=1; extra == "optional"', "fastapi; extra == 'serve'"]
    monkeypatch.setattr(requirements.importlib.metadata, 'requires', lambda name: lines)
    found = requirements.declared(tmp_path / 'ovmlv')
    assert found == dict(runtime=['torch>=2.6'], optional=['onnx>=1'])
    here = requirements.declared(Path(requirements.__file__).parents[1])
    assert any(line.startswith('torch>=') for line in here['runtime'])
