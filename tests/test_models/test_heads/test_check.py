"""FAULTS F8: labels that cannot be encoded are named before the first step, all at once."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from ovmlv.errors import VocabularyError
from ovmlv.models.heads import (
    CoOpPromptHead,
    DualCoOpPromptHead,
    LLMDescriptionHead,
    LLMPromptHead,
    TemplatePromptHead,
)
from ovmlv.models.heads.label_noise import LabelNoise
from ovmlv.models.recognizers import OpenVocabRecognizer
from ovmlv.registry import MODELS
from tests.test_models.test_heads.tiny_clip import write_tiny_clip

LLM = dict(
    config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4, n_positions=48, vocab_size=259)
)
GOOD = [f'label {i}' for i in range(30)]
LONG = ' '.join(['word'] * 30)
MAKERS = {
    'coop': lambda clip, **kw: CoOpPromptHead(clip, **kw),
    'dual': lambda clip, **kw: DualCoOpPromptHead(clip, **kw),
    'template': lambda clip, **kw: TemplatePromptHead(clip, templates=['a {}', 'an old {}'], **kw),
    'llm': lambda clip, **kw: LLMPromptHead(clip, llm=LLM, **kw),
}


def recognizer(head, **kwargs):
    backbone = dict(type='FeatureBackbone', in_channels=3, embed_dim=24)
    preprocessor = dict(type='mmaction.ActionDataPreprocessor', format_shape='NCTHW')
    return OpenVocabRecognizer(backbone, head, data_preprocessor=preprocessor, **kwargs)


@pytest.mark.parametrize('name', MAKERS)
def test_one_error_names_all(name, tmp_path):
    model = recognizer(MAKERS[name](write_tiny_clip(tmp_path)), labels_per_step=4)
    model.set_vocabulary(GOOD)
    labels = [*GOOD, LONG, *(f'{LONG} {i}' for i in range(20))]
    with pytest.raises(VocabularyError, match=r'nor can these be used: .* and 10 more') as error:
        model.set_vocabulary(labels)
    assert '\n' not in str(error.value) and repr(LONG[:37] + '...') in str(error.value)
    assert model.vocabulary.labels == tuple(GOOD)
    with pytest.raises(VocabularyError, match='room for'):
        model.set_vocabulary([*GOOD, LONG])
    with pytest.raises(VocabularyError, match='room for'):
        model.eval().encode_labels([*GOOD, LONG])
    model.set_vocabulary(labels, torch.zeros(len(labels), 24))  # they were encoded elsewhere


@pytest.mark.parametrize(
    'readout', ['PrefixReadout', 'SequenceReadout', 'SuffixReadout', 'GenerateReadout']
)
def test_the_language_models_length_counts(readout, tmp_path):
    steps = dict(num_steps=3, feedback='projection') if readout == 'GenerateReadout' else {}
    config = dict(type=readout, num_tokens=8, context=' {}', **steps)
    head = LLMPromptHead(write_tiny_clip(tmp_path), llm=LLM, readout=config)
    extra = 8 + len(head.llm.bos_ids) + (2 if steps else 0)
    fits = 'a' * (48 - extra - 1)  # a byte a token, and the space before it
    head.check([fits])
    head([fits])
    with pytest.raises(VocabularyError, match='the LLM takes 48'):
        head.check([fits + 'a'])
    with pytest.raises(VocabularyError, match='the LLM takes 48'):
        head([fits + 'a'])


def test_both_templates_of_dual_coop_count(tmp_path):
    negative = 'a video that was made without any sight of {}'
    head = DualCoOpPromptHead(write_tiny_clip(tmp_path), negative_template=negative)
    label = ' '.join(['word'] * 15)
    assert head.tokens([label])
    with pytest.raises(VocabularyError, match='15 tokens'):
        head.check([label])


def test_reference_vocabulary_and_descriptions(tmp_path):
    clip = write_tiny_clip(tmp_path)
    loss = dict(similarity_distill=1.0)
    with pytest.raises(VocabularyError, match='word word'):
        recognizer(CoOpPromptHead(clip), loss=loss, reference_vocabulary=['a cat', LONG])
    described = LLMDescriptionHead(clip, llm=LLM, cache_file=str(tmp_path / 'd.json'))
    described.check([LONG])  # its sentences are cut
    with pytest.warns(UserWarning, match='is cut'):
        CoOpPromptHead(clip, truncate=True).check([LONG])


def test_made_up_words_never_end_a_step(tmp_path):
    """A tokenizer that needs more than a token a letter."""
    llm = dict(config=dict(LLM['config'], n_positions=256))
    head = LLMPromptHead(write_tiny_clip(tmp_path), llm=llm, noise=dict(corruption=1.0))
    label = ' '.join(['word'] * (head.text_tower.rows.max_content - 3))
    head.check([label, 'cat'])
    noise = head.noise
    assert isinstance(noise, LabelNoise)

    def longest(labels, room):
        found = noise(labels, room)
        return found._replace(words=['zq ' * 40] * len(found.words))

    head.noise = longest
    _clean, index, noisy = head.forward_with_noise([label, 'cat'])
    assert noisy.isfinite().all() and len(noisy) == len(index)


def test_a_step_with_a_subset_after_the_check(tmp_path):
    head = MODELS.build(dict(type='CoOpPromptHead', model_name=write_tiny_clip(tmp_path)))
    model = recognizer(head, labels_per_step=4)
    model.set_vocabulary(GOOD)
    samples = [ActionDataSample().set_gt_label(torch.eye(30, dtype=torch.long)[3])]
    assert model.loss(torch.randn(1, 3, 2, 1, 1), samples)['loss_cls'].isfinite()
