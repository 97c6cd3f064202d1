"""Names such as ``ovmlv::ovmlv_charades.py``. FAULTS D15: without a call before."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ovmlv import config_names
from ovmlv.errors import DependencyError

ROOT = Path(__file__).resolve().parents[1]


def output(code, folder, source=ROOT):
    """Of a program that runs in a folder, with the package of a source."""
    result = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(source)},
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().splitlines()


@pytest.mark.parametrize('first', ['import ovmlv', 'import mmengine.hub; import ovmlv'])
def test_configs_are_found_by_name(tmp_path, first):
    """FAULTS D15: in `_base_`, in the hub and by Config, whatever was imported first."""
    for name, base in (
        ('top', 'ovmlv::ovmlv_charades.py'),
        ('deep', 'ovmlv::_base_/datasets/charades.py'),
        ('other', 'mmaction::_base_/default_runtime.py'),
    ):
        (tmp_path / f'{name}.py').write_text(f"_base_ = ['{base}']\n")
    out = output(
        f"""
        {first}
        from mmengine.config import Config
        from mmengine.hub import get_config
        print(Config.fromfile({str(tmp_path / 'top.py')!r}).default_scope)
        print(Config.fromfile({str(tmp_path / 'deep.py')!r}).train_dataloader.dataset.type)
        print(Config.fromfile({str(tmp_path / 'other.py')!r}).default_scope)
        print(get_config('ovmlv::ovmlv_charades.py').default_scope)
        print(get_config('ovmlv::baselines/coop_motionshapes.py').model.head.type)
        print(Config.fromfile('ovmlv::ovmlv_charades.py').default_scope)
        for name in ('ovmlv::no_such.py', 'ovmlv::baselines/no_such.py'):
            try:
                Config.fromfile(name)
            except FileNotFoundError as error:
                print(name.split('::')[1] in str(error))
        """,
        tmp_path,
    )
    charades = 'CharadesDataset'
    expected = ['ovmlv', charades, 'mmaction', 'ovmlv', 'CoOpPromptHead', 'ovmlv', 'True', 'True']
    assert out == expected


def test_configs_of_a_wheel_are_found(tmp_path):
    """There they lie in `ovmlv/.mim`, and there is no checkout beside the package."""
    package = tmp_path / 'ovmlv'
    package.mkdir()
    for path in (ROOT / 'ovmlv').glob('*.py'):
        (package / path.name).write_text(path.read_text())
    mim = package / '.mim'
    (mim / 'configs' / 'deep').mkdir(parents=True)
    (mim / 'model-index.yml').write_text('Import:\n  - configs/metafile.yml\n')
    (mim / 'configs' / 'metafile.yml').write_text(
        'Models:\n  - {Name: a, Config: configs/deep/listed.py, Weights: w.pth}\n'
    )
    for name in ('listed', 'unlisted'):
        (mim / 'configs' / 'deep' / f'{name}.py').write_text(f"name = '{name}'\n")
    out = output(
        """
        import ovmlv
        from mmengine.config import Config
        from mmengine.hub import get_config
        print(ovmlv.__file__)
        for name in ('listed', 'unlisted'):
            print(Config.fromfile(f'ovmlv::deep/{name}.py').name)
            print(get_config(f'ovmlv::deep/{name}.py').name)
        print(get_config('ovmlv::deep/listed.py', pretrained=True).model_path)
        """,
        tmp_path,
        source=tmp_path,
    )
    assert Path(out[0]).parent == package
    assert out[1:] == ['listed', 'listed', 'unlisted', 'unlisted', 'w.pth']


def test_the_plain_answer_comes_first():
    """Only an ImportError (pkg_resources is gone) or a folder that is not there is answered."""

    def without(package):
        raise ModuleNotFoundError("No module named 'pkg_resources'", name='pkg_resources')

    installed = config_names._or_without_pkg_resources
    assert installed(lambda package: False)('mmengine') is False
    assert installed(without)('mmengine') and not installed(without)('no_such_package')
    path = config_names._or_by_module
    assert path(lambda package: '/')('mmengine') == '/'
    assert path(without)('mmengine').endswith('mmengine')
    assert path(lambda package: '/no/such/folder')('mmengine').endswith('mmengine')


def test_installed_path_by_module_and_by_distribution():
    for name in ('mmaction', 'mmaction2'):
        assert config_names._installed_path(name).endswith('mmaction')
    assert config_names._is_installed('mmengine')
    assert not config_names._is_installed('no_such_package')
    with pytest.raises(DependencyError, match='pip install no_such_package'):
        config_names._installed_path('no_such_package')
