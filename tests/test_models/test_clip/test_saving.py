import json
import shutil

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from ovmlv.models.clip.loading import load_clip
from ovmlv.models.clip.saving import save_clip
from ovmlv.models.clip.weights import OPENAI_EXTRAS, read_weights
from tests.test_integration.tiny import write_clip

WORDS = ['[PAD]', '[UNK]', 'a', 'red', 'dog']


def write_weights(config, folder, **extras):
    torch.manual_seed(0)
    clip = load_clip(config)
    state = {f'visual.{k}': v for k, v in clip.visual.state_dict().items()}
    save_file({**state, **clip.text.state_dict(), **extras}, folder / 'weights.safetensors')
    return str(folder / 'weights.safetensors')


def test_the_activation_is_kept(tmp_path):
    """OpenAI's files tell their QuickGELU, and so does the copy."""
    config = write_clip(tmp_path)
    marks = {name: torch.zeros(()) for name in OPENAI_EXTRAS}
    for name, extras in (('gelu', {}), ('quick', marks)):
        weights = write_weights(config, tmp_path, **extras)
        found = save_clip(config, weights, tmp_path / name)
        first, second = (
            load_clip(*pair)
            for pair in ((config, weights), (str(found['model_name']), str(found['pretrained'])))
        )
        assert first.fingerprint == second.fingerprint
        assert read_weights(found['pretrained']).quick_gelu is (True if extras else None)
        image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            torch.testing.assert_close(first.visual(image), second.visual(image))


def test_tokenizers_go_along(tmp_path):
    """A SentencePiece-like tokenizer of transformers, as SigLIP's is found on a hub."""
    source = tmp_path / 'source'
    words = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token='[UNK]'))
    words.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token='[UNK]', pad_token='[PAD]'
    ).save_pretrained(source / 'my_words')
    path = source / 'clip.json'
    shutil.copy(write_clip(tmp_path), path)
    config = json.loads(path.read_text())
    config['text_cfg'].update(hf_tokenizer_name='my_words', vocab_size=len(WORDS))
    config['preprocess_cfg'] = dict(mean=[0.5] * 3, std=[0.25] * 3)
    path.write_text(json.dumps(config))
    weights = write_weights(str(path), source)
    wanted = load_clip(str(path), weights)
    found = save_clip(str(path), weights, tmp_path / 'copy')
    tokens = wanted.tokenizer(['a red dog', 'a cat'])
    shutil.rmtree(source)
    again = load_clip(str(found['model_name']), str(found['pretrained']))
    assert torch.equal(again.tokenizer(['a red dog', 'a cat']), tokens)
    assert tokens[0, :3].tolist() == [2, 3, 4]
    assert (again.mean, again.std) == ((0.5,) * 3, (0.25,) * 3)
    assert set(load_file(found['pretrained'])) >= {'logit_scale', 'visual.proj'}
