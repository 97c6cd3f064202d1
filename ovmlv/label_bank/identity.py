"""The identity of a label encoder, which distinguishes it from others."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from ovmlv.errors import CheckpointError
from ovmlv.models.contracts import Recognizer, lacking

#: Arguments that change how a label is computed, but not what comes out, or where weights are from.
_NO_MATTER = frozenset(
    'truncate chunk_size batch_size grad_checkpointing init_cfg name model_name pretrained'.split()
)
#: Attributes that matter and are no argument of the part that has them.
_DERIVED = frozenset(('layer', 'scale'))
_OTHERS = frozenset(('torch', 'transformers', 'open_clip', 'timm'))


@dataclass(frozen=True)
class EncoderIdentity:
    """The identity of a label encoder: its class, settings and weights.

    The scorer is not part of it, since embeddings of labels do not depend on the scorer.

    Attributes:
        type: Class of the head.
        fingerprint: Hash of trained weights, and of samples of the frozen ones.
        settings: Templates, layers and all else that the embeddings depend on.
        embed_dim: E.
        unit_length: Whether embeddings are unit vectors.

    Examples:
        >>> from ovmlv.apis import open_model
        >>> model = open_model('motionshapes', device='cpu')
        >>> identity = EncoderIdentity.of(model)
        >>> identity.type, identity.embed_dim
        ('TemplatePromptHead', 128)
        >>> identity == EncoderIdentity.of(model)
        True
    """

    type: str
    fingerprint: str
    settings: Mapping[str, Any]
    embed_dim: int
    unit_length: bool

    @classmethod
    def of(cls, model: Recognizer) -> EncoderIdentity:
        """The identity of a recognizer's head."""
        if lacking(model, Recognizer):
            raise TypeError(
                f'{type(model).__name__} encodes no labels; make the model by init_recognizer'
            )
        head = cast(nn.Module, model.head)
        return cls(
            type(head).__name__,
            _fingerprint(head),
            settings_of(head),
            int(model.head.embed_dim),
            bool(model.head.unit_length),
        )

    def check(self, other: EncoderIdentity, owner: str) -> None:
        """Raise a :class:`CheckpointError` unless the other encoder encodes labels alike."""
        if self == other:
            return
        kind = self.type != other.type
        changed = changed_setting(self.settings, other.settings)
        if kind:
            what = f'its encoder is a {self.type}, not a {other.type}'
        elif changed:
            what = changed
        else:
            what = f'weights {self.fingerprint}, not {other.fingerprint}'
        raise CheckpointError(
            f'{owner} was made by another label encoder ({what}); build it again by '
            'LabelBank.build(model, bank.labels)'
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@torch.no_grad()
def _fingerprint(head: nn.Module) -> str:
    """Hash of the head's state dict, which has trained weights, and digests of frozen ones."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(head.state_dict().items()):
        if not isinstance(value, Tensor):
            continue
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
        digest.update(f'{name}{tuple(value.shape)}'.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def changed_setting(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What differs between the settings of two encoders, in words; empty if nothing does."""
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            return f'{name} was {old.get(name)!r}, not {new.get(name)!r}'
    return ''


def settings_of(part: nn.Module) -> dict[str, Any]:
    """What the embeddings of an encoder depend on beside its weights, as JSON has it.

    These are the attributes of plain values that are arguments of the encoder, or of its parts of
    ovmlv or a user's.
    """
    found: dict[str, Any] = {}
    for path, module in part.named_modules():
        if type(module).__module__.split('.')[0] in _OTHERS:
            continue
        names = {
            name
            for base in type(module).__mro__
            if '__init__' in vars(base)
            for name in inspect.signature(vars(base)['__init__']).parameters
        }
        for name in (names | _DERIVED) - _NO_MATTER:
            value = vars(module).get(name)
            if isinstance(value, float):
                value = float(f'{value:.6g}')
            try:
                # As JSON has it: tuples become lists.
                value = json.loads(json.dumps(value))
            except TypeError:
                continue
            if value is not None:
                found['.'.join(filter(None, (path, name)))] = value
    return dict(sorted(found.items()))
