"""Tiny random models with a tokenizer of whole words, so that noise looks like lists of labels."""

import pytest
import torch

WORDS = 'dog cat red blue running jumping a the small house , , , ,'.split()


def make_tokenizer(*special):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ['<pad>', '<s>', '</s>', '<unk>', *special, *dict.fromkeys(WORDS)]
    vocabulary = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token='<unk>'))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token='<pad>', bos_token='<s>', eos_token='</s>',
        unk_token='<unk>', additional_special_tokens=list(special),
    )  # fmt: skip


TEXT = dict(
    hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    num_key_value_heads=2, pad_token_id=0, bos_token_id=1, eos_token_id=2,
)  # fmt: skip


@pytest.fixture(scope='session')
def llm(tmp_path_factory):
    """Folder of a tiny causal language model."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp('llm')
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **TEXT)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope='session')
def multimodal(tmp_path_factory):
    """Folder of a tiny LLaVA."""
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    folder = tmp_path_factory.mktemp('multimodal')
    tokenizer = make_tokenizer('<image>')
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        image_size=16, patch_size=8,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision,
        text_config=LlamaConfig(vocab_size=len(tokenizer), **TEXT),
        image_token_index=tokenizer.convert_tokens_to_ids('<image>'),
        image_seq_length=4,
    )
    torch.manual_seed(0)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    size = dict(height=16, width=16)
    LlavaProcessor(
        image_processor=CLIPImageProcessor(size=dict(shortest_edge=16), crop_size=size),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy='default',
        image_token='<image>',
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    return str(folder)
