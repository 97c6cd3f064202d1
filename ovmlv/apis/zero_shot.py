"""Configs of taggers that are CLIPs without any training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from ovmlv.errors import ConfigError
from ovmlv.models.clip.architecture import HUB, SHIPPED, Architecture, find_architecture
from ovmlv.models.dual_encoders import describe_frames, is_dual_encoder

#: Captions of photos are what CLIPs were trained on; those of videos name what these lack.
TEMPLATES = (
    '{}',
    'a photo of {}',
    'a video of {}',
    'a video frame of {}',
    'footage of {}',
    'a scene with {}',
)
#: What the captions of the shipped CLIPs looked like.
SHIPPED_TEMPLATES = dict.fromkeys(
    ('motionshapes', 'toybox'),
    ('{}', 'a photo of {}', 'a video of {}', 'a picture of {}', 'there is {} here'),
)
NUM_FRAMES = 8


def zero_shot_config(model: str, weights: str | None = None) -> Config:
    """A CLIP as a video tagger: mean of frames, an ensemble of templates, nothing trained.

    Args:
        model: open_clip architecture, also as ``architecture/tag``; the JSON file of an
            architecture; or a dual encoder of transformers, as ``transformers:owner/name`` or as
            a folder.
        weights: open_clip tag, or local weight file or folder; a dual encoder has its own.

    Raises:
        ConfigError: There is no such architecture, or no weights are named.
    """
    if is_dual_encoder(model):
        return _dual_encoder_config(model, weights)
    architecture, tag = _split(model)
    weights = _weights(architecture, tag, weights)
    clip = dict(model_name=model if tag is None else architecture.name, pretrained=weights)
    backbone = dict(
        type='TemporalCLIPBackbone',
        **clip,
        num_frames=NUM_FRAMES,
        temporal=dict(type='FrameMean'),
        trainable='none',
    )
    templates = SHIPPED_TEMPLATES.get(clip['model_name'], TEMPLATES)
    squashes = architecture.squashes(weights if weights in architecture.tags else None)
    size = architecture.image_size if squashes else None
    return _config(backbone, clip, templates, default_pipeline(squashed=size))


def _dual_encoder_config(model: str, weights: str | None) -> Config:
    """The same for a dual encoder of transformers, with the frames that its processor names."""
    if weights not in (None, model):
        raise ConfigError(
            f'{model} has its own weights; leave weights={str(weights)!r} out, or give the folder '
            'of the others as model'
        )
    dual = dict(model_name=model, pretrained=model)
    frames = describe_frames(model)
    backbone = dict(type='TransformersVideoBackbone', **dual, num_frames=frames.num_frames)
    size = frames.image_size if frames.squash else None
    return _config(backbone, dual, TEMPLATES, default_pipeline(frames.num_frames, size))


def _config(
    backbone: dict[str, Any],
    clip: dict[str, Any],
    templates: Sequence[str],
    pipeline: list[dict],
) -> Config:
    head = dict(
        type='TemplatePromptHead',
        **clip,
        templates=list(templates),
        background='everyday',
        truncate=True,  # long labels are cut, as by open_clip
    )
    scorer = dict(type='SigmoidScorer', init_bias='clip', learnable=False)
    parts = dict(backbone=backbone, head=head, scorer=scorer)
    return Config(
        dict(
            default_scope='ovmlv',
            model=dict(type='OpenVocabRecognizer', **parts),
            test_pipeline=pipeline,
        )
    )


def default_pipeline(
    num_frames: int = NUM_FRAMES, squashed: tuple[int, int] | None = None
) -> list[dict]:
    """Frames spread evenly over the video.

    Args:
        num_frames: T.
        squashed: Height and width that frames are resized to, whatever their shape. None leaves
            them as they are; later, they are resized and cropped as CLIP's images are.
    """
    resizing = [] if squashed is None else [dict(type='ovmlv.ResizeFrames', size=list(squashed))]
    return [
        dict(type='ovmlv.VideoInit'),
        dict(type='ovmlv.SampleSegmentFrames', clip_len=num_frames, test_mode=True),
        dict(type='ovmlv.VideoDecode'),
        *resizing,
        dict(type='mmaction.FormatShape', input_format='NCTHW'),
        dict(type='ovmlv.PackMultilabelInputs'),
    ]


def _split(model: str) -> tuple[Architecture, str | None]:
    """The architecture, and the tag behind a slash; in old names, slashes stand for dashes."""
    try:
        return find_architecture(model), None
    except ConfigError:
        name, slash, tag = model.rpartition('/')
        if not slash or model.startswith(HUB):
            raise
        architecture = find_architecture(name)
        if tag not in architecture.tags:
            raise ConfigError(
                f'{name} has no weights {tag!r}; there are {_listed(architecture.tags)}'
            ) from None
        return architecture, tag


def _weights(architecture: Architecture, tag: str | None, weights: str | None) -> str:
    if tag is not None and weights is not None:
        raise ConfigError(
            f'the model is given weights twice, {tag!r} and {str(weights)!r}; remove one'
        )
    if tag is not None or weights is not None:
        return tag or str(weights)
    if architecture.name.startswith(HUB):
        return architecture.name
    shipped = SHIPPED / f'{architecture.name}'
    if architecture.folder == SHIPPED:
        return shipped.stem
    if architecture.tags:
        raise ConfigError(
            f'{architecture.name} needs weights: a local file, or one of '
            f'{_listed(architecture.tags)} (weights={architecture.tags[0]!r})'
        )
    raise ConfigError(
        f"{architecture.name} needs weights: give weights='/path/to/the/file'; none are published"
    )


def _listed(names: list[str]) -> str:
    return ', '.join(names) or 'none'
