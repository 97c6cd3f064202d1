"""The newcomer's rule: a config's ``type`` -> the class of that name -> a file of that name."""

import inspect
import re
from pathlib import Path

import pytest
from mmengine.registry import Registry

import ovmlv.registry
from ovmlv.utils import register_all_modules

# The folder of each registry that has classes of ours.
FOLDERS = {
    'MODELS': 'models',
    'DATASETS': 'datasets',
    'DATA_SAMPLERS': 'datasets',
    'TRANSFORMS': 'datasets/transforms',
    'METRICS': 'evaluation/metrics',
    'EVALUATOR': 'evaluation',
    'FUNCTIONS': 'datasets',
    'HOOKS': 'engine/hooks',
    'VISUALIZERS': 'visualization',
    'INFERENCERS': 'apis',
}


def registered():
    register_all_modules(init_default_scope=False)
    for name, registry in vars(ovmlv.registry).items():
        if isinstance(registry, Registry):
            for key, part in registry.module_dict.items():
                if part.__module__.startswith('ovmlv.'):  # not the toys of other tests
                    yield pytest.param(name, key, part, id=f'{name}-{key}')


def snake_case(name: str) -> str:
    for odd in ('CLIP', 'LLM', 'CoOp', 'SSv2', 'YouTube8M'):
        name = name.replace(odd, odd.capitalize())
    name = re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name)
    return re.sub(r'(?<=[A-Z])(?=[A-Z][a-z])', '_', name).lower()


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('TemporalCLIPBackbone', 'temporal_clip_backbone'),
        ('LLMPromptHead', 'llm_prompt_head'),
        ('CoOpPromptHead', 'coop_prompt_head'),
        ('MultilabelBCELoss', 'multilabel_bce_loss'),
        ('SSv2Dataset', 'ssv2_dataset'),
        ('YouTube8MDataset', 'youtube8m_dataset'),
        ('PackMultilabelInputs', 'pack_multilabel_inputs'),
    ],
)
def test_snake_case(name, expected):
    assert snake_case(name) == expected


@pytest.mark.parametrize(('registry', 'name', 'part'), list(registered()))
def test_type_names_its_class_and_file(registry, name, part):
    assert name == part.__name__
    file = Path(inspect.getsourcefile(part)).resolve()
    package = Path(ovmlv.registry.__file__).resolve().parent
    assert file.stem == snake_case(name)
    folder = package / FOLDERS.get(registry, 'engine')
    assert folder in file.parents, f'{file} is not under {folder}'
    assert part.__doc__, f'{name} has no docstring'


def test_files_stay_short():
    """None over 400 lines, as the style of the project has it."""
    package = Path(ovmlv.registry.__file__).resolve().parent
    files = [*package.rglob('*.py'), *(package.parent / 'tools').rglob('*.py')]
    long = {str(f.name): n for f in files if (n := len(f.read_text().splitlines())) > 400}
    assert not long


def explained_arguments(part: type) -> set[str]:
    """Names at the beginning of the items of "Args:" in a class's docstring."""
    _, _, rest = inspect.getdoc(part).partition('\nArgs:\n')
    section = re.split(r'^\S', rest, maxsplit=1, flags=re.MULTILINE)[0]
    return set(re.findall(r'^ {4}\*{0,2}(\w+):', section, flags=re.MULTILINE))


@pytest.mark.parametrize(('registry', 'name', 'part'), list(registered()))
def test_docstring_explains_every_argument_and_no_other(registry, name, part):
    """An argument that a config may set is found beside its class."""
    if not inspect.isclass(part) or '__init__' not in vars(part):
        pytest.skip('takes the arguments of its base class')
    arguments = set(inspect.signature(part.__init__).parameters) - {'self', 'args'}
    assert explained_arguments(part) == arguments
