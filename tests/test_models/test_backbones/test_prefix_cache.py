"""The cache of the frozen part of the tower gives what the tower gives."""

import copy
import pickle

import pytest
import torch
from mmaction.structures import ActionDataSample

from ovmlv.models.backbones import TemporalCLIPBackbone
from ovmlv.models.backbones.prefix_cache import PrefixCache
from ovmlv.models.recognizers import OpenVocabRecognizer


def build(**kwargs):
    torch.manual_seed(0)
    clip = dict(model_name='motionshapes', pretrained='motionshapes')
    temporal = dict(type='ParallelTemporalAttention', blocks='last-1', gate_init=0.5)
    return TemporalCLIPBackbone(**{**clip, 'num_frames': 4, 'temporal': temporal, **kwargs})


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


def recognizer(backbone, **kwargs):
    head = dict(type='CoOpPromptHead', model_name='motionshapes', pretrained='motionshapes')
    return OpenVocabRecognizer(backbone, head, **kwargs)


def test_bytes_are_the_key_and_pixels_are_normalised_once():
    """A step then hashes a quarter, and normalises what is not in the cache."""
    frames = torch.randint(0, 256, (3, 1, 3, 4, 64, 64), dtype=torch.uint8)
    plain, cached = recognizer(build()), recognizer(build(prefix_cache=64))
    cached.load_state_dict(plain.state_dict())
    samples = [ActionDataSample().set_gt_label(torch.tensor([1, 0])) for _ in frames]
    for model in (plain, cached):
        model.set_vocabulary(['red circle', 'blue square'])
    for _ in range(2):  # computed, then looked up
        batches = [m.data_preprocessor(dict(inputs=list(frames))) for m in (plain, cached)]
        assert [batch['inputs'].dtype for batch in batches] == [torch.float32, torch.uint8]
        losses = [
            model.train()(batch['inputs'], samples, mode='loss')
            for model, batch in zip((plain, cached), batches, strict=True)
        ]
        assert torch.equal(losses[0]['loss_cls'], losses[1]['loss_cls'])
    assert (cached.backbone.prefix_cache.misses, cached.backbone.prefix_cache.hits) == (3, 3)
    for model, batch in zip((plain, cached), batches, strict=True):
        wanted = plain.eval().encode_videos(batches[0]['inputs'])
        model.eval()
        for inputs in (batch['inputs'], frames, batches[0]['inputs']):
            assert torch.equal(model.encode_videos(inputs), wanted)
    cached.backbone.drop_training_parts()
    assert torch.equal(cached.encode_videos(frames), wanted)


def test_a_preprocessors_own_statistics_are_kept():
    """The backbone would not know them."""
    given = dict(mean=[0.1, 0.2, 0.3], std=[0.5, 0.5, 0.5])
    model = recognizer(build(prefix_cache=64), data_preprocessor=given)
    frames = [torch.full((3, 4, 64, 64), 255, dtype=torch.uint8)]
    found = model.data_preprocessor(dict(inputs=frames))['inputs']
    assert found[0, 0, :, 0, 0, 0].tolist() == pytest.approx([1.8, 1.6, 1.4])


def test_many_missing_videos_are_computed_in_parts():
    videos, sizes = torch.randn(40, 3, 2, 4, 4), []

    def compute(part):
        sizes.append(len(part))
        return part.transpose(1, 2).flatten(0, 1), part.mean((1, 2, 3, 4))

    cache = PrefixCache(64)
    for _ in range(2):
        frames, means = cache(videos, compute)
        assert torch.equal(frames, videos.transpose(1, 2).flatten(0, 1))
        torch.testing.assert_close(means, videos.mean((1, 2, 3, 4)))
    assert sum(sizes) == 40 and max(sizes) <= 16


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


@torch.no_grad()
def test_modules_that_read_other_tokens_do_not_share_files(videos, tmp_path):
    """A grid module wants cells behind the embeddings, of its own grid and block."""
    cached = dict(prefix_cache=64, prefix_cache_dir=str(tmp_path))
    grid = dict(type='GridFrameTransformer', width=32)
    for temporal in (
        dict(type='FrameMean'), grid, {**grid, 'grid_size': 2}, {**grid, 'block': 0}
    ):  # fmt: skip
        for train in (False, True):
            torch.manual_seed(0)
            plain = build(temporal=temporal, trainable='temporal').train(train)
            model = build(temporal=temporal, trainable='temporal', **cached).train(train)
            model.load_state_dict(plain.state_dict())
            plain.temporal.eval(), model.temporal.eval()
            torch.testing.assert_close(model(videos), plain(videos), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_on_disk_for_the_next_test(videos, tmp_path):
    """Testing sees a video once: only what is kept on disk pays."""
    plain = build().eval()
    first = build(prefix_cache=64, prefix_cache_dir=str(tmp_path)).eval()
    torch.testing.assert_close(first(videos), plain(videos), atol=1e-5, rtol=1e-5)
    again = build(prefix_cache=64, prefix_cache_dir=str(tmp_path)).eval()
    torch.testing.assert_close(again(videos), plain(videos), atol=1e-5, rtol=1e-5)
    assert (again.prefix_cache.misses, again.prefix_cache.hits) == (0, 3)


def test_damaged_files_are_computed_anew(videos, tmp_path):
    expected = build(prefix_cache=64, prefix_cache_dir=str(tmp_path)).train()(videos)
    files = sorted(tmp_path.rglob('*.safetensors'))
    assert len(files) == 3
    size = files[0].stat().st_size
    files[0].write_bytes(files[0].read_bytes()[: size // 2])
    again = build(prefix_cache=64, prefix_cache_dir=str(tmp_path)).train()
    torch.testing.assert_close(again(videos), expected, atol=1e-5, rtol=1e-5)
    assert (again.prefix_cache.misses, files[0].stat().st_size) == (1, size)


def finetuned(videos):
    """A checkpoint of a tower that trained as a whole."""
    model = build(trainable='all').train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model(videos).square().sum().backward()
    optimizer.step()
    return {k: v.clone() for k, v in model.state_dict().items()}


def by_loading(model, videos):
    model.load_state_dict(finetuned(videos))


def by_averaging(model, videos):
    """As mmengine's EMAHook swaps weights: no version counter moves."""
    for parameter in model.visual.parameters():
        parameter.data.copy_(parameter.data.roll(1))


def by_patching(model, videos):
    with torch.no_grad():
        for parameter in model.visual.parameters():
            parameter.lerp_(torch.zeros_like(parameter), 0.3)


def by_training(model, videos):
    block = model.tower.blocks[0].requires_grad_(True)
    optimizer = torch.optim.Adam(block.parameters(), lr=0.01)
    model.tower.run(0, torch.randn(4, 64, model.tower.width)).square().mean().backward()
    optimizer.step()
    block.requires_grad_(False)


def by_replacing(model, videos):
    model.tower.blocks[0].norm1 = torch.nn.LayerNorm(model.tower.width, bias=False)


def by_rounding(model, videos):
    model.bfloat16().float()


CHANGES = [by_loading, by_averaging, by_patching, by_training, by_replacing, by_rounding]


@pytest.mark.parametrize(
    ('trainable', 'folder', 'change'),
    [('temporal', True, change) for change in CHANGES]
    + [('temporal', False, by_averaging), (1, False, by_loading), (1, True, by_training)],
)
def test_tokens_follow_the_weights(trainable, change, folder, videos, tmp_path):
    """FAULTS F1: no token of other weights, neither out of memory nor out of the folder."""
    kwargs = dict(prefix_cache_dir=str(tmp_path)) if folder else {}
    model = build(prefix_cache=64, trainable=trainable, **kwargs).train()
    before = model.forward_with_reference(videos)
    change(model, videos)
    assert not torch.allclose(model(videos), before[0], atol=1e-6)
    # What is right was never cached.
    cache, model.prefix_cache = model.prefix_cache, None
    expected = model.forward_with_reference(videos)
    model.prefix_cache = cache
    torch.testing.assert_close(model.forward_with_reference(videos), expected)
    assert (cache.misses, cache.hits) == (6, 3)
    torch.testing.assert_close(model.forward_with_reference(videos), expected)
    assert (cache.misses, cache.hits) == (6, 6)


def test_a_used_folder_and_a_finetuned_tower(videos, tmp_path):
    """FAULTS F1, as it was seen: train all, load it into 'temporal' with a used folder."""
    folder = dict(prefix_cache=64, prefix_cache_dir=str(tmp_path))
    build(**folder).train()(videos)
    plain, cached = build().train(), build(**folder).train()
    state = finetuned(videos)
    for model in (plain, cached):
        model.load_state_dict(state)
    expected = plain.forward_with_reference(videos)
    torch.testing.assert_close(cached.forward_with_reference(videos), expected)
    assert (cached.prefix_cache.misses, cached.prefix_cache.hits) == (3, 0)
    # The next run with the same weights finds them, and one with CLIP's finds those.
    again, first = build(**folder).train(), build(**folder).train()
    again.load_state_dict(state)
    torch.testing.assert_close(again.forward_with_reference(videos), expected)
    first(videos)
    assert (again.prefix_cache.misses, first.prefix_cache.misses) == (0, 0)


def test_training_what_follows_keeps_the_tokens(videos):
    model = build(prefix_cache=64, trainable=1).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(videos).square().sum().backward()
        optimizer.step()
    assert (model.prefix_cache.misses, model.prefix_cache.hits) == (3, 6)


def test_equal_weights_in_another_architecture_are_other_tokens(videos, tmp_path):
    """Heads and activations are in no weight."""
    folder = dict(prefix_cache=64, prefix_cache_dir=str(tmp_path))
    build(**folder).train()(videos)
    model = build(**folder).train()
    owner = model.prefix_cache.owner
    assert '"timm_model_name": "' in owner and 'GELU' in owner
    model.prefix_cache.owner = owner.replace('"timm_model_name": "', '"timm_model_name": "other_')
    model(videos)
    assert model.prefix_cache.misses == 3


def test_kinds_of_autocast_are_told_apart(videos):
    model = build(prefix_cache=64).train()
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast('cpu', dtype=dtype):
            model(videos[:1])
    assert model.prefix_cache.misses == 2
