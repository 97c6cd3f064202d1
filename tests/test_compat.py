"""Repairs for the versions underneath. Import order matters, hence the fresh interpreters."""

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


def stand_in(folder, name, code, **modules):
    """A package of that name in a folder: its ``__init__`` and its modules."""
    package = folder / name
    package.mkdir(parents=True, exist_ok=True)
    (package / '__init__.py').write_text(textwrap.dedent(code))
    for module, text in modules.items():
        (package / f'{module}.py').write_text(textwrap.dedent(text))
    return str(folder)


def test_apply_runs_once(monkeypatch):
    monkeypatch.setattr(compat, '_applied', True)
    monkeypatch.setattr(compat, 'watch_imports', lambda: 1 / 0)
    compat.apply()


def test_importing_the_package_imports_no_library():
    """The repairs wait for their libraries; a program that needs none of them loads none."""
    out = output(
        """
        import sys, ovmlv, ovmlv.compat
        print({'torch', 'torchvision', 'mmengine', 'mmcv', 'numpy', 'mmaction'} & set(sys.modules))
        """
    )
    assert out == 'set()'


# --- torchvision ---------------------------------------------------------------------------------

#: As PyPI's torchvision behaves beside a CPU build of torch, by its own code.
BROKEN = """
from . import extension
from . import _meta_registrations
__version__ = '0.99'
"""
META = """
from torch import library
print('tried')
@library.register_fake('torchvision::nms')
def nms(dets, scores, iou_threshold): return dets
@library.register_fake('torchvision::qnms')
def qnms(dets, scores, iou_threshold): return dets
"""
#: As one whose library loads and declares the operators, whatever the library's name is.
WORKING = """
from torch import library
from . import extension
declared = library.Library('torchvision', 'DEF')
declared.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
declared.define('qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
__version__ = '0.99'
"""
TELL = """
import torch
from ovmlv import compat
print(len(compat._libraries), len(torch._C._jit_get_schemas_for_operator('torchvision::nms')))
"""


def test_the_real_torchvision_imports_and_its_operators_are_declared_once():
    """Both where its C++ library loads and where it does not."""
    out = output(
        """
        import ovmlv
        from ovmlv import compat
        import torch, torchvision
        import torchvision.ops
        print(len(torch._C._jit_get_schemas_for_operator('torchvision::nms')))
        print(bool(compat._libraries) != torchvision.extension._has_ops())
        """
    )
    assert out.split() == ['1', 'True']


def test_a_torchvision_that_works_is_left_alone(tmp_path):
    """FAULTS A1: torchvision 0.29 has them in `_C_stable`; declared twice, they abort."""
    path = stand_in(
        tmp_path, 'torchvision', WORKING, extension="print('once')", _C_stable="'a library'"
    )
    out = output('import ovmlv.registry, torchvision' + TELL, PYTHONPATH=path)
    assert out.split() == ['once', '0', '1']


def test_the_very_error_is_repaired(tmp_path):
    """FAULTS A1: the operators are declared after the plain import failed for want of them."""
    path = stand_in(
        tmp_path, 'torchvision', BROKEN, extension="print('extension')", _meta_registrations=META
    )
    out = output('import ovmlv, torchvision.extension' + TELL, PYTHONPATH=path)
    assert out.split() == ['extension', 'tried', 'extension', 'tried', '2', '1']


def test_a_half_imported_torchvision_is_repaired(tmp_path):
    """FAULTS A1: a try before ovmlv was there leaves submodules behind."""
    path = stand_in(tmp_path, 'torchvision', BROKEN, extension='', _meta_registrations=META)
    code = """
    try:
        import torchvision
    except RuntimeError:
        pass
    import sys, ovmlv, torchvision
    print(sys.modules['torchvision.extension'] is torchvision.extension)
    """
    assert output(textwrap.dedent(code) + TELL, PYTHONPATH=path).split()[-3:] == ['True', '2', '1']


@pytest.mark.parametrize(
    'error',
    [
        "RuntimeError('operator torchvision::roi_align does not exist')",
        "RuntimeError('CUDA error')",
        "ImportError('libcudart.so.13: cannot open shared object file')",
        "RuntimeError('operator othervision::nms does not exist')",
    ],
)
def test_other_errors_of_torchvision_come_through(tmp_path, error):
    """FAULTS A1: nothing is tried that does not answer the error."""
    path = stand_in(tmp_path, 'torchvision', f"print('tried')\nraise {error}")
    code = f"""
    import ovmlv
    from ovmlv import compat
    try:
        import torchvision
    except Exception as found:
        print(repr(found) == repr({error}), len(compat._libraries))
    """
    assert output(code, PYTHONPATH=path).split() == ['tried', 'True', '0']


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


#: What mmaction2 1.2.0 asks of mmcv, in its words.
ASKS = """
import mmcv, mmengine
from . import parts
assert (2, 0) <= tuple(map(int, mmcv.__version__.split('.')[:2])) < (2, 2), (
    f'MMCV=={mmcv.__version__} is used but incompatible. Please install mmcv>=2.0.0rc4, <2.2.0.')
assert mmengine.__version__ < '1', (
    f'MMEngine=={mmengine.__version__} is used but incompatible. Please install mmengine<1.')
"""


@pytest.mark.parametrize('package', ['mmaction', 'mmdet'])
@pytest.mark.parametrize('version', ['2.0.1', '2.1.0', '2.2.0', '2.3.6', '2.10.0', '3.0.0'])
def test_a_newer_mmcv_works(tmp_path, package, version):
    """FAULTS A4: the fork's mmcv 2.3.6 is refused by mmaction2 without need."""
    stand_in(tmp_path, 'mmengine', "__version__ = '0.10.7'")
    stand_in(tmp_path, 'mmcv', f"__version__ = '{version}'")
    path = stand_in(tmp_path, package, ASKS, parts="print('parts')")
    out = output(f'import ovmlv, {package}, mmcv; print(mmcv.__version__)', PYTHONPATH=path)
    tries = 1 if version < '2.2' and version != '2.10.0' else 2
    assert out.split() == ['parts'] * tries + [version]


@pytest.mark.parametrize(
    ('mmcv', 'mmaction', 'words'),
    [
        ("__version__ = '1.7.2'", '', 'DependencyError: mmaction2 needs mmcv >= 2.0, but mmcv'),
        ("__version__ = '2.1.0'", "raise AssertionError('other')", 'AssertionError: other'),
        ("__version__ = '2.1.0'", 'import no_such', "No module named 'no_such'"),
        ('import no_such', '', "No module named 'no_such'"),
        (
            "__version__ = '2.1.0'",
            "assert 0, 'MMEngine==1.2 is used but incompatible. Please install mmengine.'",
            'DependencyError: mmaction2 cannot be used: MMEngine==1.2 is used but incompatible.',
        ),
    ],
    ids=['old', 'other-assertion', 'other-import', 'broken-mmcv', 'mmengine'],
)
def test_an_unfit_mmcv_is_named_and_others_errors_stay(tmp_path, mmcv, mmaction, words):
    """FAULTS A4: also where mmcv is no mmcv of a known distribution."""
    stand_in(tmp_path, 'mmcv', mmcv)
    path = stand_in(tmp_path, 'mmaction', mmaction)
    assert words in run_python('import ovmlv, mmaction', PYTHONPATH=path).stderr.splitlines()[-1]


def test_vindlu_is_left_out_only_where_transformers_lacks_its_parts(tmp_path):
    """What the failed try registered is taken back, or its names would be taken."""
    mmaction = tmp_path / 'mmaction'
    for folder in ('', 'utils', 'models', 'models/multimodal'):
        (mmaction / folder).mkdir(exist_ok=True)
        (mmaction / folder / '__init__.py').touch()
    (mmaction / 'registry.py').write_text(
        'class Registry:\n'
        '    def __init__(self): self._module_dict = {}\n'
        '    def register(self, name, kind):\n'
        '        assert name not in self._module_dict\n'
        '        self._module_dict[name] = kind\n'
        'MODELS, TOKENIZER = Registry(), Registry()\n'
    )
    (mmaction / 'utils' / 'dependency.py').write_text('WITH_MULTIMODAL = True')
    (mmaction / 'models' / 'multimodal' / '__init__.py').write_text(
        textwrap.dedent(
            """
            from mmaction.utils.dependency import WITH_MULTIMODAL
            from mmaction.registry import MODELS, TOKENIZER
            if WITH_MULTIMODAL:
                from . import vindlu
            else:
                MODELS.register('VindLU', print)
            """
        )
    )
    vindlu = mmaction / 'models' / 'multimodal' / 'vindlu.py'
    register = (
        'from mmaction.registry import MODELS, TOKENIZER\n'
        'class VindLU: pass\nMODELS.register("VindLU", VindLU)\n'
        'TOKENIZER.register("VindLU", VindLU)\n'
    )
    code = """
    import ovmlv, mmaction.models.multimodal
    from mmaction.registry import MODELS, TOKENIZER
    print(MODELS._module_dict['VindLU'].__name__, 'VindLU' in TOKENIZER._module_dict)
    """
    stand_in(tmp_path, 'mmengine', "__version__ = '0.10.7'")
    stand_in(tmp_path, 'mmcv', "__version__ = '2.1.0'")
    stand_in(tmp_path, 'transformers', '')
    last = 'from transformers.models.beit.modeling_beit import NoSuchPart'
    for text, seen in (
        (register, 'VindLU True'),
        (register + last, 'print False'),
        (register + 'from transformers import NoSuchPart', 'print False'),
    ):
        vindlu.write_text(text)
        assert output(code, PYTHONPATH=str(tmp_path)).splitlines()[-1] == seen
    vindlu.write_text(register + 'import no_such_package')
    assert 'no_such_package' in run_python(code, PYTHONPATH=str(tmp_path)).stderr


@pytest.mark.parametrize('module', ['mmcv', 'mmengine'])
def test_a_missing_library_reaches_the_user_in_one_line(module):
    """mmengine swallows ImportErrors of scopes; ours must come through."""
    result = run_python(
        f"""
        import importlib.metadata, importlib.util
        real = importlib.util.find_spec
        importlib.util.find_spec = lambda n, *a: None if n == '{module}' else real(n, *a)
        importlib.metadata.packages_distributions = dict
        import ovmlv.registry
        from mmengine.registry import TRANSFORMS
        TRANSFORMS.build(dict(type='mmaction.DecordInit'))
        """
    )
    last = result.stderr.strip().splitlines()[-1]
    assert f'needs {module}, which is not installed: pip install "mm' in last


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


def test_finders_are_added_once():
    compat.watch_imports()
    compat.watch_imports()
    kinds = [type(finder).__name__ for finder in sys.meta_path]
    assert kinds.count('ImportWatch') == kinds.count('_DRNFinder') == 1
