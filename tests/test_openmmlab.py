"""Who owns mmengine and mmcv, and what to type where they are unfit. FAULTS A4."""

import sys
from types import ModuleType

import pytest

from ovmlv import openmmlab
from ovmlv.errors import DependencyError
from ovmlv.openmmlab import MMCV, MMENGINE


@pytest.fixture
def installed(monkeypatch):
    """A function that stands a module of a version, owned by distributions, in its place."""

    def install(module, version, *distributions):
        owned = dict(distribution.split(' ') for distribution in distributions)
        stand_in = ModuleType(module)
        stand_in.__version__ = version
        found = None if version is None else stand_in
        monkeypatch.setitem(sys.modules, module, stand_in)
        monkeypatch.setattr(openmmlab.importlib.util, 'find_spec', lambda name: found)
        monkeypatch.setattr(
            openmmlab.importlib.metadata, 'packages_distributions', lambda: {module: [*owned]}
        )
        monkeypatch.setattr(openmmlab.importlib.metadata, 'version', owned.__getitem__)

    return install


@pytest.mark.parametrize(
    ('library', 'version', 'owner', 'text'),
    [
        (MMCV, '2.0.0rc4', 'mmcv 2.0.0rc4', '2.0.0rc4'),
        (MMCV, '2.1.0', 'mmcv-lite 2.1.0', '2.1.0 (of mmcv-lite 2.1.0)'),
        (MMCV, '2.3.6', 'onedl-mmcv 2.3.6', '2.3.6 (of onedl-mmcv 2.3.6)'),
        (MMCV, '2.10', 'some-fork 7', '2.10 (of some-fork 7)'),
        (MMENGINE, '0.10.7', 'mmengine 0.10.7', '0.10.7'),
        (MMENGINE, '0.10.12', 'onedl-mmengine 0.10.12', '0.10.12 (of onedl-mmengine 0.10.12)'),
    ],
)
def test_what_is_there_is_named_by_module_and_owner(installed, library, version, owner, text):
    """FAULTS A4: the version is the module's; the distribution is named where it differs."""
    installed(library.module, version, owner)
    assert openmmlab.require(library) == version
    assert openmmlab.fault(library) is None
    assert openmmlab.described(library, version) == text


def test_several_owners_are_named(installed):
    installed('mmcv', '2.3.6', 'onedl-mmcv 2.3.6', 'mmcv-lite 2.1.0')
    assert openmmlab.described(MMCV, '2.3.6') == '2.3.6 (of mmcv-lite 2.1.0 and onedl-mmcv 2.3.6)'


@pytest.mark.parametrize(
    ('library', 'version', 'owners', 'mend'),
    [
        (MMCV, None, [], 'pip install "mmcv-lite==2.1.0"'),
        (MMENGINE, None, [], 'pip install "mmengine>=0.10.7,<1.0"'),
        (
            MMCV,
            '1.7.2',
            ['mmcv-full 1.7.2'],
            'pip uninstall -y mmcv-full, then pip install "mmcv-lite==2.1.0"',
        ),
        (
            MMENGINE,
            '0.10.6',
            ['mmengine 0.10.6'],
            'pip uninstall -y mmengine, then pip install "mmengine>=0.10.7,<1.0"',
        ),
        (
            MMENGINE,
            '0.9',
            ['mmengine 0.10.7', 'onedl-mmengine 0.9'],
            'pip install --upgrade --force-reinstall --no-deps onedl-mmengine',
        ),
        (
            MMCV,
            None,
            ['onedl-mmcv 2.3.6'],
            'pip install --upgrade --force-reinstall --no-deps onedl-mmcv',
        ),
    ],
)
def test_no_mend_overwrites_a_fork(installed, library, version, owners, mend):
    """FAULTS A4: nothing of OpenMMLab's own is proposed where a fork owns the module."""
    installed(library.module, version, *owners)
    with pytest.raises(DependencyError) as caught:
        openmmlab.require(library)
    text = str(caught.value)
    assert text.endswith(f': {mend}') and library.module in text and '\n' not in text
    assert version is None or f'{library.module} {version} is installed (of ' in text


def test_a_fork_without_top_level_txt_is_found(monkeypatch, tmp_path):
    """Python 3.10 knows only distributions that have one, so that a fork was overwritten there."""
    about = tmp_path / 'onedl_mmengine-0.10.12.dist-info'
    about.mkdir()
    (about / 'METADATA').write_text(
        'Metadata-Version: 2.1\nName: onedl-mmengine\nVersion: 0.10.12\n'
    )
    (about / 'RECORD').write_text('mmengine_of_a_fork/__init__.py,,\n')
    (tmp_path / 'mmengine_of_a_fork').mkdir()
    (tmp_path / 'mmengine_of_a_fork' / '__init__.py').touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(openmmlab.importlib.metadata, 'packages_distributions', dict)
    monkeypatch.setattr(openmmlab.sys, 'version_info', (3, 10, 13))
    assert openmmlab.owners('mmengine_of_a_fork') == ['onedl-mmengine 0.10.12']
    assert openmmlab.owners('no_such_module') == []


def test_errors_of_their_own_come_through(monkeypatch, tmp_path):
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv' / '__init__.py').write_text('raise OSError("its library is missing")')
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split('.')[0] == 'mmcv']:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(OSError, match='its library is missing'):
        openmmlab.require(MMCV)


@pytest.mark.parametrize(
    ('version', 'numbers'),
    [
        ('2.13.0+cpu', (2, 13, 0)),
        ('5.23.0.dev0+x', (5, 23, 0)),
        ('2.0.0rc4', (2, 0, 0)),
        ('2.3.2.post2', (2, 3, 2)),
        ('3', (3, 0, 0)),
        ('1!2.3', (2, 3, 0)),
        ('of no version', (0, 0, 0)),
    ],
)
def test_releases(version, numbers):
    assert openmmlab.release(version) == numbers
