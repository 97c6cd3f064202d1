import numpy as np
import pytest
import torch

from ovmlv.errors import ConfigError, DataError
from ovmlv.label_generation import AnswerFile, FrameGenerator, TextGenerator
from ovmlv.label_generation.row_sampling import RowNoise


def test_text_depends_on_seed_and_draw_alone(llm):
    generator = TextGenerator(name=llm, temperature=1.5, max_new_tokens=8)
    state = torch.random.get_rng_state()
    one, other = generator('a dog ,'), generator('a dog ,', draw=1)
    assert torch.equal(torch.random.get_rng_state(), state), 'moved the random stream of others'
    torch.rand(3)
    assert generator('a cat ,') is not None and generator('a dog ,') == one != other
    assert TextGenerator(name=llm, temperature=1.5, max_new_tokens=8, seed=1)('a dog ,') != one


def test_greedy_text_is_that_of_transformers(llm):
    generator = TextGenerator(name=llm, temperature=0, max_new_tokens=5)
    ids = generator.tokenizer.encode('a dog ,')
    for _ in range(5):
        logits = generator.model(torch.tensor([ids])).logits
        ids.append(int(logits[0, -1].argmax()))
        if ids[-1] == generator.tokenizer.eos_token_id:
            break
    expected = generator.tokenizer.decode(ids[4 - 1 :], skip_special_tokens=True)
    assert generator('a dog ,') == expected.strip()


def test_text_ends_with_its_line():
    """A model of bytes; whatever it says, only the first line of it counts."""
    config = dict(model_type='gpt2', n_embd=16, n_layer=1, n_head=2, n_positions=256)
    generator = TextGenerator(config=config, temperature=2.0, top_p=1.0, max_new_tokens=60)
    answers = [generator('Labels:', draw) for draw in range(4)]
    assert len(set(answers)) == 4 and not any('\n' in answer for answer in answers)


@pytest.mark.parametrize('options', [dict(temperature=-1), dict(top_p=0), dict(max_new_tokens=0)])
def test_sampling_mistakes(llm, options):
    with pytest.raises(ConfigError, match='max_new_tokens='):
        TextGenerator(name=llm, **options)


@pytest.fixture(scope='module')
def generator(multimodal):
    return FrameGenerator(multimodal, temperature=1.5, max_new_tokens=8)


def make_frames(seed, count=3):
    return np.random.default_rng(seed).integers(0, 256, (count, 20, 24, 3), dtype=np.uint8)


def test_frames_depend_on_seed_and_draw_alone(generator, multimodal):
    frames = make_frames(0)
    state = torch.random.get_rng_state()
    one, other = generator(frames, 'a dog'), generator(frames, 'a dog', draw=1)
    assert torch.equal(torch.random.get_rng_state(), state), 'moved the random stream of others'
    assert generator(frames, 'a dog') == one != other
    assert generator(make_frames(1), 'a dog') != one
    assert FrameGenerator(multimodal, 1.5, max_new_tokens=8, seed=1)(frames, 'a dog') != one


def test_batches_change_no_answer(generator):
    """Prompts of several lengths, whose answers end at different places."""
    videos = [make_frames(seed) for seed in range(4)]
    prompts = ['a dog', 'the small red house', 'cat', 'a dog running , jumping']
    draws = [0, 1, 2, 0]
    alone = [generator(*asked) for asked in zip(videos, prompts, draws, strict=True)]
    assert generator.answers(videos, prompts, draws) == alone
    order = [2, 0, 3, 1]
    mixed = ([values[i] for i in order] for values in (videos, prompts, draws))
    assert generator.answers(*mixed) == [alone[i] for i in order]
    assert len({len(answer.split()) for answer in alone}) > 1


def test_greedy_frames_are_those_of_transformers(multimodal):
    generator = FrameGenerator(multimodal, temperature=0, max_new_tokens=6)
    vlm, frames = generator.vlm, make_frames(0)
    inputs = vlm.inputs([frames], ['a dog'])
    out = vlm.model.generate(**inputs, max_new_tokens=6, do_sample=False)
    words = out[0, inputs['input_ids'].shape[1] :].tolist()
    expected = vlm.processor.tokenizer.decode(words, skip_special_tokens=True).strip()
    assert generator(frames, 'a dog') == expected


def test_each_frame_is_an_image_of_its_own(generator):
    lengths = [
        generator.vlm.inputs([make_frames(0, n)], ['a dog'])['input_ids'].shape[1]
        for n in (2, 3, 4)
    ]
    assert lengths[2] - lengths[1] == lengths[1] - lengths[0] >= 4


def test_noise_draws_from_the_distribution():
    """Frequencies over many rows, beside a softmax cut at ``top_p``."""
    scores = torch.tensor([2.0, 1.0, 0.0, -3.0]).log_softmax(-1)
    rows = 5_000
    noise = RowNoise(range(rows), temperature=2.0, top_p=0.9)
    drawn = noise(torch.zeros(rows, 1, dtype=torch.long), scores.expand(rows, -1)).argmax(-1)
    expected = (scores / 2).softmax(-1)
    assert expected[:3].sum() > 0.9 > expected[:2].sum()
    expected[3] = 0
    got = drawn.bincount(minlength=4) / rows
    assert torch.allclose(got, expected / expected.sum(), atol=0.03)


def test_no_multimodal_model(llm, tmp_path):
    with pytest.raises(ConfigError, match='image-text-to-text'):
        FrameGenerator(llm)
    with pytest.raises(ConfigError, match='image-text-to-text') as caught:
        FrameGenerator(str(tmp_path))
    assert '\n' not in str(caught.value)
    with pytest.raises(ConfigError, match='float32'):
        FrameGenerator(llm, dtype='int8')


def test_answers_survive_a_kill(tmp_path):
    path = tmp_path / 'new' / 'answers.jsonl'
    file = AnswerFile(path, dict(seed=0))
    file.add('dög', 0, 'pet,\nanimal')
    file.add('cat', 1, 'animal')
    with open(path, 'ab') as torn:
        torn.write('{"source": "bird", "draw": 0, "answer": "é'.encode()[:-1])
    again = AnswerFile(path, dict(seed=0))
    assert again.answers == {('dög', 0): 'pet,\nanimal', ('cat', 1): 'animal'}
    again.add('bird', 0, 'wings')
    assert AnswerFile(path, dict(seed=0)).get('bird', 0) == 'wings'
    with pytest.raises(DataError, match=r'other settings \(seed\)'):
        AnswerFile(path, dict(seed=1))
    path.write_text('{"settings')  # killed in its first line
    assert AnswerFile(path, dict(seed=1)).answers == {}
    path.write_text('a\nb\n')
    with pytest.raises(DataError, match='no file of answers'):
        AnswerFile(path, dict(seed=1))
