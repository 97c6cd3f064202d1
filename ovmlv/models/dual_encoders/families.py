"""The kinds of dual encoders of transformers that are known here, each under its ``model_type``."""

from __future__ import annotations

from dataclasses import dataclass

from open_clip.constants import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    INCEPTION_MEAN,
    INCEPTION_STD,
    OPENAI_DATASET_MEAN,
    OPENAI_DATASET_STD,
)

from .text_sides import (
    CLIPTextSide,
    PeTextSide,
    SiglipTextSide,
    TextSide,
    VideoPrismTextSide,
)
from .video_towers import (
    CLIPVideoTower,
    PeVideoTower,
    Siglip2VideoTower,
    SiglipVideoTower,
    VideoPrismVideoTower,
    VideoTower,
    XCLIPVideoTower,
)

#: ``1 / tau`` where a model has no factor of its cosines. VideoPrism's authors divide by 0.01 in
#: their demonstration (google-deepmind/videoprism, ``videoprism_video_text_demo.ipynb``); Meta's
#: PE-AV has none either, and transformers multiplies products of unnormalised vectors by one that
#: starts at zero. CLIP's own ends at 100.
DEFAULT_SCALE = 100.0


@dataclass(frozen=True)
class Family:
    """One class of transformers and what is known of it.

    Attributes:
        class_name: Class of transformers; of PE-AV, the one without a side of sound.
        video: The side of videos.
        text: The side of texts.
        mean: Mean of the pixels in 0..1, for a configuration without a processor.
        std: Deviation of the pixels in 0..1.
        squash: Whether its processor resizes pictures to the model's size without a crop.
        processor: Kind of its processor of pixels: ``video`` or ``image``.
        has_scale: Whether its ``logit_scale`` is the logarithm of a factor of cosines.
    """

    class_name: str
    video: type[VideoTower]
    text: type[TextSide]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    squash: bool
    processor: str = 'image'
    has_scale: bool = True


#: Mean and deviation.
_Statistics = tuple[tuple[float, ...], tuple[float, ...]]
_PLAIN: _Statistics = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_HALF: _Statistics = (tuple(INCEPTION_MEAN), tuple(INCEPTION_STD))
_OPENAI: _Statistics = (tuple(OPENAI_DATASET_MEAN), tuple(OPENAI_DATASET_STD))
_IMAGENET: _Statistics = (tuple(IMAGENET_MEAN), tuple(IMAGENET_STD))

#: ``model_type`` of transformers -> what is known of it.
FAMILIES: dict[str, Family] = {
    'videoprism': Family(
        'VideoPrismClipModel',
        VideoPrismVideoTower,
        VideoPrismTextSide,
        *_PLAIN,
        squash=True,
        processor='video',
        has_scale=False,
    ),
    'pe_video': Family(
        'PeVideoModel',
        PeVideoTower,
        PeTextSide,
        *_HALF,
        squash=True,
        processor='video',
        has_scale=False,
    ),
    'pe_audio_video': Family(
        'PeVideoModel',
        PeVideoTower,
        PeTextSide,
        *_HALF,
        squash=True,
        processor='video',
        has_scale=False,
    ),
    'xclip': Family('XCLIPModel', XCLIPVideoTower, CLIPTextSide, *_IMAGENET, squash=False),
    'siglip': Family('SiglipModel', SiglipVideoTower, SiglipTextSide, *_HALF, squash=True),
    'siglip2': Family('Siglip2Model', Siglip2VideoTower, SiglipTextSide, *_HALF, squash=True),
    'clip': Family('CLIPModel', CLIPVideoTower, CLIPTextSide, *_OPENAI, squash=False),
}
