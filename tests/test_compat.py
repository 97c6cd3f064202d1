"""Repairs for the versions underneath. Import order matters, hence the fresh interpreters."""

import importlib.metadata
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub

from ovmlv import compat
from ovmlv.errors import DependencyError


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, '-c', textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


def output(code, **environment):
    result = run_python(code, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_apply_runs_once(monkeypatch):
    monkeypatch.setattr(compat, '_applied', True)
    monkeypatch.setattr(compat, 'declare_torchvision_ops', lambda: 1 / 0)
    compat.apply()


def test_torchvision_imports_and_its_operators_are_declared_once():
    """Both where its C++ library loads and where it does not."""
    out = output(
        """
        from ovmlv import compat
        compat.apply()
        import torch, torchvision
        import torchvision.ops
        print(len(torch._C._jit_get_schemas_for_operator('torchvision::nms')))
        compat.declare_torchvision_ops()   # late: nothing to do
        print(bool(compat._libraries) != torchvision.extension._has_ops())
        """
    )
    assert out.split() == ['1', 'True']


def test_torchvision_is_left_alone_where_its_library_loads():
    """Declaring the operators twice would be an error, so nothing may be declared then."""
    out = output(
        """
        from ovmlv import compat
        compat._loads_operators = lambda folders: True
        compat.declare_torchvision_ops()
        import torch
        print(compat._libraries, torch._C._jit_get_schemas_for_operator('torchvision::nms'))
        """
    )
    assert out == '[] []'


def test_open_clip_and_transformers_import_after_the_repairs():
    assert output('import ovmlv.registry, open_clip, timm, transformers; print(1)') == '1'


def checkpoint_of_a_run(path):
    hub = MessageHub('compat-test')
    hub.update_scalars({'train/loss': {'value': 1.5, 'count': 2}, 'train/lr': 0.5})
    hub.update_scalar('train/loss', np.float32(2.5).item())
    hub.update_info('iter', 3)
    hub.update_info('mAP', np.float64(0.25))
    hub.update_info('count', np.int64(4))
    torch.save({'meta': {'iter': 3}, 'message_hub': hub.state_dict()}, path)


def test_checkpoints_of_mmengine_load_safely(tmp_path):
    path = tmp_path / 'run.pth'
    checkpoint_of_a_run(path)
    loaded = torch.load(path, weights_only=True)['message_hub']
    buffer = loaded['log_scalars']['train/loss']
    assert isinstance(buffer, HistoryBuffer)
    assert buffer.current() == 2.5 and buffer.max() == 2.5
    assert buffer.statistics('min') == 1.5
    assert loaded['runtime_info']['mAP'] == 0.25


def test_without_the_repair_they_do_not(tmp_path):
    """The reason for it; should mmengine's files load by themselves, it can go."""
    path = tmp_path / 'run.pth'
    checkpoint_of_a_run(path)
    result = run_python(f'import torch; torch.load({str(path)!r}, weights_only=True)')
    assert 'HistoryBuffer' in result.stderr


class Reach:
    """Pickles as an attribute look-up, as an attack on the allowed ``getattr`` would."""

    def __init__(self, owner, name):
        self.target = (owner, name)

    def __reduce__(self):
        return getattr, self.target


@pytest.mark.parametrize(
    'reach',
    [Reach(HistoryBuffer, '__init__'), Reach(np.ndarray, 'tofile'), Reach(HistoryBuffer, 'update')],
    ids=['init', 'ndarray', 'update'],
)
def test_files_cannot_look_up_other_attributes(tmp_path, reach):
    torch.save({'x': reach}, tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError, match='asks for attribute'):
        torch.load(tmp_path / 'bad.pth', weights_only=True)


def test_mmaction_models_import_with_their_gaps_filled():
    out = output(
        """
        import ovmlv.registry
        import mmaction.models
        from mmaction.registry import MODELS
        from mmaction.models.localizers.drn.drn import DRN
        print('Recognizer3D' in MODELS, 'VindLUVQA' in MODELS)
        try:
            DRN()
        except Exception as error:
            print(type(error).__name__, '2714' in str(error))
        """
    )
    assert out.split('\n')[-2:] == ['True True', 'DependencyError True']


def test_an_mmaction_with_its_own_drn_keeps_it(tmp_path):
    drn = tmp_path / 'mmaction' / 'models' / 'localizers' / 'drn'
    drn.mkdir(parents=True)
    for folder in (drn, *list(drn.parents)[:3]):
        (folder / '__init__.py').write_text('')
    (drn / 'drn.py').write_text('DRN = "its own"\n')
    code = (
        'import ovmlv.compat as c; c.watch_mmaction(); '
        'from mmaction.models.localizers.drn.drn import DRN; print(DRN)'
    )
    assert output(code, PYTHONPATH=str(tmp_path)) == 'its own'


def test_missing_mmcv_is_named_with_the_command(monkeypatch):
    monkeypatch.setattr(compat.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(DependencyError, match=r'pip install "mmcv-lite==2.1.0"'):
        compat.check_mmcv()


@pytest.mark.parametrize(
    ('version', 'fits'), [('2.0.1', 1), ('2.1.0', 1), ('2.2.0', 0), ('1.7', 0)]
)
def test_unfit_mmcv_is_named(monkeypatch, version, fits):
    def installed(name):
        if name == 'mmcv':
            return version
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(compat.importlib.metadata, 'version', installed)
    if fits:
        compat.check_mmcv()
    else:
        with pytest.raises(DependencyError, match=f'mmcv {version} is installed'):
            compat.check_mmcv()


def test_missing_mmcv_reaches_the_user_through_mmengine():
    """mmengine swallows ImportErrors of scopes; ours must come through in one line."""
    result = run_python(
        """
        import sys, ovmlv.registry
        sys.modules.pop('mmcv', None)
        import importlib.util
        real = importlib.util.find_spec
        importlib.util.find_spec = lambda n, *a: None if n == 'mmcv' else real(n, *a)
        from mmengine.registry import TRANSFORMS
        TRANSFORMS.build(dict(type='mmaction.DecordInit'))
        """
    )
    assert 'DependencyError: mmaction2 needs mmcv' in result.stderr.strip().splitlines()[-1]


def test_launcher_on_the_cpu_takes_gloo(monkeypatch):
    """The real thing, over torchrun, is in test_tools/test_train_cli.py."""
    seen = []
    launch = compat._without_cuda(
        lambda backend, **kwargs: seen.append((backend, torch.cuda.set_device(0)))
    )
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cpu')
    before = torch.cuda.set_device
    launch('nccl', init_backend='torch')
    assert seen == [('gloo', None)]
    assert torch.cuda.set_device is before


def test_launcher_with_cuda_is_untouched(monkeypatch):
    seen = []
    launch = compat._without_cuda(lambda backend, **kwargs: seen.append((backend, kwargs)))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    launch('nccl', timeout=3)
    assert seen == [('nccl', dict(timeout=3))]


def test_config_prefix_is_opened_by_request_only(tmp_path):
    config = tmp_path / 'child.py'
    config.write_text("_base_ = ['mmaction::_base_/default_runtime.py']\n")
    out = output(
        f"""
        from ovmlv import compat
        compat.apply()
        from mmengine.config import Config
        from mmengine.config.utils import MODULE2PACKAGE
        print('ovmlv' in MODULE2PACKAGE)
        compat.allow_config_prefix()
        print(MODULE2PACKAGE['ovmlv'], Config.fromfile({str(config)!r}).default_scope)
        """
    )
    assert out.split('\n') == ['False', 'ovmlv mmaction']


def test_installed_path_by_module_and_by_distribution():
    for name in ('mmaction', 'mmaction2'):
        assert compat._installed_path(name).endswith('mmaction')
    assert compat._is_installed('mmengine') and not compat._is_installed('no_such_package')
    with pytest.raises(DependencyError, match='pip install no_such_package'):
        compat._installed_path('no_such_package')


def test_finders_are_added_once():
    compat.watch_mmaction()
    compat.watch_mmaction()
    kinds = [type(finder) for finder in sys.meta_path]
    assert kinds.count(compat._MMActionWatch) == kinds.count(compat._DRNFinder) == 1
