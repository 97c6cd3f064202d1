"""The identity of what makes the embeddings of an index, which distinguishes it from others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from torch import Tensor, nn

from ovmlv.errors import CheckpointError
from ovmlv.label_bank.identity import changed_setting, settings_of
from ovmlv.models.contracts import Recognizer
from ovmlv.models.utils.frozen import fingerprint

#: Settings of training and of speed, on which embeddings do not depend.
_NO_MATTER = frozenset('trainable keep_reference prefix_cache prefix_cache_dir init_cfg'.split())
_REFERENCE = 'reference.'


@dataclass(frozen=True)
class VideoEncoderIdentity:
    """The identity of a video encoder: its class, settings and weights.

    Neither the label encoder nor the scorer is part of it: both may change, and an index stays.

    Attributes:
        type: Class of the backbone.
        fingerprint: Hash of its weights.
        settings: All else that embeddings depend on, with the normalisation of the pixels.
        embed_dim: E.
        average_views: What of a video's views is averaged; see ``OpenVocabRecognizer``.

    Examples:
        >>> from ovmlv.apis import open_model
        >>> model = open_model('motionshapes', device='cpu')
        >>> identity = VideoEncoderIdentity.of(model)
        >>> identity.type, identity.embed_dim
        ('TemporalCLIPBackbone', 128)
        >>> identity == VideoEncoderIdentity.of(model)
        True
    """

    type: str
    fingerprint: str
    settings: Mapping[str, Any]
    embed_dim: int
    average_views: str

    @classmethod
    def of(cls, model: Recognizer) -> VideoEncoderIdentity:
        """The identity of a recognizer's backbone."""
        backbone = cast(nn.Module, model.backbone)
        # A frozen copy for training repeats the weights at the start.
        copies = [
            name
            for name in (*dict(backbone.named_parameters()), *dict(backbone.named_buffers()))
            if name.startswith(_REFERENCE)
        ]
        settings = {
            name: value
            for name, value in settings_of(backbone).items()
            if name.split('.')[-1] not in _NO_MATTER and not name.startswith(_REFERENCE)
        }
        for name, value in dict(model.data_preprocessor.named_buffers()).items():
            if isinstance(value, Tensor):
                values = value.double().flatten().tolist()
                settings[f'pixels.{name}'] = [float(f'{v:.6g}') for v in values]
        return cls(
            type(backbone).__name__,
            fingerprint(backbone, skip=copies),
            dict(sorted(settings.items())),
            int(model.backbone.embed_dim),
            model.average_views,
        )

    def check(self, other: VideoEncoderIdentity, owner: str) -> None:
        """Raise a :class:`CheckpointError` unless the other encoder encodes videos alike.

        Args:
            other: Identity of the model that was given.
            owner: What this is the identity of, for the message.
        """
        if self == other:
            return
        changed = changed_setting(self.settings, other.settings)
        if self.type != other.type:
            what = f'its encoder is a {self.type}, not a {other.type}'
        elif self.embed_dim != other.embed_dim:
            what = f'embeddings of {self.embed_dim}, not {other.embed_dim}'
        elif self.fingerprint != other.fingerprint:
            what = f'weights {self.fingerprint}, not {other.fingerprint}'
        elif changed:
            what = changed
        else:
            what = f'average_views was {self.average_views!r}, not {other.average_views!r}'
        raise CheckpointError(
            f'{owner} was made by another model ({what}); give that model, or make a new index in '
            'another folder'
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)
