"""Renaming of finetuned video CLIPs to the names of the CLIP that they were made from."""

from __future__ import annotations

from torch import Tensor

from ovmlv.errors import CheckpointError

# Buffers and heads that belong to a training vocabulary, and frozen copies.
_VIFI_DROPPED = (
    'prompt_learner.complete_text_embeddings',
    'prompt_learner.token_prefix',
    'prompt_learner.token_suffix',
)
_OPEN_VCLIP_DROPPED = ('raw_model.', 'projector_v.', 'projector_t.', 'head', 'dynamic_classifier')


def is_video_clip(state: dict[str, Tensor]) -> bool:
    """Whether a state dict is of ViFi-CLIP, or of Open-VCLIP and what was made from it."""
    return _is_vifi(state) or _is_open_vclip(state)


def from_video_clip(state: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """Rename to OpenAI's names, which are open_clip's.

    * ViFi-CLIP (Rasheed et al., CVPR 2023): ``image_encoder.*`` and ``text_encoder.*``. It keeps no
      table of token embeddings.
    * Open-VCLIP (Weng et al., ICML 2023) and FROSTER: ``model.*``, beside frozen copies and
      projectors of the training. Its attention to neighbouring frames has no weights of its own:
      use :class:`NeighborFrameAttention` with ``gate_init=1, learn_gate=False``.

    Args:
        state: The state dict.
        source: Name of the weights in messages.
    """
    vifi = _is_vifi(state)
    out = {}
    for key, tensor in state.items():
        if key.startswith(_VIFI_DROPPED if vifi else _OPEN_VCLIP_DROPPED):
            continue
        out[_vifi_name(key) if vifi else key.removeprefix('model.')] = tensor
    added = [k for k in out if k.startswith(('prompt_', 'visual.VPT')) or '.VPT' in k]
    added += [k for k in out if '.message_' in k or '.stadapt_' in k or '.experts_' in k]
    if added:
        raise CheckpointError(
            f'{source} has weights that CLIP does not have ({added[0]}, {len(added)} such); import '
            'the variant that finetunes CLIP without prompts, messages, adapters or experts'
        )
    return out


def _is_vifi(state: dict[str, Tensor]) -> bool:
    return any(key.startswith('image_encoder.') for key in state)


def _is_open_vclip(state: dict[str, Tensor]) -> bool:
    return any(key.startswith('model.visual.') for key in state)


def _vifi_name(key: str) -> str:
    if key.startswith('image_encoder.'):
        return 'visual.' + key.removeprefix('image_encoder.')
    return key.removeprefix('text_encoder.')
