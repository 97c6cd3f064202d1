"""What cannot be is told in one line, and no file of a stranger runs anything."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from ovmlv.errors import CheckpointError, ConfigError, OvmlvError, VocabularyError
from ovmlv.models.backbones import TemporalCLIPBackbone, TransformersVideoBackbone
from ovmlv.models.dual_encoders import describe_frames, is_dual_encoder, load_dual_encoder
from ovmlv.models.heads import TemplatePromptHead
from tests.test_models.test_dual_encoders.tiny_dual import CONFIGS

REFUSED = (OvmlvError, FileNotFoundError)


def one_line(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert '\n' not in text and len(text) < 700, text
    return text


@pytest.fixture
def folder(dual, tmp_path):
    """A function: a copy of a family's folder, with changes of its ``config.json``."""

    def copied(family: str = 'clip', **changes) -> Path:
        path = tmp_path / family
        shutil.copytree(dual(family)[1], path)
        content = json.loads((path / 'config.json').read_text())
        for place, value in changes.items():
            *above, key = place.split('__')
            part = content
            for name in above:
                part = part[name]
            part[key] = value
        (path / 'config.json').write_text(json.dumps(content))
        return path

    return copied


def load(path: Path, part: str = 'video'):
    return load_dual_encoder(str(path), str(path), part)


@pytest.mark.parametrize(
    ('family', 'changes', 'word'),
    [
        ('clip', dict(attn_implementation='owner/kernels'), 'attn_implementation'),
        ('clip', dict(vision_config___attn_implementation='owner/kernels'), 'attn_implementation'),
        ('clip', dict(quantization_config=dict(quant_method='gptq')), 'quantization_config'),
        ('clip', dict(text_config__model_type='gpt2'), 'model_type'),
        ('pe_video', dict(video_config__vision_config__architecture='hf-hub:a/b'), 'architecture'),
        (
            'pe_video',
            dict(video_config__vision_config__model_args=dict(checkpoint_path='x')),
            'checkpoint_path',
        ),
        (
            'pe_video',
            dict(video_config__vision_config__model_args=dict(pretrained_cfg=dict(url='h://x/y'))),
            'pretrained_cfg',
        ),
    ],
)
def test_what_leads_out_of_the_folder_is_refused(folder, family, changes, word):
    path = folder(family, **changes)
    for part in ('video', 'text'):
        with pytest.raises(CheckpointError, match='may lead to a program') as error:
            load(path, part)
        assert word in one_line(error)
    with pytest.raises(CheckpointError):
        describe_frames(str(path))


def test_code_of_a_folder_is_not_run(folder, tmp_path):
    mark = tmp_path / 'mark'
    code = f'open({str(mark)!r}, "w").close()\nclass C: pass\n'
    auto = dict(AutoConfig='code.C', AutoModel='code.C', AutoImageProcessor='code.C')
    path = folder('clip', auto_map=auto)
    (path / 'code.py').write_text(code)
    for name in ('preprocessor_config.json', 'tokenizer_config.json'):
        content = json.loads((path / name).read_text())
        content['auto_map'] = dict(AutoImageProcessor='code.C', AutoTokenizer=['code.C', None])
        (path / name).write_text(json.dumps(content))
    load(path)
    load(path, 'text')
    assert not mark.exists()


def test_a_pickle_is_not_run(folder, tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'mark'),)

    path = folder()
    (path / 'model.safetensors').unlink()
    (path / 'pytorch_model.bin').write_bytes(pickle.dumps(dict(a=Attack())))
    with pytest.raises(REFUSED) as error:
        load(path)
    one_line(error)
    assert not (tmp_path / 'mark').exists()


def test_an_adapter_is_refused(folder):
    path = folder()
    (path / 'adapter_config.json').write_text('{}')
    with pytest.raises(CheckpointError, match='adapter of other weights'):
        load(path)


@pytest.mark.parametrize(
    ('missing', 'part', 'word'),
    [
        ('preprocessor_config.json', 'video', 'image processor'),
        ('model.safetensors', 'video', 'weights'),
    ],
)
def test_a_missing_file_is_named(folder, missing, part, word):
    path = folder()
    (path / missing).unlink()
    with pytest.raises(REFUSED, match=word) as error:
        load(path, part)
    assert str(path) in one_line(error)


def test_a_missing_tokenizer_is_named(folder):
    path = folder('videoprism')
    for name in ('tokenizer.json', 'tokenizer_config.json'):
        (path / name).unlink()
    with pytest.raises(REFUSED) as error:
        TemplatePromptHead(str(path), str(path))
    one_line(error)


def test_weights_of_another_shape_or_half_of_them(folder):
    path = folder('clip', vision_config__intermediate_size=40)
    with pytest.raises(CheckpointError, match='has another shape') as error:
        load(path)
    assert str(path) in one_line(error)
    from safetensors.torch import load_file, save_file

    path = folder('xclip')
    state = load_file(path / 'model.safetensors')
    kept = {name: value for name, value in state.items() if not name.startswith('mit.')}
    save_file(kept, path / 'model.safetensors', metadata=dict(format='pt'))
    with pytest.raises(CheckpointError, match=r'mit\..* is missing'):
        load(path)
    load(path, 'text')  # of which nothing is missing


@pytest.mark.parametrize(
    ('name', 'word'),
    [
        (dict(model_type='bert'), 'known are videoprism'),
        (dict(model_type=['clip']), 'known are videoprism'),
        (dict(), 'known are videoprism'),
        (dict(model_type='clip', vision_config=dict(hidden_size='big')), 'clip'),
        (dict(model_type='clip', vision_config=dict(hidden_size=10, num_attention_heads=3)), ''),
        (dict(CONFIGS['clip'], processor=dict(size=3)), 'mean, std, num_frames'),
        (dict(CONFIGS['clip'], processor='x'), 'mean, std, num_frames'),
        ('transformers:/no/such/folder', 'no folder'),
        ('transformers:no/such@', 'config'),
    ],
)
def test_a_wrong_name_or_configuration(name, word):
    assert is_dual_encoder(name)
    with pytest.raises(REFUSED) as error:
        load_dual_encoder(name)
    assert word in one_line(error)


def test_weights_of_another_name(dual):
    folder = dual('clip')[1]
    with pytest.raises(ConfigError, match="'ViT-B-16' names no dual encoder"):
        TransformersVideoBackbone('ViT-B-16')
    with pytest.raises(ConfigError, match="use type='TransformersVideoBackbone'"):
        TemporalCLIPBackbone(folder, folder)
    with pytest.raises(ConfigError, match='comes with its own weights'):
        TransformersVideoBackbone(folder, 'openai')
    with pytest.raises(ConfigError, match='has random weights'):
        TransformersVideoBackbone(CONFIGS['clip'], folder)


@pytest.mark.parametrize(
    ('settings', 'word'),
    [
        (dict(num_frames=0), 'num_frames=0'),
        (dict(adapter_width=-1), 'adapter_width=-1'),
        (dict(trainable=3), 'from 1 to 2'),
        (dict(trainable=True), 'from 1 to 2'),
        (dict(trainable='some'), "trainable='some'"),
        (dict(temporal=dict(type='ParallelTemporalAttention')), 'FrameTransformer or FrameMean'),
        (dict(temporal=dict(type='Nothing')), 'FrameTransformer or FrameMean'),
    ],
)
def test_a_wrong_setting(settings, word):
    with pytest.raises(ConfigError) as error:
        TransformersVideoBackbone(CONFIGS['clip'], **settings)
    assert word in one_line(error)


@pytest.mark.parametrize('family', ['videoprism', 'pe_video', 'xclip'])
def test_whole_videos_take_no_temporal_module(family):
    with pytest.raises(ConfigError, match='encodes videos as a whole'):
        TransformersVideoBackbone(CONFIGS[family], temporal=dict(type='FrameTransformer'))


def test_wrong_inputs():
    backbone = TransformersVideoBackbone(CONFIGS['pe_video'])
    with pytest.raises(ConfigError, match='takes pictures of 32x32, not 48x40'):
        backbone(torch.rand(1, 3, 2, 40, 48))
    with pytest.raises(ConfigError, match='unsqueeze or flatten'):
        backbone(torch.rand(3, 2, 32, 32))
    naflex = TransformersVideoBackbone(CONFIGS['siglip2'])
    assert naflex(torch.rand(1, 3, 2, 16, 40)).shape == (1, 32)  # whole patches of another shape
    with pytest.raises(ConfigError, match='whole patches of 8 pixels, not 41x16'):
        naflex(torch.rand(1, 3, 2, 16, 41))
    unkept = TransformersVideoBackbone(CONFIGS['clip'], trainable='all', keep_reference=False)
    with pytest.raises(ConfigError, match='keep_reference'):
        unkept.forward_with_reference(torch.rand(1, 3, 2, 32, 32))


def test_a_label_that_does_not_fit():
    head = TemplatePromptHead(CONFIGS['videoprism'])
    room = head.text_tower.rows.max_content
    head.check(['x' * (room - len('a video of '))])
    with pytest.raises(VocabularyError, match='shorten it or set truncate=True'):
        head.check(['x' * (room + 1)])
    with pytest.warns(UserWarning, match='is cut'):
        TemplatePromptHead(CONFIGS['videoprism'], truncate=True)(['x' * 200])
