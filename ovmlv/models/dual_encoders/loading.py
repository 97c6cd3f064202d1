"""The one way to get a dual encoder of transformers, or the side of it that is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import transformers

from ovmlv.errors import CheckpointError, ConfigError, reason_of
from ovmlv.models.utils.frozen import fingerprint

from .configurations import fetched, make_configuration, quiet, read_configuration
from .families import DEFAULT_SCALE, Family
from .names import PREFIX, Source, is_dual_encoder, refuse_two_models
from .processors import (
    FrameSettings,
    given_settings,
    given_tokenizer,
    read_settings,
    read_tokenizer,
)
from .text_tower import DualEncoderTextTower
from .tokenizing import RowTokenizer
from .video_towers import VideoTower

#: Frames of a video where neither the weights nor the processor say how many.
FRAMES_OF_PICTURES, FRAMES_OF_VIDEOS = 8, 16
#: Random weights are drawn from this seed, so that both sides are of one model everywhere.
_SEED = 0


@dataclass
class LoadedDualEncoder:
    """A dual encoder, taken apart.

    Attributes:
        video: The side of videos, None if it was not asked for.
        text: The side of texts with its tokenizer, None if it was not asked for.
        logit_scale: Factor of the cosine (not its logarithm).
        logit_bias: Bias of the logit, for models that were trained with a sigmoid.
        embed_dim: E.
        settings: How frames are made ready; None if videos were not asked for.
        fingerprint: Hash of the weights of the side that was asked for.
        family: What is known of its class.
    """

    video: VideoTower | None
    text: DualEncoderTextTower | None
    logit_scale: float
    logit_bias: float | None
    embed_dim: int
    settings: FrameSettings | None
    fingerprint: str
    family: Family

    @property
    def num_frames(self) -> int:
        """T that its processor or its weights name, or else the usual one."""
        assert self.video is not None and self.settings is not None
        return _num_frames(self.settings, self.video)


def load_dual_encoder(
    model_name: str | Mapping[str, Any],
    pretrained: str | None = None,
    part: Literal['video', 'text'] = 'video',
) -> LoadedDualEncoder:
    """Build one side of a dual encoder.

    Args:
        model_name: ``transformers:owner/name`` or ``transformers:owner/name@revision`` of the hub,
            a local folder, or the configuration as a dict with its ``model_type`` (and with the
            settings of :data:`~.processors.SETTINGS` under ``processor``).
        pretrained: The same name for its weights; None draws random ones from a fixed seed.
        part: The side to keep.

    Raises:
        ConfigError: The configuration is of no dual encoder that is known here.
        CheckpointError: The weights are incomplete or damaged, or would run code.
        FileNotFoundError: There is no such folder or name.
    """
    if not is_dual_encoder(model_name):
        raise ConfigError(
            f'model_name={model_name!r} names no dual encoder of transformers; write '
            f'{PREFIX}owner/name, the folder of one, or its configuration as a dict'
        )
    refuse_two_models(model_name, pretrained)
    if isinstance(model_name, Mapping):
        fields = dict(model_name)
        processor = fields.pop('processor', None)
        config, family = make_configuration(fields)
        model = _random(config, family)
        settings: FrameSettings | None = given_settings(processor, family)
        tokenizer = given_tokenizer(processor) if part == 'text' else None
    else:
        source = Source.of(str(model_name))
        config, family = read_configuration(source)
        model = (
            _random(config, family)
            if pretrained is None
            else read_model(source, config, family, part)
        )
        settings = read_settings(source, family) if part == 'video' else None
        tokenizer = read_tokenizer(source) if part == 'text' else None
    scale, bias = _scale_and_bias(model, family)
    video = family.video(model) if part == 'video' else None
    text = None
    if part == 'text':
        pads_left = isinstance(tokenizer, RowTokenizer) and tokenizer.pads_left
        text = DualEncoderTextTower(family.text(model), tokenizer, pads_left)
    side: Any = video if video is not None else text
    return LoadedDualEncoder(
        video,
        text,
        scale,
        bias,
        side.embed_dim,
        settings,
        fingerprint(side),
        family,
    )


@dataclass(frozen=True)
class Frames:
    """The frames that a dual encoder takes.

    Attributes:
        num_frames: T.
        image_size: Height and width.
        squash: Whether pictures are resized to that size without a crop.
    """

    num_frames: int
    image_size: tuple[int, int]
    squash: bool


def describe_frames(model_name: str | Mapping[str, Any]) -> Frames:
    """What the files of a dual encoder say of frames; the weights themselves are not read.

    Args:
        model_name: See :func:`load_dual_encoder`.
    """
    if isinstance(model_name, Mapping):
        fields = dict(model_name)
        settings = fields.pop('processor', None)
        config, family = make_configuration(fields)
        found = given_settings(settings, family)
    else:
        source = Source.of(model_name)
        config, family = read_configuration(source)
        found = read_settings(source, family)
    with torch.device('meta'), quiet():  # the size of some is known to their image towers alone
        video = family.video(_build(config, family))
    return Frames(_num_frames(found, video), video.image_size, found.squash)


def _num_frames(settings: FrameSettings, video: VideoTower) -> int:
    usual = FRAMES_OF_PICTURES if video.by_frame else FRAMES_OF_VIDEOS
    return settings.num_frames or video.num_frames or usual


def _build(config: Any, family: Family) -> Any:
    try:
        with quiet():
            return getattr(transformers, family.class_name)(config)
    except Exception as error:  # of any kind: numbers that do not fit each other
        raise ConfigError(
            f'model_name: transformers cannot build this {family.class_name} '
            f'({type(error).__name__}: {reason_of(error)[:200]}); correct its configuration'
        ) from error


def _random(config: Any, family: Family) -> Any:
    with torch.random.fork_rng(devices=[]):  # the caller's random stream must not move
        torch.manual_seed(_SEED)
        return _build(config, family).float().eval()


def read_model(source: Source, config: Any, family: Family, part: str = 'both') -> Any:
    """A model of transformers with its weights, all of which that are needed must be there.

    Args:
        source: Where its files are.
        config: Its configuration.
        family: Its family.
        part: ``video``, ``text`` or ``both``: what is needed of it.

    Raises:
        CheckpointError: The weights are incomplete or damaged.
        FileNotFoundError: There are none.
    """
    model, found = fetched(
        getattr(transformers, family.class_name).from_pretrained,
        source,
        'weights',
        config=config,
        dtype=torch.float32,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are told below
        # Of PE-AV, the side of videos is a model within the model.
        key_mapping={r'^video_model\.': ''},
    )
    sides = ['video', 'text'] if part == 'both' else [part]
    kept: list[Any] = [getattr(family, side)(model) for side in sides]
    needed = {id(tensor) for side in kept for tensor in side.parameters()}
    names = {name for name, tensor in model.named_parameters() if id(tensor) in needed}
    missing = sorted(names & set(found['missing_keys']))
    wrong = sorted(str(entry[0]) for entry in found['mismatched_keys'])
    if missing or wrong:
        what = f'{wrong[0]} has another shape' if wrong else f'{missing[0]} is missing'
        raise CheckpointError(
            f'{source.place}: its weights do not fit its config.json: {what} ({len(missing)} '
            f'missing, {len(wrong)} of another shape); save or download both again'
        )
    return model.eval()


def _scale_and_bias(model: Any, family: Family) -> tuple[float, float | None]:
    if not family.has_scale:
        return DEFAULT_SCALE, None
    scale = float(model.logit_scale.detach().exp())
    if not family.class_name.startswith('Siglip'):
        return scale, None
    return scale, float(model.logit_bias.detach())
