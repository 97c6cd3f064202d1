"""What a dual encoder's own processor says of frames, and its tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ovmlv.errors import ConfigError

from .configurations import fetched
from .families import Family
from .names import Source
from .tokenizing import BYTES, OPENAI, ByteRowTokenizer, RowTokenizer, openai_tokenizer

#: Keys of ``processor`` in a configuration that a config gives as a dict.
SETTINGS = ('mean', 'std', 'num_frames', 'squash', 'tokenizer')


@dataclass(frozen=True)
class FrameSettings:
    """How frames are made ready.

    Attributes:
        mean: Mean of the pixels in 0..1.
        std: Deviation of the pixels in 0..1.
        num_frames: Frames of a video; None where the processor does not say.
        squash: Whether pictures are resized to the model's size without a crop.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_frames: int | None
    squash: bool


def given_settings(settings: Any, family: Family) -> FrameSettings:
    """The settings of a config, over those that the family is known for.

    Raises:
        ConfigError: A setting is unknown or of another type.
    """
    settings = {} if settings is None else settings
    strange = sorted(set(settings) - set(SETTINGS)) if isinstance(settings, Mapping) else ['it']
    if strange:
        raise ConfigError(
            f'model_name.processor: {strange[0]} is none of its settings, which are '
            f'{", ".join(SETTINGS)}'
        )
    found = FrameSettings(family.mean, family.std, None, family.squash)
    own = {key: settings[key] for key in SETTINGS[:4] if settings.get(key) is not None}
    for key in ('mean', 'std'):
        if key in own:
            own[key] = tuple(own[key])
    return replace(found, **own)


def read_settings(source: Source, family: Family) -> FrameSettings:
    """The settings of a folder's or a repository's processor.

    Raises:
        FileNotFoundError: It has no processor.
        ConfigError: The processor does what a pipeline of frames cannot.
    """
    from transformers import AutoImageProcessor, AutoVideoProcessor

    if family.processor == 'video':
        processor = fetched(AutoVideoProcessor.from_pretrained, source, 'video processor')
    else:
        processor = fetched(AutoImageProcessor.from_pretrained, source, 'image processor')
    content = {**processor.to_dict(), **_overridden(family)}
    mean, std = [0.0] * 3, [1.0] * 3
    if content.get('do_normalize', True):
        mean, std = list(content['image_mean']), list(content['image_std'])
    # What is subtracted from pixels in 0..1, whatever the processor scales them to.
    scale = 255 * float(content.get('rescale_factor') or 1 / 255)
    if content.get('do_rescale') is False:
        scale = 255.0
    if content.get('do_pad') and family.processor == 'image':
        raise ConfigError(
            f'{source.place}: its processor pads pictures, which no pipeline here does; give a '
            'model without that'
        )
    frames = content.get('num_frames')
    return FrameSettings(
        tuple(m / scale for m in mean),
        tuple(s / scale for s in std),
        int(frames) if frames else None,
        not content.get('do_center_crop'),
    )


def read_tokenizer(source: Source) -> Any:
    """The tokenizer of a folder or a repository, as open_clip has tokenizers.

    Raises:
        FileNotFoundError: It has no tokenizer.
        ConfigError: The tokenizer has no token for padding, or no vocabulary.
    """
    from transformers import AutoTokenizer

    tokenizer = fetched(AutoTokenizer.from_pretrained, source, 'tokenizer')
    padding = tokenizer.pad_token_id
    if padding is None:
        padding = tokenizer.eos_token_id
    if padding is None:
        raise ConfigError(
            f'{source.place}: its tokenizer has no token for padding; set pad_token in its '
            'tokenizer_config.json'
        )
    plain = tokenizer('a dog', add_special_tokens=False)['input_ids']
    if not plain or tokenizer.unk_token_id in plain:
        # Of some classes transformers makes an empty one where there are no files of it.
        raise ConfigError(
            f'{source.place}: its tokenizer knows no plain words; copy its files (tokenizer.json) '
            'there'
        )
    return RowTokenizer(tokenizer, int(padding))


def given_tokenizer(settings: Any) -> Any:
    """The tokenizer of ``processor=dict(tokenizer=...)``; bytes where none is named."""
    name = (settings or {}).get('tokenizer') or BYTES
    if name == BYTES:
        return ByteRowTokenizer()
    return openai_tokenizer() if name == OPENAI else read_tokenizer(Source.of(name))


def _overridden(family: Family) -> dict[str, Any]:
    """What the joint processor of the family says in place of the one of pixels."""
    if family.class_name != 'VideoPrismClipModel':
        return {}
    from transformers import VideoPrismProcessor

    return {key: value for key, value in VideoPrismProcessor.video_kwargs.items() if key != 'size'}
