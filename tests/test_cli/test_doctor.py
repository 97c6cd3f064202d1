"""``ovmlv doctor``."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ovmlv.cli import doctor, health_checks, requirements
from ovmlv.datasets.decoders import READERS
from ovmlv.errors import DependencyError


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


#: Runs the command in an environment that lacks modules.
WITHOUT = """
import importlib.metadata, importlib.util, sys
missing = {missing}

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in missing:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in missing else real(name, *rest)
importlib.metadata.packages_distributions = dict
sys.meta_path.insert(0, Without())
from ovmlv.cli import main
sys.exit(main({arguments}))
"""


def without(missing, *arguments):
    code = textwrap.dedent(WITHOUT).format(missing=set(missing), arguments=list(arguments))
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ('missing', 'text', 'mend'),
    [
        (['mmcv'], 'mmcv is not installed', 'pip install "mmcv-lite==2.1.0"'),
        (
            ['mmcv', 'mmengine'],
            'mmengine and mmcv are not installed',
            'pip install "mmengine>=0.10.7,<1.0" "mmcv-lite==2.1.0"',
        ),
    ],
    ids=['mmcv', 'both'],
)
@pytest.mark.slow
def test_one_cause_is_one_line_with_one_mend(missing, text, mend):
    """FAULTS A6: the wheel alone; what only follows from it is told, and is nothing to mend."""
    status, out, errors = without(missing, 'doctor')
    assert (status, errors.count('Traceback')) == (3, 0), errors
    assert f'BAD   runtime packages: {text}\n        mend: {mend}\n' in out
    assert out.count('BAD') == 1 and out.endswith('1 to mend\n')
    assert 'docs/' not in out and '17 of 17' not in out
    for what in ('repairs', 'decoders', 'model'):
        assert f'note  {what}: not looked at before the above is mended' in out
    assert out.count('pip install "mm') == 1


def test_tagging_without_mmengine_is_one_line():
    """FAULTS A6: it is no requirement that pip sees, so each command says what is missing."""
    status, _, errors = without(['mmengine'], 'tag', 'x.mp4', '--model', 'm', '--labels', 'a')
    assert status == 2, errors
    assert errors.splitlines() == [
        'error: ovmlv needs mmengine, which is not installed: pip install "mmengine>=0.10.7,<1.0"'
    ]


def test_what_follows_from_an_earlier_find_is_no_fault(command, monkeypatch):
    """FAULTS A6: any package, and an error that comes twice; other errors count."""

    def broken():
        yield health_checks.Finding('bad', 'av', 'av is not installed', 'pip install av')

    def imports():
        yield health_checks.Finding('ok', 'first', 'this much was right')
        raise ModuleNotFoundError("No module named 'av'", name='av')

    def needs():
        raise DependencyError('mmaction2 needs av')

    def driver():
        raise OSError('libcudart.so is missing')

    def again():
        raise OSError('libcudart.so is missing')

    monkeypatch.setattr(doctor, 'CHECKS', (broken, imports, needs, driver, again))
    status, out, _ = command('doctor')
    assert status == 3 and out.endswith('2 to mend\n')
    assert out.count('BAD') == 2 and 'BAD   driver: OSError' in out and 'ok    first' in out
    monkeypatch.setattr(doctor, 'CHECKS', (needs,))
    status, out, errors = command('doctor', '--debug')
    assert 'BAD   needs: DependencyError: mmaction2 needs av' in out and 'Traceback' in errors


def test_forks_are_named(command, monkeypatch):
    """FAULTS A4: doctor names the module that is there and who owns it."""
    owners = {'mmengine': ['onedl-mmengine'], 'mmcv': ['onedl-mmcv']}
    metadata = health_checks.importlib.metadata
    monkeypatch.setattr(metadata, 'packages_distributions', lambda: owners)
    real = metadata.version
    versions = {'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6'}
    monkeypatch.setattr(metadata, 'version', lambda n: versions[n] if n in versions else real(n))
    monkeypatch.setattr(doctor, 'CHECKS', (health_checks.packages, health_checks.repairs))
    status, out, _ = command('doctor')
    assert status == 0, out
    assert re.search(r'ok    mmengine: \S+ \(of onedl-mmengine 0.10.12\)', out)
    assert re.search(r'ok    mmcv: \S+ \(of onedl-mmcv 2.3.6\)', out)
    assert 'ok    runtime packages: 18 of 18' in out


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
