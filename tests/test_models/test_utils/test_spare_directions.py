"""Directions that known labels do not use: closed forms, and both sides of a real model."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ovmlv.errors import ConfigError
from ovmlv.models.heads import LLMPromptHead
from ovmlv.models.recognizers import OpenVocabRecognizer
from ovmlv.models.temporal import GridFrameTransformer
from ovmlv.models.utils.spare_directions import SpareDirections

CLIP = dict(model_name='motionshapes', pretrained='motionshapes')
LABELS = ['a red circle', 'a blue star', 'moving left', 'spinning']
KNOWN = torch.tensor([0.9, 0.8, 0.1, torch.nan])


def text(count=20, dim=12):
    generator = torch.Generator().manual_seed(0)
    scales = 0.5 ** torch.arange(dim)
    return F.normalize(torch.randn(count, dim, generator=generator) * scales, dim=-1)


@pytest.mark.parametrize('share', [0.5, 0.9, 0.999])
def test_it_keeps_numpys_principal_directions(share):
    rows, weight = text(), torch.linspace(0, 1, 20)
    spare = SpareDirections(12, share)
    spare.fit(rows, weight)
    _, singular, directions = np.linalg.svd(rows.numpy() * weight.sqrt().numpy()[:, None])
    held = np.cumsum(singular**2) / np.sum(singular**2)
    count = int(np.argmax(held >= share)) + 1
    assert 1 <= count < 12
    kept = directions[:count].T @ directions[:count]
    np.testing.assert_allclose(spare.projection.numpy(), np.eye(12) - kept, atol=1e-5)
    change = spare(torch.randn(5, 12))
    assert (change @ torch.from_numpy(directions[:count].T)).abs().max() < 1e-5


def test_labels_of_which_nothing_is_known_count_alike():
    spare, expected = SpareDirections(12, 0.9), SpareDirections(12, 0.9)
    spare.fit(text(), torch.full((20,), torch.nan))
    expected.fit(text(), torch.ones(20))
    assert torch.equal(spare.projection, expected.projection)
    assert not torch.equal(spare.projection, torch.eye(12))


def test_before_it_is_fitted_nothing_is_projected():
    change = torch.randn(3, 12)
    assert torch.equal(SpareDirections(12, 0.9)(change), change)


def test_it_is_saved():
    spare, other = SpareDirections(12, 0.9), SpareDirections(12, 0.9)
    spare.fit(text(), torch.ones(20))
    other.load_state_dict(spare.state_dict())
    assert torch.equal(other.projection, spare.projection)


@pytest.mark.parametrize('share', [0.0, 1.0, -1])
def test_shares_that_cannot_work(share):
    with pytest.raises(ConfigError, match='kept_share'):
        SpareDirections(4, share)


def test_a_trained_model_changes_nothing_along_known_labels():
    """Videos and labels both; what is not known well counts little."""
    torch.manual_seed(0)
    temporal = dict(type='GridFrameTransformer', width=32, kept_share=0.9)
    llm = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))
    model = OpenVocabRecognizer(
        dict(type='TemporalCLIPBackbone', **CLIP, num_frames=2, temporal=temporal),
        LLMPromptHead(**CLIP, llm=llm, prompter=dict(width=32), kept_share=0.9),
    )
    model.set_vocabulary(LABELS)
    model.learn_known(KNOWN)
    branch: GridFrameTransformer = model.backbone.temporal
    torch.nn.init.normal_(branch.write.weight)
    torch.nn.init.normal_(model.head.prompter.project_out.weight)
    model.eval()
    expected = SpareDirections(model.head.embed_dim, 0.9)
    expected.fit(model.head.reference(LABELS), torch.tensor([0.9, 0.8, 0.1, 0.6]))
    kept = torch.eye(model.head.embed_dim) - expected.projection
    with torch.no_grad():
        video, clip = model.backbone.forward_with_reference(torch.randn(3, 3, 2, 64, 64))
        assert (video - clip).norm(dim=-1).min() > 1
        assert ((video - clip) @ kept).abs().max() < 1e-4
        # A label is brought to unit length behind its change: along known labels it keeps its way.
        found, read = model.head(LABELS), model.head.reference(LABELS)
        assert (found - read).norm(dim=-1).min() > 0.1
        ways = F.cosine_similarity(found @ kept, read @ kept, dim=-1)
        torch.testing.assert_close(ways, torch.ones(len(LABELS)), atol=1e-4, rtol=0)
