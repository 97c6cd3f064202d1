import json
import shutil

import numpy as np
import pytest
import torch
from mmengine.config import Config
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from ovmlv.apis import LabelBank, OVMLVInferencer, init_recognizer, open_model, publish_model
from ovmlv.apis.literal_config import read_literal_config
from ovmlv.errors import CheckpointError, ConfigError, DataError
from ovmlv.evaluation import Calibration

LABELS = ['red circle', 'green tree']


def trained(cfg, device='cpu'):
    """A model of a config with other weights than at the start."""
    model = init_recognizer(cfg, device=device)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def scores(model):
    generator = torch.Generator().manual_seed(1)
    size = model.backbone.image_size
    frames = torch.randint(0, 256, (2, 1, 3, 4, *size), dtype=torch.uint8, generator=generator)
    return model.predict_labels(frames, LABELS).detach()


def same(a, b):
    torch.testing.assert_close(scores(a), scores(b), atol=1e-6, rtol=1e-5)


@pytest.fixture(scope='module')
def original(config_file):
    return trained(config_file)


@pytest.fixture(scope='module')
def folder(original, tmp_path_factory):
    folder = tmp_path_factory.mktemp('models') / 'tiny'
    calibration = Calibration(2.0, -1.0, 0.4, {'green tree': 0.2})
    return publish_model(original, folder, LABELS, calibration)


def test_everything_comes_back(original, folder, videos):
    same(open_model(folder, device='cpu'), original)
    inferencer = OVMLVInferencer(folder, device='cpu')
    assert isinstance(inferencer.labels, LabelBank) and inferencer.labels.labels == tuple(LABELS)
    path = videos['green tree']
    given = OVMLVInferencer(original, calibration=Calibration(2.0, -1.0))(path, LABELS)[0]
    found = inferencer(path)[0]
    np.testing.assert_allclose(found.probabilities, given.probabilities, atol=1e-5)
    np.testing.assert_allclose(found.thresholds, [0.4, 0.2])
    changed = OVMLVInferencer(folder, device='cpu', labels=['dog'], calibration=Calibration())
    assert changed(path)[0].labels == ('dog',) and changed.calibration == Calibration()


def test_the_folder_has_no_data_and_nothing_of_training(folder):
    cfg = read_literal_config(folder / 'config.py')
    assert set(cfg) == {'default_scope', 'model', 'test_pipeline'}
    assert not {'loss', 'ann_file'} & set(cfg.model)
    assert not any(key.startswith('criterion') for key in load_file(folder / 'model.safetensors'))
    index = json.loads((folder / 'ovmlv.json').read_text())
    assert index['pretrained'] == ['motionshapes / motionshapes']
    card = (folder / 'README.md').read_text()
    assert index['fingerprint'] in card and 'OVMLVInferencer' in card and '2 labels' in card


@pytest.mark.parametrize(
    'name', ['model.safetensors', 'config.py', 'calibration.json', 'README.md']
)
def test_altered_files_are_refused(folder, tmp_path, name):
    copy = shutil.copytree(folder, tmp_path / 'copy')
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(DataError, match=f'{name} was altered since'):
        open_model(copy)
    (copy / name).unlink()
    with pytest.raises(DataError, match=f'{name} of the published model is missing'):
        open_model(copy)


def test_an_altered_index_is_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / 'copy')
    text = (copy / 'ovmlv.json').read_text()
    for changed, message in [
        (text.replace('motionshapes', 'motionshapas'), 'was altered'),
        (text[:100], 'is no index of a published model'),
        (text.replace('ovmlv model 1', 'ovmlv model 9'), "of format 'ovmlv model 9'"),
    ]:
        (copy / 'ovmlv.json').write_text(changed)
        with pytest.raises(DataError, match=message):
            open_model(copy)
    with pytest.raises(ConfigError, match='which has its own weights'):
        open_model(folder, 'a.pth')


def test_pretrained_weights_go_along(tmp_path, softmax_clip, videos):
    """Local files of a CLIP: refused by name, and gone afterwards where they are included."""
    files = tmp_path / 'files'
    files.mkdir()
    clip = [shutil.copy(path, files) for path in softmax_clip]
    shutil.copy(softmax_clip[0].parent / 'motionshapes_bpe.txt.gz', files)
    model = open_model(*clip, device='cpu')
    wanted = scores(model)
    with pytest.raises(ConfigError, match=r'model.backbone.model_name is the local .*include'):
        publish_model(model, tmp_path / 'by_name')
    publish_model(model, tmp_path / 'made', include_pretrained=True)
    shutil.rmtree(files)
    moved = shutil.move(tmp_path / 'made', tmp_path / 'moved')
    torch.testing.assert_close(scores(open_model(moved, device='cpu')), wanted)
    again = publish_model(open_model(moved, device='cpu'), moved, include_pretrained=True)
    torch.testing.assert_close(scores(open_model(again, device='cpu')), wanted)


def llm_config(clip, llm):
    return Config(
        dict(
            model=dict(
                type='OpenVocabRecognizer',
                backbone=dict(
                    type='TemporalCLIPBackbone',
                    **clip,
                    temporal=dict(type='FrameTransformer', num_heads=2),
                    trainable='all',
                ),
                head=dict(
                    type='LLMPromptHead',
                    **clip,
                    llm=llm,
                    readout=dict(type='PrefixReadout', num_tokens=2),
                    prompter=dict(num_layers=1),
                ),
                loss=dict(type='RegularizedMultilabelLoss', weight_l2=1.0, video_distill=1.0),
            ),
            test_pipeline=[dict(type='SampleSegmentFrames', clip_len=4)],
        )
    )


def test_a_model_with_everything(softmax_clip, tmp_path):
    """A finetuned tower, a language model in a folder, and a loss that compares with the start."""
    llm = tmp_path / 'llm'
    torch.manual_seed(0)
    config = GPT2Config(
        n_embd=16, n_layer=2, n_head=2, vocab_size=8, bos_token_id=0, eos_token_id=0
    )
    GPT2LMHeadModel(config).save_pretrained(llm)
    words = Tokenizer(WordLevel(dict(zip('?abcdefg', range(8))), unk_token='?'))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token='?').save_pretrained(llm)
    clip = dict(model_name=str(softmax_clip[0]), pretrained=str(softmax_clip[1]))
    model = trained(llm_config(clip, dict(name=str(llm))))
    publish_model(model, tmp_path / 'out', include_pretrained=True)
    shutil.rmtree(llm)
    same(open_model(tmp_path / 'out', device='cpu'), model)


def test_other_content_of_a_folder_is_left_alone(original, tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(ConfigError, match='is no published model; name another'):
        publish_model(original, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['notes.txt']


def test_a_bank_of_another_model_is_not_published(original, softmax_clip, tmp_path):
    bank = LabelBank.build(open_model(*softmax_clip, device='cpu'), LABELS)
    with pytest.raises(CheckpointError, match='another label encoder'):
        publish_model(original, tmp_path / 'out', bank)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'text',
    [
        'import os',
        'a = print(3)',
        'a = [x for x in (1, 2)]',
        "a = dict(**{'b': 3})",
        "model = dict(type='subprocess.run', args='true')",
        'a = b',
        'a = (',
    ],
)
def test_configs_of_others_run_nothing(tmp_path, text):
    (tmp_path / 'config.py').write_text(text)
    with pytest.raises(DataError, match='is no config of plain values'):
        read_literal_config(tmp_path / 'config.py')


def test_plain_values_are_read(tmp_path):
    (tmp_path / 'config.py').write_text(
        "a = dict(b=(1, -2.5), c=['x', None], type='mmaction.Resize')"
    )
    found = read_literal_config(tmp_path / 'config.py')
    assert found.a == dict(b=(1, -2.5), c=['x', None], type='mmaction.Resize')


@pytest.mark.slow
def test_every_config_may_be_published(repository):
    """What :func:`check_published` allows is what configs of this project say."""
    from types import SimpleNamespace

    from ovmlv.apis.literal_config import check_published
    from ovmlv.apis.model_publishing import _for_inference

    seen = 0
    for path in sorted((repository / 'configs').rglob('*.py')):
        if '_base_' in path.parts:
            continue
        cfg = Config.fromfile(path)
        if cfg.get('model') is None or not hasattr(cfg, 'test_dataloader'):
            continue
        cfg.default_scope = cfg.get('default_scope') or 'ovmlv'
        check_published(_for_inference(SimpleNamespace(cfg=cfg, data_preprocessor=None)))
        seen += 1
    assert seen > 20
