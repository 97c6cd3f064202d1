"""Tiny random dual encoders of transformers, as configurations and as folders of real files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

_TOWER = dict(hidden_size=32, intermediate_size=48, num_attention_heads=2)
_ONE = dict(**_TOWER, num_hidden_layers=1)
_TWO = dict(**_TOWER, num_hidden_layers=2)
_TIMM = dict(
    model_type='timm_wrapper',
    architecture='vit_pe_core_tiny_patch16_384',
    model_args=dict(img_size=32, embed_dim=32, depth=1, num_heads=2),
    num_labels=16,
)
_PE_VIDEO = dict(**_TWO, head_dim=16, vision_config=_TIMM)
_DAC = dict(
    encoder_hidden_size=8,
    downsampling_ratios=[2, 2],
    decoder_hidden_size=16,
    hidden_size=32,
    codebook_dim=8,
)

#: Name of the family -> configuration, as a config gives it for ``model_name``.
CONFIGS: dict[str, dict[str, Any]] = dict(
    videoprism=dict(
        model_type='videoprism',
        vision_config=dict(
            **_TOWER,
            image_size=36,
            num_frames=4,
            num_spatial_layers=1,
            num_temporal_layers=1,
            num_auxiliary_layers=2,
        ),
        text_config=dict(**_ONE, max_position_embeddings=48),
    ),
    pe_video=dict(
        model_type='pe_video',
        text_config=_TWO,
        video_config=_PE_VIDEO,
        processor=dict(num_frames=4),
    ),
    pe_audio_video=dict(
        model_type='pe_audio_video',
        text_config=_TWO,
        audio_video_config=dict(
            **_ONE,
            head_dim=16,
            audio_config=dict(**_ONE, head_dim=16, dac_config=_DAC),
            video_config=_PE_VIDEO,
        ),
        processor=dict(num_frames=4),
    ),
    xclip=dict(
        model_type='xclip',
        projection_dim=32,
        prompt_num_attention_heads=2,
        vision_config=dict(
            **_TWO,
            image_size=32,
            patch_size=16,
            num_frames=4,
            mit_hidden_size=32,
            mit_intermediate_size=48,
            mit_num_attention_heads=2,
        ),
        text_config=dict(**_ONE, max_position_embeddings=48),
    ),
    siglip=dict(
        model_type='siglip',
        vision_config=dict(**_TWO, image_size=32, patch_size=16),
        text_config=dict(**_ONE, max_position_embeddings=48, projection_size=32),
        processor=dict(num_frames=4),
    ),
    siglip2=dict(
        model_type='siglip2',
        vision_config=dict(**_TWO, patch_size=8, num_patches=16),
        text_config=dict(**_ONE, max_position_embeddings=48, projection_size=32),
        processor=dict(num_frames=4),
    ),
    clip=dict(
        model_type='clip',
        projection_dim=24,
        vision_config=dict(**_TWO, image_size=32, patch_size=16),
        text_config=dict(**_ONE, max_position_embeddings=48),
        processor=dict(num_frames=4),
    ),
)
#: Height of the square pictures that each takes.
SIZES = dict.fromkeys(CONFIGS, 32) | dict(videoprism=36)
FRAME_FAMILIES = ('siglip', 'siglip2', 'clip')
LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789.,'


def write_dual(folder: Path, family: str, seed: int = 1) -> Any:
    """Write model, processor and tokenizer as ``save_pretrained`` does.

    Returns:
        The model of transformers, whose own functions are the oracle.
    """
    import transformers

    tokenizer, text = _tokenizer(family)
    fields = {key: value for key, value in CONFIGS[family].items() if key != 'processor'}
    fields['text_config'] = {**fields['text_config'], **text}
    model_type = fields.pop('model_type')
    config = transformers.AutoConfig.for_model(model_type, **fields)
    torch.manual_seed(seed)
    model = transformers.AutoModel.from_config(config)
    with torch.no_grad():
        # Weights that start at zero, or as a constant, would hide what is not computed.
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _processor(family).save_pretrained(folder)
    return model.eval()


def _processor(family: str) -> Any:
    import transformers

    square = dict(height=SIZES[family], width=SIZES[family])
    if family == 'videoprism':
        return transformers.LlavaOnevisionVideoProcessor(size=square, num_frames=4)
    if family.startswith('pe_'):
        half = [0.5] * 3
        return transformers.PeVideoVideoProcessor(
            size=square, image_mean=half, image_std=half, num_frames=4
        )
    if family == 'siglip':
        return transformers.SiglipImageProcessor(size=square)
    if family == 'siglip2':
        return transformers.Siglip2ImageProcessor(patch_size=8, max_num_patches=16)
    short = dict(size=dict(shortest_edge=32), crop_size=square)
    kind = dict(xclip='VideoMAEImageProcessor', clip='CLIPImageProcessor')[family]
    return getattr(transformers, kind)(**short)


def _tokenizer(family: str) -> tuple[Any, dict[str, Any]]:
    """A tokenizer of letters, of the class that the family has, and what the model must know."""
    import transformers

    if family == 'videoprism':
        pieces = ['<pad>', '</s>', '<unk>', '▁', *LETTERS]
        found = transformers.VideoPrismTokenizer(
            vocab=[(piece, -1.0) for piece in pieces], extra_ids=0
        )
        return found, dict(vocab_size=len(found), pad_token_id=0)
    if family in ('clip', 'xclip'):
        pieces = [*LETTERS, *(letter + '</w>' for letter in LETTERS)]
        pieces += ['<|startoftext|>', '<|endoftext|>']
        found = transformers.CLIPTokenizer(vocab={p: i for i, p in enumerate(pieces)}, merges=[])
        end = len(pieces) - 1
        return found, dict(vocab_size=len(pieces), eos_token_id=end, bos_token_id=end - 1)
    if family in ('siglip', 'siglip2'):
        pieces = ['<pad>', '<eos>', '<bos>', '<unk>', '▁', '<mask>', *LETTERS]
        # One with padding behind the text, as the published ones have it; one with the default.
        side = 'right' if family == 'siglip' else 'left'
        found = transformers.Siglip2Tokenizer(
            vocab={p: i for i, p in enumerate(pieces)}, merges=[], padding_side=side
        )
        return found, dict(vocab_size=len(pieces), eos_token_id=1, bos_token_id=2, pad_token_id=0)
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    pieces = ['[PAD]', '[CLS]', '[SEP]', '[UNK]', *LETTERS]
    inner = Tokenizer(models.WordLevel({p: i for i, p in enumerate(pieces)}, unk_token='[UNK]'))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split('', 'isolated')]
    )
    inner.post_processor = processors.BertProcessing(('[SEP]', 2), ('[CLS]', 1))
    found = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token='[PAD]',
        cls_token='[CLS]',
        sep_token='[SEP]',
        unk_token='[UNK]',
    )
    ids = dict(pad_token_id=0, cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2)
    return found, dict(vocab_size=len(pieces), **ids)
