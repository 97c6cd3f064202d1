"""Registries: every root has its child, locations import, parts are reached from other projects."""

import importlib
import subprocess
import sys
import textwrap

import mmengine.registry
import pytest
from mmengine.registry import DefaultScope, Registry

import ovmlv.registry

ROOTS = {k: v for k, v in vars(mmengine.registry).items() if isinstance(v, Registry)}


def run_python(code, **environment):
    """Run code in a fresh interpreter, since registries and import order are global."""
    import os

    result = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_there_are_as_many_roots_as_we_know():
    assert len(ROOTS) == 23


@pytest.mark.parametrize('name', sorted(ROOTS))
def test_every_root_has_a_child_whose_location_imports(name):
    child = getattr(ovmlv.registry, name)
    assert child.parent is ROOTS[name]
    assert child.scope == 'ovmlv'
    assert ROOTS[name].children['ovmlv'] is child
    assert len(child._locations) == 1
    importlib.import_module(child._locations[0])


def test_import_of_the_package_is_light():
    heavy = run_python(
        """
        import sys, ovmlv
        print([m for m in ('torch', 'mmengine', 'numpy', 'transformers') if m in sys.modules])
        print(ovmlv.__version__)
        """
    )
    lines = heavy.split('\n')
    assert lines[0] == '[]'
    assert lines[1].count('.') >= 2


@pytest.mark.parametrize('host_scope', [pytest.param('host', marks=pytest.mark.slow), 'mmaction'])
def test_parts_are_built_from_another_project(host_scope, tmp_path):
    """A host with a registry of its own names our part by prefix, without custom_imports."""
    package = tmp_path / 'host'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / 'registry.py').write_text(
        'from mmengine.registry import MODELS as ROOT, Registry\n'
        "MODELS = Registry('model', parent=ROOT, scope='host', locations=['host'])\n"
    )
    # mmaction2's wheel does not import without ovmlv's repairs (mmaction2#2714).
    first = 'import ovmlv.registry' if host_scope == 'mmaction' else ''
    out = run_python(
        f"""
        {first}
        import importlib
        from mmengine.registry import MODELS, TRANSFORMS, DefaultScope
        DefaultScope.get_instance('x', scope_name={host_scope!r})
        loss = MODELS.build(dict(type='ovmlv.RegularizedMultilabelLoss'))
        host = importlib.import_module('{host_scope}.registry').MODELS
        again = host.build(dict(type='ovmlv.RegularizedMultilabelLoss'))
        transform = TRANSFORMS.build(dict(type='ovmlv.PackMultilabelInputs'))
        print(type(loss).__module__, type(again).__name__, type(transform).__name__)
        """,
        PYTHONPATH=str(tmp_path),
    )
    module, loss, transform = out.split()[-3:]
    assert module.startswith('ovmlv.models.losses')
    assert (loss, transform) == ('RegularizedMultilabelLoss', 'PackMultilabelInputs')


def test_unprefixed_names_and_mmengine_names_resolve_in_our_scope():
    DefaultScope.get_instance('test-ours', scope_name='ovmlv')
    with ROOTS['METRICS'].switch_scope_and_registry('ovmlv') as registry:
        assert registry.get('MultilabelMetric').__module__.startswith('ovmlv.')
        assert registry.get('DumpResults').__module__.startswith('mmengine.')


def test_register_all_modules_fills_registries_and_sets_the_scope():
    out = run_python(
        """
        from ovmlv.utils import register_all_modules
        register_all_modules(init_default_scope=False)
        from mmengine.registry import DefaultScope
        from ovmlv.registry import MODELS, DATASETS
        print(len(MODELS.module_dict) > 5, len(DATASETS.module_dict) >= 2)
        print(DefaultScope.get_current_instance())
        register_all_modules()
        print(DefaultScope.get_current_instance().scope_name)
        """
    )
    assert out.split('\n')[-4:-1] == ['True True', 'None', 'ovmlv']
