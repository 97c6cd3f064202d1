"""New words by their neighbours in an LLM, against transformers and a plain loop."""

from __future__ import annotations

import copy
import json

import pytest
import torch
import torch.nn.functional as F

from ovmlv.errors import CheckpointError, ConfigError, VocabularyError
from ovmlv.label_bank import LabelBank
from ovmlv.models.backbones import FeatureBackbone
from ovmlv.models.heads import LLMNeighborHead, TemplatePromptHead
from ovmlv.models.recognizers import OpenVocabRecognizer
from tests.test_models.test_heads.tiny_clip import write_tiny_clip

LLM = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=3, n_head=4, n_positions=128), seed=3)
KNOWN = ['cat', 'dog', 'a red car', 'running', 'jumping']
NEW = ['puma', 'sprinting fast']


@pytest.fixture
def make(tmp_path):
    def head(**kwargs) -> LLMNeighborHead:
        torch.manual_seed(0)  # for CLIP's random weights
        given = dict(llm=LLM, known_words=KNOWN, num_neighbors=3, readout=dict(layer=2))
        return LLMNeighborHead(write_tiny_clip(tmp_path), **{**given, **kwargs}).eval()

    return head


def by_hand(head: LLMNeighborHead, label: str, context: str, layer: int) -> torch.Tensor:
    """One word, with transformers' own hidden states and Python's own sorting."""
    model = head.llm

    def state(word: str) -> torch.Tensor:
        ids = torch.tensor(model.tokenize([context.replace('{}', word)], bos=True))
        decoder = model.decoder
        return decoder(input_ids=ids, output_hidden_states=True).hidden_states[layer][0, -1]

    states = torch.stack([state(word) for word in KNOWN])
    mean = states.mean(0)
    cosines = [float(F.cosine_similarity(s - mean, state(label) - mean, 0)) for s in states]
    best = sorted(range(len(KNOWN)), key=lambda i: -cosines[i])[: head.memory.num_neighbors]
    weights = [torch.tensor(head.memory.sharpness * cosines[i]).exp() for i in best]
    clip = head.reference(KNOWN)
    return sum(w / sum(weights) * clip[i] for w, i in zip(weights, best, strict=True))


@torch.no_grad()
def test_a_new_word_equals_the_plain_loop(make):
    head = make(readout=dict(layer=3))  # the last one: those behind a layer are cut off
    for label in NEW:
        expected = by_hand(head, label, 'A picture of a {}. It shows a', 3)
        torch.testing.assert_close(head([label])[0], expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_known_words_are_clips_own_and_rows_do_not_depend_on_each_other(make, tmp_path):
    head = make()
    plain = TemplatePromptHead(write_tiny_clip(tmp_path), templates=['a video of {}'])
    plain.text_tower.load_state_dict(head.text_tower.state_dict())
    mixed = ['Cat', NEW[0], 'running', NEW[1], NEW[0]]
    found = head(mixed)
    assert torch.equal(found[[0, 2]], head.reference(['Cat', 'running']))
    torch.testing.assert_close(found[[0, 2]], plain(['Cat', 'running']), atol=1e-6, rtol=0)
    for i, label in enumerate(mixed):
        torch.testing.assert_close(found[i], head([label])[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(found[[0, 2]].norm(dim=-1), torch.ones(2))
    assert (found[[1, 3, 4]].norm(dim=-1) < 1 - 1e-3).all(), 'neighbours disagree'


@pytest.mark.parametrize(('sharpness', 'count'), [(0.0, 5), (1e4, 3)])
@torch.no_grad()
def test_both_ends_of_the_sharpness(make, sharpness, count):
    """Without it the K words count the same; with much of it the nearest one is all."""
    head = make(sharpness=sharpness, num_neighbors=count)
    ((names, weights),) = head.neighbors([NEW[0]])
    if sharpness:
        assert weights[0] == pytest.approx(1)
        expected = head.reference(names[:1])[0]
    else:
        assert weights == pytest.approx([1 / count] * count) and set(names) == set(KNOWN)
        expected = head.reference(KNOWN).mean(0)
    torch.testing.assert_close(head([NEW[0]])[0], expected, atol=1e-5, rtol=0)


def test_a_known_word_is_no_neighbour_of_itself(make):
    ((names, _),) = make(num_neighbors=4).neighbors(['DOG'])
    assert set(names) == set(KNOWN) - {'dog'}


def test_new_and_known_words_share_a_batch_in_mixed_precision(make):
    head = make()
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        found = head([KNOWN[0], 'a new word'])
    torch.testing.assert_close(found.float(), head([KNOWN[0], 'a new word']), atol=0.05, rtol=0)


def test_nothing_trains_and_nothing_is_saved(make):
    head = make()
    assert not any(p.requires_grad for p in head.parameters())
    assert not [key for key in head.state_dict() if 'fingerprint' not in key]
    copied = copy.deepcopy(head)
    assert torch.equal(copied(NEW), head(NEW))


@torch.no_grad()
def test_other_weights_are_noticed(make):
    """A checkpoint that changes the LLM or CLIP changes what is remembered of the known words."""
    head, other = make(), make(llm={**LLM, 'seed': 4})
    before = head(NEW)
    head.llm.load_state_dict(other.llm.state_dict())
    torch.testing.assert_close(head(NEW), other(NEW), atol=1e-6, rtol=0)
    assert not torch.allclose(head(NEW), before, atol=1e-3)


def test_in_a_recognizer_with_a_bank(make, tmp_path):
    head = make()
    model = OpenVocabRecognizer(FeatureBackbone(in_channels=24), head).eval()
    bank = LabelBank.build(model, [*KNOWN, *NEW], tmp_path / 'bank')
    torch.testing.assert_close(bank.embeddings(), head([*KNOWN, *NEW]).cpu(), atol=1e-6, rtol=0)
    fewer = OpenVocabRecognizer(FeatureBackbone(in_channels=24), make(num_neighbors=2)).eval()
    with pytest.raises(CheckpointError, match='num_neighbors'):
        bank.check(fewer)


def test_known_words_of_a_file(make, tmp_path):
    (tmp_path / 'words.txt').write_text('\n'.join(KNOWN))
    head = make(known_words=str(tmp_path / 'words.txt'))
    assert head.memory.known_words == tuple(KNOWN)
    assert torch.equal(head(NEW), make()(NEW))


def test_known_words_of_some_splits(make, tmp_path):
    file = tmp_path / 'split.json'
    file.write_text(json.dumps({'seen': KNOWN[:3], 'unseen': KNOWN[3:], 'novel': NEW}))
    head = make(known_words=str(file), known_splits=['seen', 'unseen'])
    assert head.memory.known_words == tuple(KNOWN)
    with pytest.raises(ConfigError, match="no label of the split 'other'"):
        make(known_words=str(file), known_splits=['other'])
    with pytest.raises(ConfigError, match='known_splits is a list'):
        make(known_splits=['seen'])


@pytest.mark.parametrize(
    ('wrong', 'words'),
    [
        (dict(llm=None), 'head.llm is missing'),
        (dict(known_words=None), 'head.known_words is missing'),
        (dict(num_neighbors=6), 'num_neighbors=6 must be from 1 to the number of known words'),
        (dict(num_neighbors=0), 'num_neighbors=0'),
        (dict(sharpness=-1.0), 'sharpness=-1.0'),
        (dict(readout=None), 'readout.layer=-6 does not exist'),
    ],
)
def test_settings_that_cannot_work(make, wrong, words):
    with pytest.raises(ConfigError, match=words):
        make(**wrong)


def test_words_that_do_not_fit(make):
    head = make()
    with pytest.raises(VocabularyError, match='too long|tokens'):
        head.check(['word ' * 200])
    head.check([*KNOWN, *NEW])
