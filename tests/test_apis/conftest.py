"""The shipped tiny CLIP as a zero-shot tagger, and videos whose content is known."""

from __future__ import annotations

import json
import shutil
import textwrap
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import ovmlv.models.clip
from ovmlv.apis import init_recognizer
from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
from ovmlv.datasets.motionshapes.generate import write_video

CONFIG = textwrap.dedent(
    """
    default_scope = 'ovmlv'
    clip = dict(model_name='motionshapes', pretrained='motionshapes')
    model = dict(
        type='OpenVocabRecognizer',
        backbone=dict(
            type='TemporalCLIPBackbone', **clip, num_frames=4,
            temporal=dict(type='ParallelTemporalAttention', blocks='last-1', num_heads=4),
        ),
        head=dict(type='TemplatePromptHead', **clip),
    )
    test_dataloader = dict(
        dataset=dict(
            type='MultilabelVideoDataset',
            ann_file='test.jsonl',
            pipeline=[
                dict(type='mmaction.DecordInit', num_threads=1),
                dict(type='SampleSegmentFrames', clip_len=4, test_mode=True),
                dict(type='mmaction.DecordDecode'),
                dict(type='mmaction.FormatShape', input_format='NCTHW'),
                dict(type='PackMultilabelInputs'),
            ],
            test_mode=True,
        )
    )
    """
)


SHIPPED = Path(ovmlv.models.clip.__file__).parent / 'shipped'


def write_softmax_clip(folder: Path) -> tuple[Path, Path]:
    """Architecture and weights of the shipped CLIP without its bias, as a softmax would train."""
    config = json.loads((SHIPPED / 'motionshapes.json').read_text())
    del config['init_logit_bias']
    shutil.copy(SHIPPED / config['text_cfg']['tokenizer_kwargs']['bpe_path'], folder)
    (folder / 'softmax.json').write_text(json.dumps(config))
    state = load_file(SHIPPED / 'motionshapes.safetensors')
    del state['logit_bias']
    save_file(state, folder / 'softmax.safetensors')
    return folder / 'softmax.json', folder / 'softmax.safetensors'


def write_scene(path: Path, shape: str, color: str, background: str = 'plain') -> Path:
    """A video of one actor that stands still."""
    scene = Scene(background, (Actor(shape, color, 'standing still'),))
    write_video(path, render_clip(scene, 12, np.random.default_rng(0)))
    return path


@pytest.fixture(scope='session')
def config_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp('configs') / 'zero_shot.py'
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope='session')
def model(config_file):
    return init_recognizer(config_file, device='cpu')


@pytest.fixture(scope='session')
def softmax_clip(tmp_path_factory) -> tuple[Path, Path]:
    return write_softmax_clip(tmp_path_factory.mktemp('softmax'))


@pytest.fixture(scope='session')
def videos(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp('videos')
    scenes = [('circle', 'red'), ('square', 'blue'), ('tree', 'green')]
    found = {f'{c} {s}': write_scene(folder / f'{c} {s}.mp4', s, c) for s, c in scenes}
    found['damaged'] = folder / 'damaged.mp4'
    found['damaged'].write_bytes(found['red circle'].read_bytes()[:200])
    return found
