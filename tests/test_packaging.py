"""The sdist and the wheel: complete, and importable where there is no repository."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from ovmlv.cli.requirements import problem
from ovmlv.openmmlab import MMCV, MMENGINE

REPOSITORY = Path(__file__).resolve().parents[1]
PARTS = [
    'ovmlv', 'configs', 'tools', 'requirements', 'setup.py', 'pyproject.toml', 'MANIFEST.in',
    'README.md', 'CHANGELOG.md', 'LICENSE', 'model-index.yml',
]  # fmt: skip


def requirement_lines(name):
    lines = (REPOSITORY / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [text for line in lines if (text := line.split('#')[0].strip())]


def call(*command, cwd, **environment):
    result = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]
    return result.stdout


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """A wheel built from an sdist built from a copy of the checkout."""
    folder = tmp_path_factory.mktemp('packaging')
    copy = folder / 'copy'
    copy.mkdir()
    for part in PARTS:
        source = REPOSITORY / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns('__pycache__'))
        elif source.is_file():
            shutil.copy2(source, copy / part)
    build = 'from setuptools import build_meta as b; print("=>", b.build_sdist("dist"))'
    sdist = copy / 'dist' / call('-c', build, cwd=copy).split('=> ')[-1].strip()
    pip = ['-m', 'pip', 'wheel', sdist, '--no-deps', '--no-build-isolation', '-w', folder]
    call(*pip, cwd=folder)
    (path,) = folder.glob('ovmlv-*.whl')
    return path


def test_wheel_holds_data_files_and_mim(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = REPOSITORY / 'ovmlv'
    for file in package.rglob('*'):
        if file.is_file() and not {'__pycache__', '.mim'} & set(file.parts):
            assert f'ovmlv/{file.relative_to(package).as_posix()}' in names
    assert 'ovmlv/.mim/tools/train.py' in names
    for config in (REPOSITORY / 'configs').rglob('*.[pj][ys]*'):  # label files too
        if '__pycache__' not in config.parts:
            assert f'ovmlv/.mim/configs/{config.relative_to(REPOSITORY / "configs")}' in names
    assert not any(name.startswith(('tests', 'tools', 'configs')) for name in names)
    assert not any('__pycache__' in name for name in names)


def test_metadata(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [n for n in archive.namelist() if n.endswith('.dist-info/METADATA')]
    text = archive.read(name).decode()
    (python,) = [line for line in text.splitlines() if line.startswith('Requires-Python')]
    assert set(python.split(': ')[1].split(',')) == {'>=3.10', '<3.13'}
    required = [line.split()[1] for line in text.splitlines() if line.startswith('Requires-Dist')]
    assert any(line.startswith('mmaction2') for line in required)
    # On an index of packages, pictures and links of the repository lead nowhere.
    assert 'docs/images/' not in text
    assert not [v for v in re.findall(r'\]\(([^)\s]+)', text) if not v.startswith(('http', '#'))]
    assert '# ovmlv' in text
    assert 'Project-URL: Paper, https://arxiv.org/abs/2407.09073' in text.splitlines()
    (entries,) = [n for n in archive.namelist() if n.endswith('.dist-info/entry_points.txt')]
    assert 'ovmlv = ovmlv.cli:main' in archive.read(entries).decode()
    assert any(n.endswith('licenses/LICENSE') for n in archive.namelist())


def test_pip_puts_nothing_over_a_fork(wheel):
    """FAULTS A4: no plain requirement names a distribution whose module a fork may own."""
    archive = zipfile.ZipFile(wheel)
    (name,) = [n for n in archive.namelist() if n.endswith('.dist-info/METADATA')]
    lines = [
        line.split(': ', 1)[1]
        for line in archive.read(name).decode().splitlines()
        if line.startswith('Requires-Dist: mm')
    ]
    asked = {line for line in lines if 'extra ==' not in line}
    assert {line.split('>')[0].split('<')[0] for line in asked} == {'mmaction2'}
    by_request = {re.split('[<>]', line)[0] for line in lines if re.search('extra == .mm.', line)}
    assert by_request == {'mmengine', 'mmcv-lite'}


@pytest.mark.parametrize(
    'name', ['runtime', 'optional', 'mminstall', 'mteb', 'index', 'metrics', 'ray', 'torchcodec']
)
def test_ranges_have_two_ends(name):
    """FAULTS A3: an exact release at the lower end, which `oldest` installs; what was run above."""
    for line in requirement_lines(name):
        assert re.fullmatch(r'[\w.-]+>=\d+\.\d+\.\d+(\.\d+)?,<\d+(\.\d+)*', line), line


def test_bounds_of_the_code_are_those_of_the_files():
    """FAULTS A6: what a message says to type is within the range that was run."""
    lines = {re.split('[<>]', line)[0]: line for line in requirement_lines('mminstall')}
    assert MMENGINE.install == lines['mmengine']
    assert lines['mmengine'].startswith(f'mmengine>={MMENGINE.oldest},')
    assert lines['mmcv-lite'].startswith(f'mmcv-lite>={MMCV.oldest}')
    assert problem(lines['mmcv-lite'], lambda name: MMCV.install.split('==')[1]) is None


def test_the_workflow_tries_all_versions_weekly():
    """FAULTS A3: every kind on every Python, by the script that a developer has."""
    flow = yaml.safe_load((REPOSITORY / '.github/workflows/ci.yml').read_text(encoding='utf-8'))
    assert flow[True]['schedule'][0]['cron'].split()[2:4] == ['*', '*']  # `on` is a boolean of YAML
    job = flow['jobs']['versions']
    assert set(job['strategy']['matrix']['kind']) == {'oldest', 'newest', 'forks'}
    assert set(job['strategy']['matrix']['python-version']) == {'3.10', '3.11', '3.12'}
    assert any('tools/check_versions.sh' in step.get('run', '') for step in job['steps'])


def test_installed_wheel_imports_every_location(wheel, tmp_path):
    target, elsewhere = tmp_path / 'site', tmp_path / 'elsewhere'
    elsewhere.mkdir()
    pip = ['-m', 'pip', 'install', wheel, '--no-deps', '--no-compile', '--target', target]
    call(*pip, cwd=elsewhere)
    code = (
        'import ovmlv; from ovmlv.utils import register_all_modules as r; r(); '
        'from ovmlv.registry import MODELS; print(ovmlv.__file__); print(len(MODELS.module_dict)); '
        'import sys; print({m.__file__ for n, m in sys.modules.items() if n.startswith("ovmlv.")'
        f' and m.__file__ and not m.__file__.startswith({str(target)!r})}})'
    )
    file, count, foreign = call('-c', code, cwd=elsewhere, PYTHONPATH=str(target)).splitlines()[-3:]
    assert Path(file).is_relative_to(target)
    assert int(count) > 10
    assert foreign == 'set()'


@pytest.fixture
def check_env():
    spec = importlib.util.spec_from_file_location('check_env', REPOSITORY / 'tools/check_env.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pins_are_within_the_ranges(check_env):
    """The tested set satisfies what the package asks for."""
    requirements = REPOSITORY / 'requirements'
    pins = dict(
        line.lower().split('==')
        for line in (requirements / 'pinned.txt').read_text().splitlines()
        if '==' in line
    )
    for name in ('runtime', 'mminstall', 'optional', 'tests'):
        for line in (requirements / f'{name}.txt').read_text().splitlines():
            line = line.split('#')[0].strip()
            if line:
                assert check_env.problem(line, lambda n: pins[n.lower()]) is None, line


def test_problems_of_an_environment_are_named(check_env):
    assert check_env.problem('torch>=2.6', lambda n: '2.13.0+cpu') is None
    assert check_env.problem('torch>=2.6', lambda n: '2.5.1') == (
        'torch 2.5.1 is installed (needed: torch>=2.6)'
    )
    assert 'needed' in check_env.problem('mmcv-lite>=2.0.0,<2.2.0', lambda n: '2.2.0')
    assert check_env.problem('mmcv-lite>=2.0.0,<2.2.0', lambda n: '2.1.0') is None
    assert 'not installed' in check_env.problem('no-such-package>=1')
