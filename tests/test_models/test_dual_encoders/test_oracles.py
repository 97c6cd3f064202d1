"""Each dual encoder gives what transformers' own functions give, for videos and for texts."""

from __future__ import annotations

import copy
import functools

import pytest
import torch
from transformers import AutoTokenizer

from ovmlv.models.backbones import TransformersVideoBackbone
from ovmlv.models.heads import CoOpPromptHead, LLMPromptHead, TemplatePromptHead
from ovmlv.models.temporal.positions import resample_positions
from tests.test_models.test_dual_encoders.tiny_dual import CONFIGS, FRAME_FAMILIES

FAMILIES = list(CONFIGS)
LABELS = ['a', 'a dog', 'running very fast, and far away.', 'cats', 'b 2']
LLM = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=2, n_positions=64))


@functools.cache
def backbone_of(folder):
    return TransformersVideoBackbone(folder, folder)


def pooled(out):
    return out if isinstance(out, torch.Tensor) else out.pooler_output


@torch.no_grad()
def video_features(model, videos):
    """What transformers gives for normalised videos ``(B, C, T, H, W)``, as its users call it."""
    kind, frames = model.config.model_type, videos.transpose(1, 2)
    if kind == 'videoprism':
        other = frames.shape[1] != model.config.vision_config.num_frames
        return pooled(model.get_video_features(frames, interpolate_pos_encoding=other))[:, 0]
    if kind == 'xclip':
        return pooled(of_length(model, frames.shape[1]).get_video_features(pixel_values=frames))
    if kind.startswith('pe_'):
        own = model.video_model if kind == 'pe_audio_video' else model
        rows = torch.tensor([[1, 5, 2]])
        return own(input_ids=rows, pixel_values_videos=frames.contiguous()).video_embeds
    given = frames.flatten(0, 1)
    if kind == 'siglip2':
        from transformers import Siglip2ImageProcessor

        processor = Siglip2ImageProcessor(patch_size=8, max_num_patches=16)
        given = dict(
            processor(
                list(given), do_resize=False, do_rescale=False, do_normalize=False,
                return_tensors='pt',
            )
        )  # fmt: skip
    else:
        given = dict(pixel_values=given)
    return pooled(model.get_image_features(**given)).unflatten(0, (len(videos), -1)).mean(1)


def of_length(model, num_frames):
    """X-CLIP built for another number of frames, with interpolated positions."""
    config = copy.deepcopy(model.config)
    if config.vision_config.num_frames == num_frames:
        return model
    config.vision_config.num_frames = num_frames
    other = type(model)(config).eval()
    state = model.state_dict()
    name = 'mit.position_embedding'
    state[name] = resample_positions(state[name][0], num_frames)[None]
    other.load_state_dict(state)
    return other


@torch.no_grad()
def text_features(model, folder, texts):
    kind, tokenizer = model.config.model_type, AutoTokenizer.from_pretrained(folder)
    if kind.startswith('siglip'):
        rows = tokenizer(texts, padding='max_length', max_length=48, return_tensors='pt')
        return pooled(model.get_text_features(input_ids=rows['input_ids']))
    rows = tokenizer(texts, padding=True, return_tensors='pt')
    given = dict(input_ids=rows['input_ids'], attention_mask=rows['attention_mask'])
    if kind.startswith('pe_'):
        own = model.video_model if kind == 'pe_audio_video' else model
        frames = torch.zeros(1, 2, 3, 32, 32)
        return own(**given, pixel_values_videos=frames).text_video_embeds
    return pooled(model.get_text_features(**given))


@pytest.mark.parametrize('num_frames', [4, 1, 7])
@pytest.mark.parametrize('family', FAMILIES)
def test_videos_of_several_lengths(dual, family, num_frames):
    model, folder = dual(family)
    backbone = backbone_of(folder).eval()
    torch.manual_seed(num_frames)
    videos = torch.randn(3, 3, num_frames, *backbone.image_size)
    expected = video_features(model, videos)
    found = backbone(videos)
    assert found.shape == (3, backbone.embed_dim)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    # What one video gives does not depend on its batch, nor on the mode.
    torch.testing.assert_close(backbone.train()(videos[1:2]), expected[1:2], rtol=0, atol=1e-5)


@pytest.mark.parametrize('family', FAMILIES)
def test_labels_of_several_lengths(dual, family):
    model, folder = dual(family)
    head = TemplatePromptHead(folder, folder, templates=['{}'])
    expected = torch.nn.functional.normalize(text_features(model, folder, LABELS), dim=-1)
    torch.testing.assert_close(head(LABELS), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(head(LABELS[1:2]), expected[1:2], rtol=0, atol=1e-5)
    longest = head.text_tower.rows.max_content
    assert longest >= head.text_tower.context_length - 2


@pytest.mark.parametrize('family', FAMILIES)
def test_soft_tokens_that_are_the_templates_words(dual, family):
    """At the start, heads with soft tokens give what the templated label gives."""
    model, folder = dual(family)
    labels = ['a dog', 'running']
    texts = [f'a video of {label}' for label in labels]
    expected = torch.nn.functional.normalize(text_features(model, folder, texts), dim=-1)
    heads = [
        CoOpPromptHead(folder, folder),
        LLMPromptHead(folder, folder, llm=LLM, prompter=dict(width=32, num_layers=1)),
    ]
    for head in heads:
        found = head(labels)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
        found.square().mul(torch.randn_like(found)).sum().backward()
        trained = {n: p for n, p in head.named_parameters() if p.requires_grad}
        assert trained and any(p.grad is not None and p.grad.any() for p in trained.values())
        assert all(p.grad is None for n, p in head.named_parameters() if n not in trained)


@pytest.mark.parametrize('family', FAMILIES)
def test_soft_tokens_reach_their_places(dual, family):
    """A soft token that is another word's embedding gives that word's text."""
    model, folder = dual(family)
    head = CoOpPromptHead(folder, folder, template='a z {}')
    rows = head.text_tower.rows
    before, other = rows.contents(['a z'])[0], rows.contents(['b c'])[0]
    assert len(before) == len(other) == head.context.shape[1]
    with torch.no_grad():
        head.context.copy_(head.text_tower.embed(torch.tensor(other))[None])
    expected = torch.nn.functional.normalize(text_features(model, folder, ['b c dog']), dim=-1)
    torch.testing.assert_close(head(['dog']), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('family', ['siglip', 'siglip2', 'clip'])
def test_scale_and_bias_are_the_models(dual, family):
    model, folder = dual(family)
    head = TemplatePromptHead(folder, folder)
    assert head.logit_scale == pytest.approx(float(model.logit_scale.exp()))
    bias = None if family == 'clip' else pytest.approx(float(model.logit_bias))
    assert head.logit_bias == bias


@pytest.mark.parametrize('family', FAMILIES)
def test_configurations_alone_are_one_model_on_both_sides(family):
    """Random weights come from a fixed seed, so that they are the same wherever they are drawn."""
    torch.manual_seed(1)
    first = TransformersVideoBackbone(CONFIGS[family])
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = TransformersVideoBackbone(CONFIGS[family])
    assert torch.equal(before, torch.get_rng_state())
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b), name
    heads = [TemplatePromptHead(CONFIGS[family]) for _ in range(2)]
    found = [head(['a dog', 'größer']) for head in heads]
    assert torch.equal(*found)
    assert not torch.allclose(found[0][0], found[0][1], rtol=0, atol=1e-5)
    assert first.num_frames == 4 and heads[0].embed_dim == first.embed_dim


@pytest.mark.parametrize('family', FAMILIES)
def test_the_chain_holds_every_parameter(family):
    backbone = TransformersVideoBackbone(CONFIGS[family])
    in_chain = [id(p) for module, _ in backbone.visual.chain() for p in module.parameters()]
    names = {id(p): n for n, p in backbone.visual.named_parameters()}
    assert len(in_chain) == len(set(in_chain))
    assert set(in_chain) == set(names)


@pytest.mark.parametrize('family', FRAME_FAMILIES)
def test_frames_of_models_of_pictures(dual, family):
    _, folder = dual(family)
    backbone = TransformersVideoBackbone(folder, folder, temporal=dict(type='FrameTransformer'))
    videos = torch.randn(2, 3, 5, *backbone.image_size)
    frames = backbone.encode_frames(videos)
    assert frames.shape == (2, 5, backbone.embed_dim)
    found, reference = backbone.forward_with_reference(videos)
    torch.testing.assert_close(reference, frames.mean(1))
    torch.testing.assert_close(found, reference, rtol=0, atol=1e-5)  # it starts as the mean
