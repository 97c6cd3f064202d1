"""Only the tower that is asked for is built, and it is that of the whole model."""

from __future__ import annotations

import json
import weakref
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ovmlv.models.clip import load_clip
from ovmlv.models.utils.frozen import fingerprint
from tests.test_models.test_clip.test_text_tower import shrunk

LAYOUTS = ['ViT-B-32', 'ViT-B-16-SigLIP2', 'PE-Core-B-16', 'coca_ViT-B-32']
POSITIONS = 'visual.positional_embedding'


class Allocations(TorchDispatchMode):
    """Numbers that tensors hold at the same time, at most."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor) and leaf.device.type == 'cpu':
                self._count(leaf.untyped_storage())
        return out

    def _count(self, storage: Any) -> None:
        key = storage._cdata
        if key not in self.held:
            self.held[key] = storage.nbytes() // 4
            weakref.finalize(storage, self.held.pop, key, None)
            self.peak = max(self.peak, sum(self.held.values()))


@pytest.fixture(params=LAYOUTS)
def files(request, tmp_path):
    """Architecture and weights of a shrunk CLIP, and the model of open_clip that they are of."""
    config = shrunk(request.param, tmp_path)
    (tmp_path / 'clip.json').write_text(json.dumps(config))
    torch.manual_seed(0)
    custom = config.pop('custom_text', False)
    model_class = open_clip.model.CustomTextCLIP if custom else open_clip.model.CLIP
    model_class = open_clip.CoCa if 'multimodal_cfg' in config else model_class
    model = model_class(**config).eval()
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(state, tmp_path / 'clip.safetensors')
    return str(tmp_path / 'clip.json'), str(tmp_path / 'clip.safetensors'), model


def test_each_tower_is_that_of_the_whole_model(files):
    path, weights, model = files
    vision = load_clip(path, weights, part='vision')
    text = load_clip(path, weights, part='text')
    assert vision.text is None and text.visual is None
    core = getattr(model, 'text', model)
    own = getattr(text.text, 'text', text.text)
    ids = torch.randint(3, 100, (3, core.context_length))
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        for ours, theirs in (
            (vision.visual.eval()(pictures), model.visual(pictures)),
            (own.eval()(ids), core(ids)) if own is not text.text else
            (own.eval().encode_text(ids), core.encode_text(ids)),
        ):  # fmt: skip
            pairs = zip(tree_leaves(ours), tree_leaves(theirs), strict=True)
            for one, other in pairs:
                torch.testing.assert_close(one, other, atol=0, rtol=0)
    assert text.logit_scale == vision.logit_scale == pytest.approx(model.logit_scale.exp().item())
    assert text.image_size == vision.image_size == (32, 32)
    bias = getattr(model, 'logit_bias', None)
    assert (text.logit_bias is None) == (bias is None)
    # Which file a tower was read from does not depend on the tower; positions are left out.
    delattr(model.visual, 'positional_embedding')
    assert text.fingerprint == vision.fingerprint == fingerprint(model)


def test_an_image_tower_makes_no_table_of_tokens(tmp_path):
    """SigLIP 2 has 256,000 tokens: at its width, 197 million numbers beside 93 million of ours."""
    config = shrunk('ViT-B-16-SigLIP2', tmp_path)
    assert config['text_cfg']['vocab_size'] == 256_000
    path = tmp_path / 'clip.json'
    path.write_text(json.dumps(config))
    peaks, sizes = {}, {}
    for part in ('vision', 'text', 'both'):
        with Allocations() as seen:
            clip = load_clip(str(path), part=part)
        peaks[part] = seen.peak
        towers = (clip.visual, clip.text)
        sizes[part] = sum(p.numel() for m in towers if m is not None for p in m.parameters())
    table = 256_000 * 32
    assert peaks['vision'] < 0.02 * table < sizes['vision'] + table
    assert sizes['vision'] < 0.01 * table < table < sizes['text'] < sizes['both']
    assert peaks['both'] >= table


@pytest.mark.slow
def test_the_true_siglip2():
    """Each tower of the whole architecture, by what its own parameters are: 93 and 282 million."""
    for part, millions in (('vision', 93), ('text', 282)):
        with Allocations() as seen:
            load_clip('ViT-B-16-SigLIP2', part=part)
        assert millions * 1e6 * 0.99 < seen.peak < millions * 1e6 * 1.2, (part, seen.peak)


def test_a_text_tower_makes_no_image_tower(tmp_path):
    config = json.loads(json.dumps(open_clip.get_model_config('ViT-B-32')))
    config['text_cfg'].update(width=16, heads=1, layers=1, vocab_size=100)
    path = tmp_path / 'clip.json'
    path.write_text(json.dumps(config))
    with Allocations() as seen:
        clip = load_clip(str(path), part='text', image_size=64)
    assert seen.peak < 200_000 and clip.image_size == (64, 64)  # ViT-B/32 has 88 million


def test_weights_of_the_other_tower_stay_in_their_file(tmp_path):
    """Only samples of them are read, for the fingerprint."""
    config = shrunk('ViT-B-16-SigLIP2', tmp_path)
    path, weights = tmp_path / 'clip.json', tmp_path / 'clip.safetensors'
    path.write_text(json.dumps(config))
    clip = load_clip(str(path))
    state = {f'visual.{name}': value for name, value in clip.visual.state_dict().items()}
    state.update(clip.text.state_dict())
    save_file({name: value.contiguous() for name, value in state.items()}, weights)
    with Allocations() as seen:
        vision = load_clip(str(path), str(weights), part='vision')
    mapped = sum(value.numel() for value in state.values())
    assert seen.peak - mapped < 0.05 * mapped, 'no second copy of the table is made'
    assert vision.fingerprint == clip_fingerprint(path, weights)


def clip_fingerprint(path, weights):
    return load_clip(str(path), str(weights), part='text').fingerprint
