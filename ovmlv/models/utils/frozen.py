"""Frozen pretrained weights: no gradients, evaluation mode, and no place in checkpoints.

A checkpoint of a small branch beside a frozen CLIP or LLM should hold the branch. A digest of each
tensor that is left out is recorded, so that loading can tell whether the weights in place are those
that the branch was trained with.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ovmlv.errors import CheckpointError

from .scalars import keep_scalars_as_buffers, with_dimension

FINGERPRINT_KEY = '_frozen_fingerprint'
_MARK = '_ovmlv_frozen'
_ROOT = '_ovmlv_excludes_frozen'
_COPY = '_ovmlv_frozen_copy'
_DIGEST_SIZE = 8
_SAMPLES = 4096


def freeze(module: nn.Module, is_copy: bool = False) -> nn.Module:
    """Freeze a module with all below it: no gradients, and ``train()`` leaves it in eval mode.

    The module is marked, see `exclude_frozen_from_state_dict`. Parameters without a dimension
    become buffers, see :func:`~ovmlv.models.utils.scalars.keep_scalars_as_buffers`.

    Args:
        module: Module to freeze, in place.
        is_copy: Whether the module repeats starting weights of another one; checkpoints made
            without it are then accepted.
    """
    for submodule in module.modules():
        setattr(submodule, _MARK, True)
        setattr(submodule, _COPY, is_copy)
    module.requires_grad_(False)
    keep_scalars_as_buffers(module)
    module.eval()
    # A parent's train(True) reaches this module through the instance attribute, and nothing below.
    # A partial of a plain function, unlike a closure, is copied and pickled with the module.
    module.train = functools.partial(_stay_in_eval_mode, module)  # type: ignore[method-assign]
    return module


def freeze_tensors(module: nn.Module, names: Iterable[str]) -> None:
    """Freeze parameters and buffers that belong to ``module`` itself, and nothing below it."""
    names = frozenset(names)
    for name in names:
        getattr(module, name).requires_grad_(False)
    setattr(module, _MARK, names | frozenset(_own_names(module)))


def is_frozen(module: nn.Module) -> bool:
    """Whether ``module`` as a whole was frozen."""
    return getattr(module, _MARK, None) is True


def exclude_frozen_from_state_dict(module: nn.Module) -> None:
    """Leave frozen tensors out of ``module.state_dict()``, and load without them.

    Everything else stays as strict as in PyTorch. ``state_dict()`` holds one more entry, the
    digests of the tensors that were left out. If other weights are in place at loading, a
    `CheckpointError` is raised. A tensor that is frozen in the model but was trained in the
    checkpoint (or the reverse) is taken from where it is. The function may be called twice, on
    nested modules too, and before the frozen parts exist.
    """
    if getattr(module, _ROOT, False):
        return
    setattr(module, _ROOT, True)
    module.register_state_dict_post_hook(_drop_frozen)
    module.register_load_state_dict_pre_hook(_fill_in_frozen)


def copy_of_weights(module: nn.Module) -> nn.Module:
    """A tree of plain modules with the weights of ``module``, for averages of them.

    Names, order and state dict are those of ``module``. What trains is copied, without gradient;
    frozen parameters are the same tensors.
    """
    copies: dict[nn.Module, nn.Module] = {}
    for old in module.modules():
        new = copies[old] = nn.Module()
        for mark in (_MARK, _COPY, 'flexible_shapes'):
            if hasattr(old, mark):
                setattr(new, mark, getattr(old, mark))
        for name, parameter in old._parameters.items():
            if parameter is not None and parameter.requires_grad:
                parameter = nn.Parameter(parameter.detach().clone(), False)
            new.register_parameter(name, parameter)
        for name, buffer in old._buffers.items():
            kept = name not in old._non_persistent_buffers_set
            new.register_buffer(name, None if buffer is None else buffer.clone(), kept)
        if getattr(old, _ROOT, False):
            exclude_frozen_from_state_dict(new)
    for old, new in copies.items():
        for name, child in old._modules.items():
            new.add_module(name, None if child is None else copies[child])
    return copies[module]


def fingerprint(module: nn.Module, skip: Collection[str] = ()) -> str:
    """Short hash of all weights but those in ``skip``; the same in float32 and bfloat16."""
    tensors = {name: value for name, value, _ in _tensors(module, nested=True)}
    return fingerprint_of({name: value for name, value in tensors.items() if name not in skip})


def fingerprint_of(state: Mapping[str, Tensor]) -> str:
    """The :func:`fingerprint` of a model that has these tensors under these names."""
    rows = [_name_digest(name) + _tensor_digest(tensor) for name, tensor in state.items()]
    return hashlib.blake2b(b''.join(sorted(rows)), digest_size=_DIGEST_SIZE).hexdigest()


def _stay_in_eval_mode(module: nn.Module, mode: bool = True) -> nn.Module:  # noqa: ARG001
    return module


def _own_names(module: nn.Module) -> frozenset[str]:
    """Names of the tensors of ``module`` itself that are marked as frozen."""
    mark: Any = getattr(module, _MARK, frozenset())
    if mark is not True:
        return mark
    persistent = set(module._buffers) - module._non_persistent_buffers_set
    return frozenset(module._parameters) | persistent


def _tensors(
    root: nn.Module, prefix: str = '', nested: bool = False
) -> Iterator[tuple[str, Tensor, str]]:
    """Yield ``(name, tensor, kind)`` of a tree; kind is 'frozen', 'copy', 'live' or 'flexible'.

    Without ``nested``, trees with hooks of their own are left to them. Tied weights appear once for
    each name, as in a state dict.
    """
    frozen = _own_names(root)
    kind = 'copy' if getattr(root, _COPY, False) else 'frozen'
    other = 'flexible' if getattr(root, 'flexible_shapes', False) else 'live'
    for name, tensor in (*root._parameters.items(), *root._buffers.items()):
        if tensor is not None and name not in root._non_persistent_buffers_set:
            yield prefix + name, tensor, kind if name in frozen else other
    for name, child in root._modules.items():
        if child is not None and (nested or not getattr(child, _ROOT, False)):
            yield from _tensors(child, f'{prefix}{name}.', nested)


def _drop_frozen(module: nn.Module, state_dict: dict[str, Any], prefix: str, _: Any) -> None:
    rows = []
    for name, tensor, kind in _tensors(module):
        if kind in ('frozen', 'copy'):
            state_dict.pop(prefix + name, None)
            rows.append(_name_digest(name) + _tensor_digest(tensor))
    if rows:
        record = torch.frombuffer(bytearray(b''.join(rows)), dtype=torch.uint8)
        state_dict[prefix + FINGERPRINT_KEY] = record.view(len(rows), 2 * _DIGEST_SIZE)


def _fill_in_frozen(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Add the tensors in place to a state dict if they are those that the checkpoint left out."""
    record = state_dict.pop(prefix + FINGERPRINT_KEY, None)
    digests = {}
    if record is not None:
        for row in record.cpu().numpy():
            digests[row[:_DIGEST_SIZE].tobytes()] = row[_DIGEST_SIZE:].tobytes()
    for name, tensor, kind in _tensors(module):
        key = prefix + name
        if key in state_dict:
            state_dict[key] = with_dimension(state_dict[key], tensor)
            if kind != 'flexible' and state_dict[key].shape != tensor.shape:
                # mmengine would log it and go on.
                raise CheckpointError(
                    f'{key} is {tuple(state_dict[key].shape)} in the checkpoint and '
                    f'{tuple(tensor.shape)} in the model; build it with the config that made the '
                    'checkpoint'
                )
            continue
        expected = digests.get(_name_digest(name))
        if expected is not None and expected != _tensor_digest(tensor):
            raise CheckpointError(
                f'the checkpoint was trained on other frozen weights ({key} differs); build the '
                'model with the architecture and pretrained weights of its config'
            )
        if kind == 'frozen' and record is not None and expected is None:
            raise CheckpointError(
                f'the checkpoint was trained on another frozen architecture (it has no {key}); '
                'build the model with the config that made the checkpoint'
            )
        if kind in ('frozen', 'copy') or expected is not None:
            state_dict[key] = tensor.detach()


def _name_digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=_DIGEST_SIZE).digest()


@torch.no_grad()
def _tensor_digest(tensor: Tensor) -> bytes:
    """Digest of the shape and of some thousand values spread over a tensor.

    Values are rounded to bfloat16, because a frozen LLM may be in float32 during training and in
    bfloat16 during a test. Some thousand values of each tensor are enough to tell models apart and
    cost milliseconds.
    """
    if hasattr(tensor, 'full_tensor'):  # sharded over processes, all of which are here
        tensor = tensor.full_tensor()
    flat = tensor.detach().reshape(-1)
    step = max(1, -(-flat.numel() // _SAMPLES))
    sample = flat[::step].cpu()
    if sample.is_floating_point():
        sample = sample.to(torch.bfloat16).view(torch.int16)
    digest = hashlib.blake2b(str(tuple(tensor.shape)).encode(), digest_size=_DIGEST_SIZE)
    digest.update(sample.contiguous().numpy().tobytes())
    return digest.digest()
