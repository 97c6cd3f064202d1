import json

import open_clip
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from open_clip.model import CLIP, CustomTextCLIP
from safetensors.torch import load_file
from torch import nn

from ovmlv.apis import init_recognizer, open_model
from ovmlv.apis.zero_shot import SHIPPED_TEMPLATES, TEMPLATES, default_pipeline
from ovmlv.errors import CheckpointError, ConfigError
from ovmlv.models.clip.weights import find_weights
from ovmlv.models.heads.background import EVERYDAY

from .conftest import SHIPPED

LABELS = ['red circle', 'a green tree', 'spinning']


def by_open_clip(architecture, weights, templates, frames):
    """Similarities ``(B, C)`` and unit vectors by open_clip alone, frames ``(B, 3, T, H, W)``."""
    config = json.loads(architecture.read_text())
    length = config['text_cfg']['context_length']
    bpe = config['text_cfg'].pop('tokenizer_kwargs')['bpe_path']
    model_class = CustomTextCLIP if config.pop('custom_text', False) else CLIP
    model = model_class(**config).eval()
    model.load_state_dict(load_file(weights))
    tokenize = open_clip.SimpleTokenizer(
        bpe_path=str(architecture.parent / bpe), context_length=length
    )
    mean, std = (
        torch.tensor(v)[:, None, None, None]
        for v in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    with torch.no_grad():
        images = ((frames.float() / 255 - mean) / std).transpose(1, 2)
        video = torch.stack([model.encode_image(v).mean(0) for v in images])

        def encode(labels):
            rows = [
                model.encode_text(tokenize([t.format(label) for t in templates]), normalize=True)
                for label in labels
            ]
            return F.normalize(torch.stack([row.mean(0) for row in rows]), dim=-1)

        return F.normalize(video, dim=-1), encode, float(model.logit_scale.exp())


@pytest.fixture(scope='module')
def frames():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, 5, 64, 64), dtype=torch.uint8, generator=generator)


def test_sigmoid_trained_weights_give_their_own_probabilities(frames):
    paths = SHIPPED / 'motionshapes.json', SHIPPED / 'motionshapes.safetensors'
    video, encode, scale = by_open_clip(*paths, SHIPPED_TEMPLATES['motionshapes'], frames)
    bias = float(load_file(paths[1])['logit_bias'])
    model = open_model('motionshapes', device='cpu')
    found = model.predict_labels(frames[:, None], LABELS)
    wanted = (scale * video @ encode(LABELS).T + bias).sigmoid()
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    assert not model.training and list(model.cfg.test_pipeline) == default_pipeline()


def test_softmax_trained_weights_are_measured_from_the_background(softmax_clip, frames):
    """``z_l`` minus the mean over everyday captions, minus what those have where none is seen."""
    video, encode, scale = by_open_clip(*softmax_clip, TEMPLATES, frames)
    background = encode(EVERYDAY)
    share = 0.4 * scale * (background - background.mean(0)) @ (background - background.mean(0)).T
    rest = [torch.cat([row[:i], row[i + 1 :]]).exp().sum().log() for i, row in enumerate(share)]
    z = scale * video @ torch.cat([encode(LABELS), background]).T
    wanted = (z[:, :3] - z[:, 3:].mean(1, keepdim=True) - torch.stack(rest).mean()).sigmoid()
    model = open_model(softmax_clip[0], softmax_clip[1], device='cpu')
    found = model.predict_labels(frames[:, None], LABELS)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-3)


def test_the_default_calibration_tells_what_is_there(softmax_clip, videos):
    from ovmlv.apis import OVMLVInferencer

    inferencer = OVMLVInferencer(*softmax_clip, device='cpu')
    names = ['red circle', 'blue square', 'green tree']
    for result in inferencer([videos[name] for name in names], names):
        right, *wrong = result.top()
        assert right.label in result.video and right.probability > 0.2
        assert all(score.probability < 0.1 for score in wrong)


def test_a_config_and_its_checkpoint(config_file, tmp_path, frames):
    model = init_recognizer(config_file, device='cpu')
    with torch.no_grad():
        model.scorer.bias += 1
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'a.pth')
    for config in (config_file, str(config_file), Config.fromfile(config_file)):
        found = open_model(config, tmp_path / 'a.pth', 'cpu')
        assert float(found.scorer.bias) == float(model.scorer.bias)
    changed = open_model(config_file, device='cpu', cfg_options={'model.scorer.init_bias': -7.0})
    assert float(changed.scorer.bias) == -7


def test_a_recognizer(model):
    assert open_model(model) is model
    with pytest.raises(ConfigError, match='built already; leave weights'):
        open_model(model, 'x.pth')
    with pytest.raises(TypeError, match='Linear cannot tag videos'):
        open_model(nn.Linear(1, 1))


def test_published_weights_are_listed():
    with pytest.raises(ConfigError, match=r'ViT-B-16 needs weights: .*openai, laion400m') as caught:
        open_model('ViT-B-16')
    assert '\n' not in str(caught.value)
    with pytest.raises(ConfigError, match="ViT-B-16 has no weights 'laion'; there are openai"):
        open_model('ViT-B-16/laion')
    with pytest.raises(ConfigError, match='given weights twice'):
        open_model('ViT-B-16/openai', 'openai')
    with pytest.raises(ConfigError, match=r'did you mean ViT-B-16'):
        open_model('ViTB16')


@pytest.mark.parametrize(
    ('model', 'weights'),
    [('ViT-B-16/openai', None), ('ViT-B/16', 'openai'), ('ViT-B-16', 'openai')],
)
def test_weights_that_cannot_be_downloaded(monkeypatch, model, weights):
    """Which weights are asked for, and what is said where there is no network."""
    asked = []

    def fail(config, *args, **kwargs):
        asked.append(config)
        raise OSError('no network')

    monkeypatch.setattr(open_clip, 'download_pretrained', fail)
    with pytest.raises(CheckpointError, match=r"weights 'openai' of ViT-B-16 cannot be down") as e:
        open_model(model, weights)
    assert "weights='/path/to/the/file'" in str(e.value) and '\n' not in str(e.value)
    assert asked[0] == open_clip.get_pretrained_cfg('ViT-B-16', 'openai')


def test_local_weights_of_an_architecture(softmax_clip, tmp_path):
    """A transformers folder or an OpenAI file is read as well; see test_loading."""
    from ovmlv.models.clip.architecture import find_architecture

    folder = tmp_path / 'weights'
    folder.mkdir()
    (folder / 'open_clip_model.safetensors').write_bytes(softmax_clip[1].read_bytes())
    assert find_weights(find_architecture(str(softmax_clip[0])), str(folder)).state
    model = open_model(str(softmax_clip[0]), folder, 'cpu')
    assert model.cfg.model.backbone.pretrained == str(folder)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('some/folder/', 'is no published model'),
        ('weights.pth', 'holds weights alone; give the config'),
        ('nowhere.py', 'there is no config'),
        ('nowhere.json', 'no architecture file'),
    ],
)
def test_what_is_no_model(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'some' / 'folder').mkdir(parents=True)
    with pytest.raises((ConfigError, FileNotFoundError), match=message):
        open_model(name)
    with pytest.raises(TypeError, match='model is int'):
        open_model(3)


def test_json_is_an_architecture_or_a_config(tmp_path, config_file, softmax_clip):
    cfg = Config.fromfile(config_file)
    cfg.dump(tmp_path / 'cfg.json')
    assert open_model(tmp_path / 'cfg.json', device='cpu').backbone.num_frames == 4
    with pytest.raises(ConfigError, match="give weights='/path"):
        open_model(softmax_clip[0])


def test_zero_shot_models_can_be_exported_and_kept_in_banks(softmax_clip, frames):
    """Embeddings that are no unit vectors give the same probabilities everywhere."""
    from ovmlv.apis import LabelBank, LabelIndex
    from ovmlv.export import make_label_set

    model = open_model(*softmax_clip, device='cpu')
    inputs = frames[:, None]
    wanted = model.predict_labels(inputs, LABELS)
    bank = LabelBank.build(model, LABELS)
    torch.testing.assert_close(bank.probabilities(model, inputs), wanted)
    views = model.encode_views(inputs).detach().numpy()
    found = torch.from_numpy(make_label_set(model, bank).probabilities(views))
    torch.testing.assert_close(found.float(), wanted)
    pytest.importorskip('faiss')
    exact, index = (found.top_k(model, inputs, 2) for found in (bank, LabelIndex(bank)))
    assert [[s.label for s in row] for row in exact] == [[s.label for s in row] for row in index]
