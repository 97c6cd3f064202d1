"""Shell scripts in a checkout whose path has a blank and a letter that is not ASCII. FAULTS A5.

A stand-in takes the place of Python and writes down with what it was called, so that an argument
that came apart is seen; nothing is installed.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

STAND_IN = r"""#!/bin/bash
# In one write, since the script compiles in the background while it goes on.
printf -v line '%s|' "$@"
printf '%s\n' "$line" >>"$CALLS"
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    *"(3, 11)"*) exit "${OLD_PYTHON:-0}" ;;
    *find_spec*) exit "${MODULE_IS_MISSING:-1}" ;;
    *check_env.py*--command) exit "${ENVIRONMENT:-0}" ;;
    *tools/train.py*)
        folder="$PWD/work_dirs/quickstart/train"
        mkdir -p "$folder" && echo "$folder/epoch 6.pth" >"$folder/last_checkpoint"
        echo mAP ;;
    -c*) echo 1 ;;
    *) echo mAP ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the scripts need, in a folder with such a name."""
    folder = tmp_path / 'with blank é' / 'ovmlv'
    for part in ('tools', 'requirements', '.ci'):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns('__pycache__'))
    shutil.copy(ROOT / 'setup.py', folder)
    return folder


@pytest.fixture
def call(checkout, tmp_path):
    """Runs a script of it with stand-ins for Python and srun; gives their calls and the output."""
    programs = tmp_path / 'programs with blank'
    programs.mkdir()
    for name in ('python3.11', 'python', 'srun'):
        (programs / name).write_text(STAND_IN)
        (programs / name).chmod(0o755)
    calls = tmp_path / 'calls'

    def run(script, *arguments, status=0, **environment):
        calls.write_text('')
        kept = {k: v for k, v in os.environ.items() if k not in ('VIRTUAL_ENV', 'PYTHONPATH')}
        kept.update(PATH=f'{programs}:{os.environ["PATH"]}', CALLS=str(calls), LC_ALL='C')
        done = subprocess.run(
            ['bash', str(checkout / script), *arguments],
            cwd=tmp_path,
            env={**kept, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == status, done.stdout + done.stderr
        made = [line.split('|')[:-1] for line in calls.read_text().splitlines() if '|' in line]
        return made, done.stdout

    return run


@pytest.mark.parametrize('old', ['0', '1'], ids=['pinned', '3.10'])
def test_an_environment_is_made(call, checkout, old):
    """FAULTS A5: `$pip` came apart at the blank in step 2."""
    calls, out = call('tools/setup_env.sh', OLD_PYTHON=old)
    assert out.strip().endswith(f'{checkout}/.venv/bin/python')
    installs = [made for made in calls if made[:2] == ['-m', 'pip']]
    assert len(installs) >= 3 and installs[-1][-2:] == ['-e', str(checkout)]
    files = [word for made in installs for word in made if 'requirements/' in word]
    assert files and all(Path(word).is_file() for word in files)
    assert ['-m', 'venv', f'{checkout}/.venv'] in calls
    calls, out = call('tools/setup_env.sh')  # the stamp is found again
    assert calls == [] and out.strip().endswith('.venv/bin/python')


def test_nothing_is_installed_over_a_fork(call):
    """FAULTS A4: what owns mmcv and mmengine stays, whatever its name is."""
    calls, _ = call('tools/setup_env.sh', OLD_PYTHON='1', MODULE_IS_MISSING='0')
    words = [word for made in calls for word in made if made[:2] == ['-m', 'pip']]
    assert not [word for word in words if word.startswith(('mmcv', 'mmengine'))]
    calls, _ = call('tools/setup_env.sh', OLD_PYTHON='1', OVMLV_VENV='other')
    words = [word for made in calls for word in made if made[:2] == ['-m', 'pip']]
    found = [word for word in words if word.startswith(('mmcv', 'mmengine'))]
    assert [word.split('>')[0] for word in found] == ['mmengine', 'mmcv-lite']
    assert not any('#' in word or ' ' in word for word in found)


@pytest.mark.parametrize('status', ['0', '1', '3'])
def test_an_active_environment_is_completed(call, checkout, tmp_path, status):
    active = tmp_path / 'active é with blank'
    (active / 'bin').mkdir(parents=True)
    (active / 'bin' / 'python').write_text(STAND_IN)
    (active / 'bin' / 'python').chmod(0o755)
    calls, out = call('tools/setup_env.sh', VIRTUAL_ENV=str(active), ENVIRONMENT=status)
    assert out.strip().endswith(f'{active}/bin/python')
    installed = [made for made in calls if made[:2] == ['-m', 'pip']]
    assert len(installed) == {'0': 0, '1': 3, '3': 1}[status]
    assert all(made[-1] == str(checkout) for made in installed[-1:])


def test_quickstart_and_tests_run(call, checkout, tmp_path):
    """FAULTS A5: with a Python whose own path has a blank as well."""
    python = str(tmp_path / 'programs with blank' / 'python')
    calls, out = call('tools/quickstart.sh', OVMLV_PYTHON=python)
    assert 'done: ' in out
    checkpoint = f'{checkout}/work_dirs/quickstart/train/epoch 6.pth'
    assert sum(checkpoint in made for made in calls) == 1  # the picture has the scores of the test
    assert next(made for made in calls if made[0].endswith('compare_results.py'))[1:3] == [
        'zero-shot tiny CLIP=work_dirs/quickstart/zero_shot.json',
        'trained ovmlv=work_dirs/quickstart/trained.json',
    ]
    for script in ('tools/run_tests.sh', '.ci/run'):
        calls, _ = call(script, '-k', 'a or b', OVMLV_PYTHON=python, OVMLV_CHROMIUM='none')
        assert calls[-1][:2] == ['-m', 'pytest'] and calls[-1][-2:] == ['-k', 'a or b']


def test_launchers_keep_their_arguments_whole(call, checkout, tmp_path):
    python = str(tmp_path / 'programs with blank' / 'python')
    config, work = 'a config é.py', '--work-dir=my work'
    calls, _ = call('tools/dist_train.sh', config, '2', work, PYTHON=python)
    assert calls[-1][-5:] == [f'{checkout}/tools/train.py', config, work, '--launcher', 'pytorch']
    calls, _ = call('tools/dist_test.sh', config, 'a b.pth', '2', work, PYTHON=python)
    assert [f'{checkout}/tools/test.py', config, 'a b.pth', work] == calls[-1][-6:-2]
    for name, extra in (('train', [config]), ('test', [config, 'a b.pth'])):
        calls, _ = call(f'tools/slurm_{name}.sh', 'p', 'my job', *extra, work, PYTHON=python)
        assert '--job-name=my job' in calls[-1] and python in calls[-1]
        assert calls[-1][-4 - len(extra) : -2] == [f'{checkout}/tools/{name}.py', *extra, work]


def lower_bound(requirements: str, package: str) -> str:
    text = (ROOT / 'requirements' / f'{requirements}.txt').read_text()
    (bound,) = re.findall(rf'^{package}>=([0-9.]+)', text, re.MULTILINE)
    return f'{package}=={bound}'


def test_versions_are_checked_outside_of_the_checkout(call, checkout, tmp_path):
    """The environment's place may have a blank as well; a wrong word is refused."""
    call('tools/check_versions.sh', 'latest', status=2)
    call('tools/check_versions.sh', 'newest', 'no-such-python', status=2)
    for part in ('ovmlv', 'configs'):
        (checkout / part).mkdir()
    for name in ('pyproject.toml', 'MANIFEST.in', 'README.md', 'LICENSE', 'model-index.yml'):
        shutil.copy(ROOT / name, checkout)
    before = sorted(checkout.iterdir())
    place = tmp_path / 'my versions'
    for kind, more in (
        ('newest', ['-r', f'{checkout}/requirements/mminstall.txt']),
        ('oldest', ['-r', f'{checkout}/requirements/mminstall.txt']),
        ('forks', ['onedl-mmengine', 'onedl-mmcv']),
    ):
        calls, out = call('tools/check_versions.sh', kind, OVMLV_VERSIONS=str(place))
        assert 'all of it works' in out and sorted(checkout.iterdir()) == before
        installs = [made for made in calls if 'install' in made and '-c' in made]
        assert installs[0][-len(more) :] == more
        (last,) = [made for made in calls if made[0].endswith('check_install.py')]
        assert last[-1] == str(place / f'{kind}-1.md')
        pins = (place / f'{kind}-1-work' / 'constraints.txt').read_text().split()
        # Of two packages, from two files of requirements: exactly the bound that stands there.
        assert (lower_bound('runtime', 'torch') in pins) == (kind == 'oldest')
        assert (lower_bound('mminstall', 'mmengine') in pins) == (kind == 'oldest')
        assert not (place / f'{kind}-1').exists()  # the environment is removed
