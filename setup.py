"""Packaging of ovmlv. Metadata lives here; tools are configured in ``pyproject.toml``."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# What `mim` (OpenMMLab's installer) looks for under `<package>/.mim`.
MIM_PARTS = ('configs', 'tools', 'model-index.yml')


def read_requirements(name: str) -> list[str]:
    """The requirement lines of ``requirements/<name>.txt``, without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line.split('#')[0].strip() for line in lines if line.split('#')[0].strip()]


def read_version() -> str:
    """The version that the package states, without importing it."""
    namespace: dict = {}
    exec((ROOT / 'ovmlv' / 'version.py').read_text(encoding='utf-8'), namespace)
    return namespace['__version__']


def read_description() -> str:
    """README without the pictures and links that lead to files of the repository."""
    path = ROOT / 'README.md'
    text = path.read_text(encoding='utf-8') if path.is_file() else ''
    text = re.sub(r'^(!\[[^\]]*\]\([^)]*\)|<img [^>]*>)\n+', '', text, flags=re.MULTILINE)
    return re.sub(r'\[([^\]]+)\]\((?!https?:|#)[^)]*\)', r'\1', text)


class BuildWithMim(build_py):
    """Copies configs and tools into ``ovmlv/.mim`` of the build folder, never of the sources.

    OpenMMLab's ``add_mim_extension`` links or copies inside the source tree depending on
    ``sys.argv``, which no longer holds the command under pip >= 21.3 (PEP 517 and 660).
    An editable install needs no copy: the checkout itself is there.
    """

    def run(self) -> None:
        """Build, and add the folder."""
        super().run()
        if getattr(self, 'editable_mode', False):
            return
        target = Path(self.build_lib) / 'ovmlv' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        for part in MIM_PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(
                    source, target / part, ignore=shutil.ignore_patterns('__pycache__', '*.pyc')
                )
            elif source.is_file():
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target / part)


runtime = read_requirements('runtime')
optional = read_requirements('optional')
tests = read_requirements('tests')
index = read_requirements('index')
metrics = read_requirements('metrics')
ray = read_requirements('ray')
torchcodec = read_requirements('torchcodec')
# What pip must not choose where a fork is: see requirements/mminstall.txt.
openmmlab = read_requirements('mminstall')

setup(
    name='ovmlv',
    version=read_version(),
    description='Open-vocabulary multi-label video classification with OpenMMLab parts',
    long_description=read_description(),
    long_description_content_type='text/markdown',
    author='The ovmlv authors',
    project_urls={'Paper': 'https://arxiv.org/abs/2407.09073'},
    license='Apache-2.0',
    keywords='video classification, multi-label, open vocabulary, CLIP, LLM, OpenMMLab',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    python_requires='>=3.10,<3.13',
    packages=find_packages(include=['ovmlv', 'ovmlv.*']),
    package_data={
        'ovmlv': [
            'py.typed',
            *(
                f'**/*.{end}'
                for end in 'json safetensors gz txt csv html css js svg png webp md log'.split()
            ),
        ]
    },
    install_requires=runtime,
    extras_require={
        'mm': openmmlab,
        'mteb': read_requirements('mteb'),
        'optional': optional,
        'export': [line for line in optional if line.startswith('onnx')],
        'serve': [line for line in optional if line.startswith(('fastapi', 'uvicorn'))],
        'index': index,
        'metrics': metrics,
        'ray': index + ray,
        'tests': tests,
        'torchcodec': torchcodec,
        'all': optional + index + metrics + ray + tests,
    },
    entry_points={'console_scripts': ['ovmlv = ovmlv.cli:main']},
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
