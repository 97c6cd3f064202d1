"""Tiny random models with a tokenizer of whole words, so that noise looks like lists of labels."""

import pytest
import torch

from tests.tiny_vlms import MAKERS, TEXT, make_tokenizer


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


@pytest.fixture(scope='session', params=list(MAKERS))
def multimodal(request, tmp_path_factory):
    """Folder of a tiny model that reads pictures and text."""
    return MAKERS[request.param](tmp_path_factory.mktemp(request.param))
