"""CLIPs load from every naming of weights; the library that made the weights is the oracle."""

import json
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save, save_file

from ovmlv import weight_files
from ovmlv.apis.zero_shot import zero_shot_config
from ovmlv.errors import CheckpointError, ConfigError
from ovmlv.files import file_digest
from ovmlv.models.clip import load_clip
from ovmlv.models.clip.architecture import _TOKENIZER_KWARGS, find_architecture
from ovmlv.models.clip.saving import save_clip

TINY = {
    'embed_dim': 24,
    'vision_cfg': {'image_size': 32, 'layers': 2, 'width': 32, 'head_width': 16, 'patch_size': 16},
    'text_cfg': {'context_length': 16, 'vocab_size': 49408, 'width': 32, 'heads': 2, 'layers': 2},
}
IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
TEXTS = ['a photo of a cat', 'dog']


@pytest.fixture
def write(tmp_path):
    """Write an architecture file with changes to TINY; returns its path."""

    def _write(name='tiny.json', **changes):
        config = json.loads(json.dumps({**TINY, **changes}))
        path = tmp_path / name
        path.write_text(json.dumps(config))
        return str(path)

    return _write


def original(**changes):
    torch.manual_seed(1)
    config = {**TINY, **changes}
    custom = config.pop('custom_text', False)
    model_class = open_clip.model.CustomTextCLIP if custom else open_clip.model.CLIP
    return model_class(**config).eval()


def assert_same(clip, model, images=IMAGES):
    with torch.no_grad():
        torch.testing.assert_close(
            clip.visual.eval()(images), model.encode_image(images), atol=1e-5, rtol=0
        )
        tokens = clip.tokenizer(TEXTS, context_length=16)
        torch.testing.assert_close(
            clip.text.eval().encode_text(tokens), model.encode_text(tokens), atol=1e-5, rtol=0
        )
    assert clip.logit_scale == pytest.approx(model.logit_scale.exp().item())


@pytest.mark.parametrize('custom_text', [False, True])
@pytest.mark.parametrize('form', ['safetensors', 'pt', 'training', 'other_layout'])
def test_open_clip_format(write, tmp_path, custom_text, form):
    model = original(custom_text=custom_text)
    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    path = tmp_path / f'weights.{"safetensors" if form == "safetensors" else "pt"}'
    if form == 'safetensors':
        save_file(state, path)
    elif form == 'training':
        torch.save({'epoch': 3, 'state_dict': {f'module.{k}': v for k, v in state.items()}}, path)
    elif form == 'other_layout':
        torch.save(original(custom_text=not custom_text).state_dict(), path)
        model.load_state_dict(state)
    else:
        torch.save(state, path)
    assert_same(load_clip(write(custom_text=custom_text), str(path)), model)


@pytest.mark.parametrize('archive', [False, True])
def test_openai_format(write, tmp_path, archive, monkeypatch):
    """OpenAI's state dicts are in half precision, carry three numbers, and mean QuickGELU."""
    shape = dict(
        embed_dim=64,
        vision_cfg=dict(image_size=32, layers=1, width=64, head_width=64, patch_size=16),
        text_cfg=dict(context_length=16, vocab_size=49408, width=64, heads=1, layers=1),
    )
    torch.manual_seed(0)
    source = open_clip.model.CLIP(**shape, quick_gelu=True)
    state = dict(
        source.state_dict(), input_resolution=torch.tensor(32), context_length=torch.tensor(16)
    )
    state['vocab_size'] = torch.tensor(49408)
    path = tmp_path / 'openai.pt'
    if archive:
        _save_archive(state, path)
        with pytest.raises(CheckpointError, match='TorchScript archive is a program'):
            load_clip(write(**shape), str(path))
        known = frozenset([file_digest(path)])
        monkeypatch.setattr(weight_files, '_known_archives', lambda: known)
    else:
        torch.save(state, path)
    reference = open_clip.model.build_model_from_openai_state_dict(
        dict(state), cast_dtype=torch.float16
    ).float()
    clip = load_clip(write(**shape), str(path))
    with torch.no_grad():
        # The reference has rounded its weights to half precision.
        torch.testing.assert_close(
            clip.visual(IMAGES), reference.encode_image(IMAGES), atol=3e-3, rtol=0
        )
        exact = source.eval().encode_image(IMAGES)
        torch.testing.assert_close(clip.visual.eval()(IMAGES), exact, atol=1e-5, rtol=0)


def _save_archive(state, path):
    """A TorchScript archive whose state dict has the given (dotted) names."""

    def tree(entries):
        module = torch.nn.Module()
        groups = {}
        for name, tensor in entries.items():
            head, _, tail = name.partition('.')
            if tail:
                groups.setdefault(head, {})[tail] = tensor
            else:
                module.register_buffer(head, tensor)
        for head, group in groups.items():
            module.add_module(head, tree(group))
        return module

    torch.jit.script(tree(state)).save(str(path))


def test_transformers_format(write, tmp_path):
    from transformers import CLIPConfig, CLIPModel

    def config(act):
        common = dict(
            hidden_size=32, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2
        )
        return CLIPConfig(
            projection_dim=24,
            text_config=dict(
                common,
                vocab_size=49408,
                max_position_embeddings=16,
                hidden_act=act,
                eos_token_id=49407,
            ),
            vision_config=dict(common, image_size=32, patch_size=16, hidden_act=act),
        )

    for act in ('quick_gelu', 'gelu'):
        torch.manual_seed(0)
        model = CLIPModel(config(act)).eval()
        folder = tmp_path / act
        model.save_pretrained(folder)
        sources = [folder, folder / 'model.safetensors'] if act == 'gelu' else [folder]
        for source in sources:  # the folder tells the activation, the file alone does not
            clip = load_clip(write(), str(source))
            tokens = clip.tokenizer(TEXTS, context_length=16)
            with torch.no_grad():
                image = _features(model.get_image_features(pixel_values=IMAGES))
                text = _features(model.get_text_features(input_ids=tokens))
                torch.testing.assert_close(clip.visual.eval()(IMAGES), image, atol=1e-5, rtol=0)
                torch.testing.assert_close(
                    clip.text.eval().encode_text(tokens), text, atol=1e-5, rtol=0
                )
            assert clip.logit_scale == pytest.approx(model.logit_scale.exp().item())


def _features(output):
    return output if isinstance(output, torch.Tensor) else output.pooler_output


def test_parts_fingerprint_and_sizes(write, tmp_path):
    path = tmp_path / 'w.pt'
    torch.save(original().state_dict(), path)
    both = load_clip(write(), str(path))
    vision = load_clip(write(), str(path), part='vision', image_size=64)
    text = load_clip(write(), str(path), part='text')
    assert (
        vision.text is None
        and text.visual is None
        and both.visual is not None
        and both.text is not None
    )
    assert both.fingerprint == vision.fingerprint == text.fingerprint
    assert load_clip(write()).fingerprint != both.fingerprint
    assert vision.image_size == (64, 64) and both.image_size == (32, 32)
    assert vision.visual(torch.randn(1, 3, 64, 64)).shape == (1, 24)


def test_one_tower_is_enough_for_one_part(write, tmp_path):
    state = original().state_dict()
    path = tmp_path / 'vision.pt'
    torch.save({k: v for k, v in state.items() if k.startswith('visual.')}, path)
    clip = load_clip(write(), str(path), part='vision')
    assert torch.equal(clip.visual.conv1.weight, state['visual.conv1.weight'])
    with pytest.raises(CheckpointError, match='missing'):
        load_clip(write(), str(path), part='text')


def test_resnet_positions_are_interpolated(write, tmp_path):
    resnet = {'image_size': 64, 'layers': [1, 1, 1, 1], 'width': 16, 'patch_size': None}
    model = original(vision_cfg=resnet)
    torch.save(model.state_dict(), tmp_path / 'rn.pt')
    path = write(vision_cfg=resnet)
    assert_same(load_clip(path, str(tmp_path / 'rn.pt')), model, torch.randn(2, 3, 64, 64))
    larger = load_clip(path, str(tmp_path / 'rn.pt'), image_size=96, part='vision')
    assert larger.visual(torch.randn(1, 3, 96, 96)).shape == (1, 24)


def test_normalization_follows_the_tags():
    assert find_architecture('ViT-B-16-SigLIP').normalization() == ((0.5,) * 3, (0.5,) * 3)
    assert find_architecture('ViT-B-16').normalization('openai')[0] == open_clip.OPENAI_DATASET_MEAN


def test_normalization_and_tokenizer_of_a_file(write, tmp_path):
    clip = load_clip(write(preprocess_cfg={'mean': [0.1, 0.2, 0.3], 'std': [1, 1, 1]}))
    assert clip.mean == (0.1, 0.2, 0.3) and clip.std == (1, 1, 1)
    assert load_clip(write()).mean == open_clip.OPENAI_DATASET_MEAN
    bpe = open_clip.tokenizer.default_bpe()
    (tmp_path / 'words.gz').write_bytes(Path(bpe).read_bytes())
    text_cfg = dict(TINY['text_cfg'], tokenizer_kwargs={'bpe_path': 'words.gz'})
    ours = load_clip(write(text_cfg=text_cfg)).tokenizer(TEXTS)
    assert ours.shape == (2, 16)
    assert torch.equal(ours, open_clip.SimpleTokenizer(context_length=16)(TEXTS))


def test_timm_towers_of_ours(write):
    vision_cfg = {
        'timm_model_name': 'vit_motionshapes',
        'timm_pool': 'avg',
        'timm_proj': 'linear',
        'image_size': 64,
    }
    clip = load_clip(write(vision_cfg=vision_cfg, custom_text=True), part='vision')
    assert clip.visual(torch.randn(2, 3, 64, 64)).shape == (2, 24)


def test_mistakes_are_one_line(write, tmp_path, monkeypatch):
    monkeypatch.setattr(
        open_clip, 'download_pretrained', lambda *a, **k: (_ for _ in ()).throw(OSError('no route'))
    )
    weights = tmp_path / 'w.pt'
    torch.save(original().state_dict(), weights)
    (tmp_path / 'broken.safetensors').write_bytes(b'\0' * 100)
    (tmp_path / 'broken.pt').write_bytes(b'nonsense')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'bad.json').write_text('{')
    wide = write('wide.json', vision_cfg=dict(TINY['vision_cfg'], width=48))
    deep = write('deep.json', text_cfg=dict(TINY['text_cfg'], layers=3))
    cases = [
        (('ViT-B-61',), ConfigError, 'ViT-B-16'),
        ((str(tmp_path / 'none.json'),), FileNotFoundError, 'none.json'),
        ((str(tmp_path / 'bad.json'),), ConfigError, 'bad.json'),
        ((write('short.json', text_cfg={'bogus': 1}),), ConfigError, 'bogus'),
        (('ViT-B-32', 'opnai'), ConfigError, 'openai'),
        (('ViT-B-32', 'openai'), CheckpointError, 'pretrained='),
        (('ViT-B-32', './w.safetensors'), FileNotFoundError, 'w.safetensors'),
        ((write(), str(tmp_path / 'broken.safetensors')), CheckpointError, 'broken.safetensors'),
        ((write(), str(tmp_path / 'broken.pt')), CheckpointError, 'broken.pt'),
        ((write(), str(tmp_path / 'empty')), FileNotFoundError, 'empty'),
        ((wide, str(weights)), CheckpointError, 'visual.class_embedding'),
        ((deep, str(weights)), CheckpointError, r'transformer.resblocks.2'),
        ((write(), None, None, 'visual'), ConfigError, "'visual'"),
    ]
    for args, error, culprit in cases:
        with pytest.raises(error) as caught:
            load_clip(*args)
        message = str(caught.value)
        assert culprit in message and '\n' not in message, message


def test_a_text_tower_of_the_hub_is_not_needed_for_the_image_tower(tmp_path, monkeypatch):
    """FAULTS F9: without a connection; the text tower itself is one clear line."""
    from safetensors.torch import save_file
    from transformers import RobertaConfig

    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    size = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    RobertaConfig(vocab_size=100, **size).save_pretrained(tmp_path / 'roberta')
    vision = dict(image_size=32, layers=1, width=32, head_width=16, patch_size=16)
    text = dict(hf_model_name='nobody/roberta-of-nowhere', hf_pooler_type='mean_pooler')
    config = dict(embed_dim=24, vision_cfg=vision, text_cfg=text)
    absent, here = tmp_path / 'absent.json', tmp_path / 'here.json'
    absent.write_text(json.dumps(config))
    config['text_cfg'] = dict(text, hf_model_name='roberta')
    here.write_text(json.dumps(config))
    torch.manual_seed(0)
    both = load_clip(str(here))
    state = {f'visual.{k}': v for k, v in both.visual.state_dict().items()}
    state.update(both.text.state_dict())
    assert any('roberta' in k or k.startswith('text.transformer') for k in state)
    weights = str(tmp_path / 'clip.safetensors')
    save_file({k: v.contiguous() for k, v in state.items()}, weights)
    image = torch.randn(2, 3, 32, 32)
    alone = load_clip(str(absent), weights, part='vision')
    assert alone.text is None and alone.logit_scale == pytest.approx(both.logit_scale)
    torch.testing.assert_close(alone.visual(image), both.visual(image))
    assert load_clip(str(absent), part='vision').embed_dim == 24
    again = load_clip(str(here), weights)
    assert again.fingerprint == both.fingerprint
    for part in ('text', 'both'):
        with pytest.raises(ConfigError, match=r'nobody/roberta-of-nowhere.*local folder') as error:
            load_clip(str(absent), part=part)
        assert '\n' not in str(error.value)
    with pytest.raises(ConfigError, match='local folder'):
        load_clip('roberta-ViT-B-32', part='text')


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A function that puts files where Hugging Face's hub keeps what it downloaded."""
    cache = tmp_path / 'hub'
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(cache))

    def put(repository, **files):
        folder = cache / f'models--{repository.replace("/", "--")}'
        revision = 'a' * 40
        snapshot = folder / 'snapshots' / revision
        snapshot.mkdir(parents=True)
        (folder / 'refs').mkdir()
        (folder / 'refs' / 'main').write_text(revision)
        for name, data in files.items():
            (snapshot / name.replace('__', '.')).write_bytes(data)

    return put


def test_clips_of_the_hub(hub, tmp_path):
    """FAULTS D16: ``hf-hub:owner/name`` is a CLIP of open_clip; nothing is cut at its slash."""
    model = original()
    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    description = dict(model_cfg=TINY, preprocess_cfg=dict(mean=[0.1, 0.2, 0.3], std=[1, 1, 1]))
    hub(
        'owner/name.of-it',
        open_clip_config__json=json.dumps(description).encode(),
        open_clip_model__safetensors=save(state),
    )
    name = 'hf-hub:owner/name.of-it'
    theirs = open_clip.create_model(name)
    clip = load_clip(name, name)
    assert_same(clip, theirs.eval())
    assert_same(clip, model)
    assert clip.mean == (0.1, 0.2, 0.3)
    cfg = zero_shot_config(name)
    assert cfg.model.backbone.model_name == cfg.model.head.pretrained == name
    saved = save_clip(name, name, tmp_path / 'saved')
    assert_same(load_clip(str(saved['model_name']), str(saved['pretrained'])), model)
    for wrong in ('hf-hub:owner/none', 'hf-hub:owner', 'hf-hub:'):
        with pytest.raises(ConfigError, match='open_clip_config.json'):
            zero_shot_config(wrong)
    with pytest.raises(CheckpointError, match='weights of hf-hub:owner/none'):
        load_clip(name, 'hf-hub:owner/none')
    hub('owner/bad', open_clip_config__json=b'[')
    with pytest.raises(ConfigError, match='no valid JSON'):
        zero_shot_config('hf-hub:owner/bad')


def test_settings_of_all_tokenizers_are_known():
    for name in open_clip.list_models():
        text = open_clip.get_model_config(name)['text_cfg']
        assert set(text.get('tokenizer_kwargs') or {}) <= _TOKENIZER_KWARGS, name
