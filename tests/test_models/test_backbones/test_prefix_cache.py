"""The cache of the frozen part of the tower gives what the tower gives."""

import copy
import pickle

import pytest
import torch

from ovmlv.models.backbones import TemporalCLIPBackbone
from ovmlv.models.backbones.prefix_cache import PrefixCache


def build(**kwargs):
    torch.manual_seed(0)
    clip = dict(model_name='motionshapes', pretrained='motionshapes')
    temporal = dict(type='ParallelTemporalAttention', blocks='last-1', gate_init=0.5)
    return TemporalCLIPBackbone(**clip, num_frames=4, temporal=temporal, **kwargs)


@pytest.fixture
def videos():
    return torch.randn(3, 3, 4, 64, 64, generator=torch.Generator().manual_seed(1))


def test_same_embeddings_reference_and_gradients(videos):
    plain, cached = build(), build(prefix_cache=64)
    cached.load_state_dict(plain.state_dict())
    order = torch.tensor([2, 0, 1, 0])
    for _ in range(2):  # first computed, then looked up in another order
        outputs = [model.train().forward_with_reference(videos[order]) for model in (plain, cached)]
        torch.testing.assert_close(outputs[0], outputs[1], atol=1e-5, rtol=1e-5)
        for model, (video, _) in zip((plain, cached), outputs, strict=True):
            model.zero_grad()
            video.square().sum().backward()
        expected = {n: p.grad for n, p in plain.named_parameters() if p.requires_grad}
        actual = {n: p.grad for n, p in cached.named_parameters() if p.requires_grad}
        torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)
    # A video that occurs twice in the batch is computed twice the first time, never after.
    assert (cached.prefix_cache.misses, cached.prefix_cache.hits) == (4, 4)
    torch.testing.assert_close(cached(videos), plain(videos), atol=1e-5, rtol=1e-5)


def test_other_pixels_and_testing_do_not_hit(videos):
    model = build(prefix_cache=64).train()
    model(videos)
    changed = videos.clone()
    changed[0, 0, 0, 0, 0] += 1e-3
    model(changed)
    assert (model.prefix_cache.misses, model.prefix_cache.hits) == (4, 2)
    model.eval()(videos)
    assert (model.prefix_cache.misses, model.prefix_cache.hits) == (4, 2)


def test_budget_copies_and_pickles(videos):
    one_video = 4 * 64 * 128 * 4 + 128 * 4
    model = build(prefix_cache=2.5 * one_video / 2**20).train()
    model(videos)
    model(videos)
    assert model.prefix_cache.hits == 2
    assert model.prefix_cache.used == 2 * one_video
    assert copy.deepcopy(model).prefix_cache.used == 0
    clone = pickle.loads(pickle.dumps(model.prefix_cache))
    assert isinstance(clone, PrefixCache) and clone.used == 0


def test_on_disk_for_the_next_training(videos, tmp_path):
    first = build(prefix_cache=64, prefix_cache_dir=str(tmp_path)).train()
    expected = first.forward_with_reference(videos)
    again = build(prefix_cache=64, prefix_cache_dir=str(tmp_path)).train()
    again.load_state_dict(first.state_dict())
    torch.testing.assert_close(again.forward_with_reference(videos), expected, atol=0, rtol=0)
    assert (again.prefix_cache.misses, again.prefix_cache.hits) == (0, 3)
    # Another part of the tower, and another precision, are other tokens.
    other = build(prefix_cache=64, prefix_cache_dir=str(tmp_path), trainable=2).train()
    other(videos)
    assert other.prefix_cache.misses == 3
    with torch.autocast('cpu', dtype=torch.bfloat16):
        again(videos)
    assert again.prefix_cache.misses == 3


def test_damaged_files_are_computed_anew(videos, tmp_path):
    expected = build(prefix_cache=64, prefix_cache_dir=str(tmp_path)).train()(videos)
    files = sorted(tmp_path.rglob('*.safetensors'))
    assert len(files) == 3
    size = files[0].stat().st_size
    files[0].write_bytes(files[0].read_bytes()[: size // 2])
    again = build(prefix_cache=64, prefix_cache_dir=str(tmp_path)).train()
    torch.testing.assert_close(again(videos), expected, atol=1e-5, rtol=1e-5)
    assert (again.prefix_cache.misses, files[0].stat().st_size) == (1, size)
