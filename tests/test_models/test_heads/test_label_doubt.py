"""Labels that training did not have move less far, and as near training labels did."""

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ovmlv.errors import ConfigError
from ovmlv.models.backbones import FeatureBackbone
from ovmlv.models.heads import LLMPromptHead
from ovmlv.models.heads.label_doubt import LabelDoubt
from ovmlv.models.heads.neighbor_memory import last_states
from ovmlv.models.recognizers import OpenVocabRecognizer
from tests.test_models.test_heads.tiny_clip import write_tiny_clip

WORDS = ['cat', 'dog', 'running', 'a bird', 'water']
TRAINED = ['cat', 'running fast', 'a dog jumping', 'sleeping']
OTHERS = ['a horse', 'Cat', 'flying', 'a dog running']
LLM = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))
SCORER = dict(init_scale=8.0, init_bias=-2.0)
MEMORY = dict(
    known_words=WORDS, num_neighbors=4, sharpness=1.0, frequencies=dict(cat=900, a=2000, horse=20)
)
DOUBT = dict(trust=0.7, share=0.4, num_neighbors=3, sharpness=5.0)


def make(folder, **kwargs):
    """A head whose labels move, by weights that are drawn."""
    torch.manual_seed(0)
    head = LLMPromptHead(
        write_tiny_clip(folder), llm=LLM, readout=dict(type='StaticReadout'),
        prompter=dict(width=32, num_layers=1), state_adapter_width=8,
        memory=MEMORY,
        **{'label_doubt': DOUBT, **kwargs},
    )  # fmt: skip
    with torch.no_grad():
        head.prompter.project_out.weight.normal_()
        head.state_adapter[-1].weight.normal_()
    return head.eval()


def lengths(head, labels):
    """How long the means of known words are, by hand, where these stand for new labels."""
    ways, known = (
        head.memory.directions(head, last_states(head, v)).numpy() for v in (labels, WORDS)
    )
    words = head.reference(WORDS).numpy()
    found = []
    for label, way in zip(labels, ways, strict=True):
        cosines = known @ way
        cosines[[word.casefold() == label.casefold() for word in WORDS]] = -np.inf
        best = np.argsort(-cosines)[:4]
        weights = np.exp(cosines[best])
        length = np.linalg.norm(weights / weights.sum() @ words[best])
        share = head.familiarity.unknown_share([label]).item() * (label.casefold() not in TRAINED)
        found.append(1 - share * (1 - length))
    return np.array(found)


@torch.no_grad()
def test_it_is_the_closed_form(tmp_path):
    head = make(tmp_path)
    labels = TRAINED + OTHERS
    plain, read = head(labels).numpy(), head.reference(labels).numpy()
    head.learn_known(TRAINED, torch.ones(len(TRAINED)))
    found = head(labels).numpy()
    ways = head.memory.directions(head, last_states(head, labels)).numpy()
    moves, length = plain - read, lengths(head, labels)
    assert np.ptp(length[len(TRAINED) :]) > 1e-3, 'all are as long, so that nothing was tested'
    for i, label in enumerate(labels):
        if label.casefold() in TRAINED:
            np.testing.assert_allclose(found[i], plain[i], atol=1e-5)
            continue
        cosines = ways[: len(TRAINED)] @ ways[i]
        best = np.argsort(-cosines)[:3]
        weights = np.exp(5 * cosines[best])
        near = weights / weights.sum() @ moves[best]
        expected = read[i] + 0.7 * (0.6 * moves[i] + 0.4 * near)
        expected *= length[i] / np.linalg.norm(expected)
        np.testing.assert_allclose(found[i], expected, atol=1e-5)
        assert np.abs(found[i] - plain[i]).max() > 1e-3
    assert np.abs(head(OTHERS).numpy() - found[len(TRAINED) :]).max() < 1e-5, 'in any company'


@torch.no_grad()
def test_training_and_an_untrained_head_do_not_doubt(tmp_path):
    head, without = make(tmp_path), make(tmp_path, label_doubt=None)
    assert torch.equal(head(OTHERS), without(OTHERS))
    head.learn_known(TRAINED, torch.ones(len(TRAINED)))
    assert torch.equal(head.train()(OTHERS), without.train()(OTHERS))


@torch.no_grad()
def test_full_trust_without_neighbours_keeps_directions(tmp_path):
    head = make(tmp_path, label_doubt=dict(trust=1.0, share=0.0))
    before = head(OTHERS)
    head.learn_known(TRAINED, torch.ones(len(TRAINED)))
    after = head(OTHERS)
    torch.testing.assert_close(F.normalize(after, dim=-1), before, atol=1e-6, rtol=0)
    np.testing.assert_allclose(after.norm(dim=-1).numpy(), lengths(head, OTHERS), atol=1e-5)


@torch.no_grad()
def test_a_closed_gate_keeps_a_label(tmp_path):
    head = make(tmp_path, knowledge_gate=dict())
    head.learn_known(TRAINED, torch.ones(len(TRAINED)))
    head.knowledge_gate.bias.fill_(-30.0)
    without = make(tmp_path, knowledge_gate=dict(), label_doubt=None)
    without.knowledge_gate.bias.fill_(-30.0)
    found = F.normalize(head(OTHERS), dim=-1)
    torch.testing.assert_close(found, without(OTHERS), atol=1e-6, rtol=0)


@torch.no_grad()
def test_a_recognizer_keeps_the_length(tmp_path):
    """Where known words disagree, the probability is nearer to that of the bias."""
    head = make(tmp_path)
    head.learn_known(TRAINED, torch.ones(len(TRAINED)))
    model = OpenVocabRecognizer(FeatureBackbone(head.embed_dim), head, None, SCORER).eval()
    text, expected = model.encode_labels(OTHERS), head(OTHERS)
    torch.testing.assert_close(text, expected)
    views = F.normalize(torch.randn(3, 1, head.embed_dim), dim=-1)
    odds = model.score_views(views, text).logit()
    direction = F.normalize(expected, dim=-1)
    full = 8 * views[:, 0] @ direction.T
    torch.testing.assert_close(odds + 2, full * expected.norm(dim=-1), atol=1e-4, rtol=0)


@torch.no_grad()
def test_the_labels_are_in_checkpoints(tmp_path):
    """As a tensor, so that a file without pickled objects holds them, too."""
    head = make(tmp_path)
    head.learn_known(TRAINED, torch.ones(len(TRAINED)))
    file = io.BytesIO()
    torch.save(head.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    other = make(tmp_path)
    other.load_state_dict(state, strict=False)
    assert other.doubt.labels == tuple(TRAINED)
    torch.testing.assert_close(other(OTHERS), head(OTHERS))


@torch.no_grad()
def test_weights_that_change_are_noticed(tmp_path):
    head = make(tmp_path)
    head.learn_known(TRAINED, torch.ones(len(TRAINED)))
    head(OTHERS)
    head.state_adapter[-1].weight.mul_(3)
    fresh = make(tmp_path)
    fresh.state_adapter[-1].weight.mul_(3)
    fresh.learn_known(TRAINED, torch.ones(len(TRAINED)))
    torch.testing.assert_close(head(OTHERS), fresh(OTHERS))
    assert F.cosine_similarity(head(OTHERS), head.reference(OTHERS)).max() < 1 - 1e-3


@pytest.mark.parametrize(
    'wrong', [dict(trust=1.1), dict(share=-0.1), dict(num_neighbors=0), dict(sharpness=-1.0)]
)
def test_settings_that_cannot_work(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        LabelDoubt(**wrong)


def test_it_needs_a_memory(tmp_path):
    with pytest.raises(ConfigError, match='label_doubt needs head.memory'):
        LLMPromptHead(
            write_tiny_clip(tmp_path), llm=LLM, readout=dict(type='StaticReadout'), label_doubt={}
        )
