import numpy as np
import pytest
import torch

from ovmlv.errors import ConfigError, DataError
from ovmlv.label_generation import AnswerFile, FrameGenerator, TextGenerator


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


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)


def test_frames(multimodal, frames):
    generator = FrameGenerator(multimodal, temperature=1.5, max_new_tokens=8)
    one = generator(frames, 'a dog')
    assert isinstance(one, str) and generator(frames, 'a dog') == one
    assert generator(frames, 'a dog', draw=1) != one
    seen = []
    handle = generator.model.model.vision_tower.register_forward_hook(
        lambda module, inputs, kwargs, out: seen.append(inputs or kwargs), with_kwargs=True
    )
    generator(frames[:2], 'a dog')
    handle.remove()
    (given,) = seen
    pixels = next(iter(given.values())) if isinstance(given, dict) else given[0]
    assert pixels.shape == (2, 3, 16, 16), 'each frame is an image of its own'


def test_chat_template(multimodal, frames):
    generator = FrameGenerator(multimodal, max_new_tokens=3)
    generator.processor.chat_template = (
        '{% for part in messages[0].content %}{% if part.type == "image" %}<image>{% else %}'
        ' {{ part.text }}{% endif %}{% endfor %}'
    )
    assert generator._text('a dog', 3).strip() == '<image><image><image> a dog'
    assert isinstance(generator(frames, 'a dog'), str)


def test_no_multimodal_model(llm, tmp_path):
    with pytest.raises(ConfigError, match='image-text-to-text'):
        FrameGenerator(llm)
    with pytest.raises(ConfigError, match='image-text-to-text'):
        FrameGenerator(str(tmp_path))


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
