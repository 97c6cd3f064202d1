"""Weights of other projects: invented state dicts with their names and shapes."""

from __future__ import annotations

import json
import sys
import types

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from ovmlv.errors import CheckpointError
from ovmlv.models.clip import load_clip
from ovmlv.models.clip.importing import import_weights
from tests.test_models.test_clip.test_loading import IMAGES, TINY, assert_same

#: OpenAI's CLIPs have heads of 64.
OPENAI = dict(
    embed_dim=64,
    vision_cfg=dict(image_size=32, layers=2, width=64, head_width=64, patch_size=16),
    text_cfg=dict(context_length=16, vocab_size=49408, width=64, heads=1, layers=2),
)


def clip_of(seed, config=OPENAI, **kwargs):
    torch.manual_seed(seed)
    model = open_clip.model.CLIP(**config, **kwargs).eval()
    with torch.no_grad():  # open_clip starts all biases at zero
        for p in model.parameters():
            p.add_(0.02 * torch.randn_like(p))
    return model


@pytest.fixture
def architecture(tmp_path):
    path = tmp_path / 'tiny.json'
    path.write_text(json.dumps(OPENAI))
    return str(path)


def vifi_state(state):
    """``ViFiCLIP``: the text tower without its token table, beside buffers of the vocabulary."""
    out = {'prompt_learner.complete_text_embeddings': torch.zeros(5, 16, 64)}
    for name, tensor in state.items():
        if name.startswith('visual.'):
            out[f'image_encoder.{name.removeprefix("visual.")}'] = tensor
        elif name == 'logit_scale':
            out[name] = tensor
        elif name != 'token_embedding.weight':
            out[f'text_encoder.{name}'] = tensor
    return out


def open_vclip_state(state, frozen):
    """``TemporalClipVideo``: the CLIP, the raw one, and FROSTER's projectors."""
    out = {f'model.{name}': tensor for name, tensor in state.items()}
    out.update({f'raw_model.{name}': tensor for name, tensor in frozen.items()})
    for side in 'vt':
        out.update({f'projector_{side}.{i}.weight': torch.zeros(64, 64) for i in (0, 2)})
    return out


def plain(model):
    return {k: v for k, v in model.state_dict().items() if k != 'attn_mask'}


@pytest.fixture
def settings(monkeypatch):
    """What the trainers of Microsoft's X-CLIP and of ViFi-CLIP put beside their weights."""
    module = types.ModuleType('yacs.config')
    module.CfgNode = type('CfgNode', (dict,), {'__module__': 'yacs.config'})
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, 'yacs', types.ModuleType('yacs'))
        patch.setitem(sys.modules, 'yacs.config', module)
        node = module.CfgNode(MODEL=module.CfgNode(ARCH='ViT-B/16'))
        node.frozen = True
        yield node


def test_vifi_clip_takes_its_token_table_from_the_base(architecture, tmp_path, settings):
    start, tuned = (clip_of(seed, quick_gelu=True) for seed in (1, 2))
    tuned.token_embedding.load_state_dict(start.token_embedding.state_dict())
    extras = {k: torch.tensor(1) for k in ('input_resolution', 'context_length', 'vocab_size')}
    torch.save({**plain(start), **extras}, tmp_path / 'ViT.pt')
    state = {f'module.{name}': tensor for name, tensor in vifi_state(plain(tuned)).items()}
    torch.save({'model': state, 'epoch': 10, 'config': settings}, tmp_path / 'vifi.pth')
    del sys.modules['yacs.config']
    out = str(tmp_path / 'out.safetensors')
    with pytest.raises(CheckpointError, match=r'token_embedding\.weight is missing'):
        import_weights(str(tmp_path / 'vifi.pth'), architecture, out)
    filled = import_weights(str(tmp_path / 'vifi.pth'), architecture, out, str(tmp_path / 'ViT.pt'))
    assert filled == ['token_embedding.weight']
    assert_same(load_clip(architecture, out), tuned)
    # For the image tower alone nothing is missing.
    vision = load_clip(architecture, str(tmp_path / 'vifi.pth'), part='vision').visual.eval()
    with torch.no_grad():
        torch.testing.assert_close(vision(IMAGES), tuned.encode_image(IMAGES), atol=1e-5, rtol=0)


def test_open_vclip_and_froster(architecture, tmp_path):
    start, tuned = (clip_of(seed, quick_gelu=True) for seed in (1, 2))
    path = str(tmp_path / 'checkpoint_epoch_00022.pyth')
    state = open_vclip_state(plain(tuned), plain(start))
    torch.save({'epoch': 21, 'model_state': state, 'cfg': 'TRAIN:\n  ENABLE: true'}, path)
    out = str(tmp_path / 'out.safetensors')
    assert import_weights(path, architecture, out) == []
    assert_same(load_clip(architecture, out), tuned)
    assert_same(load_clip(architecture, path), tuned)  # complete: no conversion is needed


@pytest.mark.parametrize(
    'name',
    [
        'model.visual.transformer.resblocks.0.message_fc.weight',
        'model.visual.transformer.resblocks.1.stadapt_up_1.bias',
        'model.prompt_embed',
    ],
)
def test_weights_that_clip_has_not_are_refused(name, architecture, tmp_path):
    model = clip_of(1)
    state = {**open_vclip_state(plain(model), {}), name: torch.zeros(3)}
    torch.save({'model_state': state}, tmp_path / 'x.pyth')
    with pytest.raises(CheckpointError, match='weights that CLIP does not have'):
        load_clip(architecture, str(tmp_path / 'x.pyth'))


def test_prompted_vifi_clip_is_refused(architecture, tmp_path):
    state = {**vifi_state(plain(clip_of(1))), 'prompt_learner.ctx': torch.zeros(4, 64)}
    torch.save({'model': state}, tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match=r'prompt_learner\.ctx'):
        load_clip(architecture, str(tmp_path / 'x.pth'))


def test_another_architecture_is_refused(tmp_path):
    path = tmp_path / 'tiny.json'
    path.write_text(json.dumps(TINY))
    torch.save({'model_state': open_vclip_state(plain(clip_of(1)), {})}, tmp_path / 'x.pyth')
    with pytest.raises(CheckpointError, match='do not fit the architecture'):
        import_weights(str(tmp_path / 'x.pyth'), str(path), str(tmp_path / 'out.safetensors'))


@pytest.mark.parametrize('form', ['openai', 'open_clip'])
def test_image_formats(form, architecture, tmp_path):
    model = clip_of(3, quick_gelu=form != 'open_clip')
    source = tmp_path / 'in.safetensors'
    state = {k: v.contiguous() for k, v in plain(model).items()}
    if form == 'openai':
        source = tmp_path / 'in.pt'
        extras = {k: torch.tensor(1) for k in ('input_resolution', 'context_length', 'vocab_size')}
        torch.save({**state, **extras}, source)
    else:
        save_file(state, source)
    out = str(tmp_path / 'out.safetensors')
    assert import_weights(str(source), architecture, out) == []
    assert_same(load_clip(architecture, out), model)
    assert ('input_resolution' in load_file(out)) == (form != 'open_clip')
