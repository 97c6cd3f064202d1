"""p(yes) by a shared beginning against whole prompts, one at a time, of transformers alone."""

import numpy as np
import pytest
import torch

from ovmlv.errors import CheckpointError, ConfigError
from ovmlv.models.vlm import AnswerWords, VisionLanguageModel, YesNoReader
from tests.tiny_vlms import MAKERS, tiny_vlm

QUESTIONS = [
    f'show a {label} , yes no' for label in ('dog', 'red cat', 'small blue house', 'house')
]


def make_frames(seed, count=3):
    return np.random.default_rng(seed).integers(0, 256, (count, 20, 24, 3), dtype=np.uint8)


@pytest.fixture(scope='module', params=list(MAKERS))
def vlm(request):
    return VisionLanguageModel(tiny_vlm(request.param))


def plain_log_odds(vlm, frames, question):
    """One prompt, no batch, no cache, by the softmax over the whole vocabulary."""
    with torch.no_grad():
        logits = vlm.model(**vlm.inputs([frames], [question])).logits[0, -1]
    p = logits.softmax(-1)
    yes, no = vlm.processor.tokenizer.convert_tokens_to_ids(['yes', 'no'])
    return float(p[yes].log() - p[no].log())


def test_reading_once_equals_reading_all(vlm):
    words = AnswerWords(vlm.processor.tokenizer, ['yes'], ['no'])
    reader = YesNoReader(vlm, words, per_pass=3)
    seen = []
    handle = vlm.model.get_input_embeddings().register_forward_hook(
        lambda module, args, out: seen.append(out.shape[:2].numel())
    )
    for seed in range(3):
        frames = make_frames(seed)
        seen.clear()
        got = reader(frames, QUESTIONS)
        cost = sum(seen)
        expected = [plain_log_odds(vlm, frames, question) for question in QUESTIONS]
        np.testing.assert_allclose(got, expected, atol=1e-4)
        assert np.ptp(expected) > 0.1, 'the label matters'
    handle.remove()
    assert reader.shares and cost < 0.6 * len(QUESTIONS) * max(seen)
    assert not np.allclose(got, reader(make_frames(9), QUESTIONS), atol=1e-3), 'frames matter'
    assert torch.allclose(reader(frames, QUESTIONS[:1]), got[:1], atol=1e-4)


def test_a_family_that_cannot_share_reads_whole_prompts(vlm, monkeypatch):
    words = AnswerWords(vlm.processor.tokenizer, ['yes'], ['no'])
    expected = YesNoReader(vlm, words)(make_frames(0), QUESTIONS)
    for wrong in (lambda *_: torch.zeros(2), lambda *_: 1 / 0):
        monkeypatch.setattr(YesNoReader, '_shared', wrong)
        reader = YesNoReader(vlm, words, per_pass=3)
        torch.testing.assert_close(reader(make_frames(0), QUESTIONS), expected, atol=1e-4, rtol=0)
        assert reader.shares is False


def test_words_without_tokens_are_named():
    tokenizer = VisionLanguageModel(tiny_vlm()).processor.tokenizer
    for yes, no in ((['sure'], ['no']), (['yes'], ['yes']), (['yes'], [])):
        with pytest.raises(ConfigError, match='do not begin with different tokens'):
            AnswerWords(tokenizer, yes, no)


def test_adapters_and_programs_are_refused(tmp_path):
    (tmp_path / 'adapter_config.json').write_text('{}')
    with pytest.raises(CheckpointError, match='model.vlm: .* is an adapter'):
        VisionLanguageModel(str(tmp_path), key='model.vlm')
