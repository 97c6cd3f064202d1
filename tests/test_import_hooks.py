"""Acting around imports: the plain import first, and nothing else changes."""

import importlib
import inspect
import pickle
import sys

import pytest

from ovmlv import import_hooks


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that writes the package ``hooked`` and forgets an imported one."""
    watch = import_hooks._watch()
    monkeypatch.setattr(watch, 'repairs', dict(watch.repairs))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, 'dont_write_bytecode', True)

    def write(**modules):
        for name, text in modules.items():
            path = tmp_path / 'hooked' / f'{name}.py'
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()

    yield write
    for name in [name for name in sys.modules if name.split('.')[0] == 'hooked']:
        del sys.modules[name]


def test_the_module_is_as_without_a_repair(package):
    package(__init__='from . import part\nclass Kind: pass\n', part='')
    seen = []

    def repair(execute, module):
        seen.append(dict(vars(module)).get('Kind'))
        execute()
        seen.append(module.Kind.__name__)

    import_hooks.around_import('hooked', repair)
    assert importlib.util.find_spec('hooked').origin.endswith('__init__.py') and not seen
    import hooked

    assert seen == [None, 'Kind']
    assert type(hooked.__loader__).__name__ == 'SourceFileLoader'
    assert 'class Kind' in inspect.getsource(hooked)
    assert pickle.loads(pickle.dumps(hooked.Kind())).__class__ is hooked.Kind
    assert sys.modules['hooked.part'] is hooked.part
    importlib.reload(hooked)
    assert seen[2:] and seen[-1] == 'Kind'


def test_a_second_try_starts_over(package):
    package(
        __init__='from . import part\nfrom . import late\n',
        part='import builtins\nobject_of_a_try = object()\n',
        late='import os\nif "HOOKED" not in os.environ: raise RuntimeError("not yet")\n',
    )
    seen = []

    def repair(execute, module):
        try:
            execute()
        except RuntimeError:
            seen.append(sys.modules['hooked.part'].object_of_a_try)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv('HOOKED', '1')
                execute()

    import_hooks.around_import('hooked', repair)
    import hooked

    assert hooked.part is sys.modules['hooked.part']
    assert hooked.part.object_of_a_try is not seen[0]


def test_errors_come_through_and_leave_no_module(package):
    package(__init__='raise OSError("broken")')
    import_hooks.around_import('hooked', lambda execute, module: execute())
    for _ in range(2):
        with pytest.raises(OSError, match='broken'):
            import hooked  # noqa: F401
        assert 'hooked' not in sys.modules


def test_what_is_not_there_is_not_found(package):
    import_hooks.around_import('hooked', lambda execute, module: execute())
    assert importlib.util.find_spec('hooked') is None
    with pytest.raises(ModuleNotFoundError, match="No module named 'hooked'"):
        import hooked  # noqa: F401


def test_repairs_after_an_import_also_reach_what_is_there_already(package):
    package(__init__='x = 1\ndef f(): return 1\n', taker='from hooked import f\n')
    seen = []
    import_hooks.after_import('hooked', lambda module: seen.append(module.x))
    assert seen == []
    import hooked.taker

    assert seen == [1]
    import_hooks.after_import('hooked', lambda module: seen.append('again'))
    assert seen == [1, 'again']

    def make(original):
        return lambda: original() + 1

    for _ in range(2):
        import_hooks.replace_function('hooked', hooked, 'f', make)
        import_hooks.replace_function('hooked', hooked, 'no_such_function', make)
    assert hooked.f() == hooked.taker.f() == 2


def test_another_such_finder_is_no_endless_loop(package, monkeypatch):
    """Tracers and profilers put finders of their own first, which ask all others in turn."""
    package(__init__='x = 1')
    calls = []

    class Other:
        searching = False

        def find_spec(self, name, path=None, target=None):
            if name != 'hooked' or self.searching:
                return None
            self.searching = True
            try:
                return importlib.util.find_spec(name)
            finally:
                self.searching = False

    import_hooks.around_import('hooked', lambda execute, module: (calls.append(1), execute()))
    for place in (0, len(sys.meta_path)):
        monkeypatch.setattr(sys, 'meta_path', [*sys.meta_path])
        sys.meta_path.insert(place, Other())
        sys.modules.pop('hooked', None)
        import hooked

        assert hooked.x == 1
    assert calls == [1, 1]
