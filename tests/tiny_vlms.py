"""Random vision-language models of real architectures, tiny, written as folders of transformers."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import torch

WORDS = 'dog cat red blue running jumping a the small house , yes no show video'.split()
TEXT = dict(
    hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
    num_key_value_heads=2, pad_token_id=0, bos_token_id=1, eos_token_id=2, initializer_range=0.3,
)  # fmt: skip


def make_tokenizer(*special: str):
    """A tokenizer of whole words, so that noise looks like lists of labels."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ['<pad>', '<s>', '</s>', '<unk>', *special, *WORDS]
    vocabulary = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token='<unk>'))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token='<pad>', bos_token='<s>', eos_token='</s>',
        unk_token='<unk>', additional_special_tokens=list(special),
    )  # fmt: skip


def template(image: str) -> str:
    """A chat template with ``image`` in the place of each picture."""
    return (
        '{% for message in messages %}{% for part in message.content %}'
        + "{% if part.type == 'image' %}"
        + image
        + '{% else %} {{ part.text }}{% endif %}{% endfor %}{% endfor %}'
        + '{% if add_generation_prompt %} the{% endif %}'
    )


def make_llava(folder: Path, chat: bool = False) -> str:
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = make_tokenizer('<image>')
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            image_size=16, patch_size=8, initializer_range=0.3,
        ),
        text_config=LlamaConfig(vocab_size=len(tokenizer), **TEXT),
        image_token_index=tokenizer.convert_tokens_to_ids('<image>'),
        image_seq_length=4,
    )  # fmt: skip
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
        chat_template=template('<image>') if chat else None,
    ).save_pretrained(folder)
    return str(folder)


def make_qwen3_vl(folder: Path) -> str:
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    special = ('<|image_pad|>', '<|video_pad|>', '<|vision_start|>', '<|vision_end|>')
    tokenizer = make_tokenizer(*special)
    image, video, start, end = (tokenizer.convert_tokens_to_ids(token) for token in special)
    text = {k: v for k, v in TEXT.items() if not k.endswith('token_id')}
    config = Qwen3VLConfig(
        text_config=dict(
            vocab_size=len(tokenizer), head_dim=8, pad_token_id=0, bos_token_id=1, eos_token_id=2,
            rope_parameters=dict(
                rope_type='default', rope_theta=10000.0, mrope_section=[2, 1, 1],
                mrope_interleaved=True,
            ),
            **text,
        ),
        vision_config=dict(
            depth=2, hidden_size=16, intermediate_size=32, num_heads=2, patch_size=8,
            spatial_merge_size=2, temporal_patch_size=2, out_hidden_size=16,
            num_position_embeddings=16, deepstack_visual_indexes=[0], initializer_range=0.3,
        ),
        image_token_id=image, video_token_id=video, vision_start_token_id=start,
        vision_end_token_id=end,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Qwen3VLForConditionalGeneration(config)
    model.generation_config.update(eos_token_id=2, pad_token_id=0)
    model.save_pretrained(folder)
    pictures = dict(patch_size=8, merge_size=2, temporal_patch_size=2)
    size = dict(shortest_edge=16 * 16, longest_edge=32 * 32)
    Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=size, **pictures),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(size=size, **pictures),
        chat_template=template('<|vision_start|><|image_pad|><|vision_end|>'),
    ).save_pretrained(folder)
    return str(folder)


def make_smolvlm(folder: Path) -> str:
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
    )

    special = ('<image>', '<fake_token_around_image>', '<global-img>', '<end_of_utterance>')
    tokenizer = make_tokenizer(*special)
    config = Idefics3Config(
        vision_config=dict(
            hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            image_size=16, patch_size=4, initializer_range=0.3,
        ),
        text_config=dict(model_type='llama', vocab_size=len(tokenizer), **TEXT),
        image_token_id=tokenizer.convert_tokens_to_ids('<image>'),
        scale_factor=2,
        pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    Idefics3Processor(
        image_processor=Idefics3ImageProcessor(
            size=dict(longest_edge=16), max_image_size=dict(longest_edge=16),
            do_image_splitting=False,
        ),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=template('<image>'),
    ).save_pretrained(folder)  # fmt: skip
    return str(folder)


MAKERS = dict(
    llava=make_llava,
    llava_chat=lambda folder: make_llava(folder, chat=True),
    qwen3_vl=make_qwen3_vl,
    idefics3=make_smolvlm,
)


_FOLDERS: list[tempfile.TemporaryDirectory] = []  # until the tests end


@functools.cache
def tiny_vlm(family: str = 'qwen3_vl') -> str:
    """The folder of a model, written once for all tests."""
    _FOLDERS.append(tempfile.TemporaryDirectory())
    return MAKERS[family](Path(_FOLDERS[-1].name))
