"""A recognizer whose weights, frozen ones too, are spread over processes (FSDP2)."""

from __future__ import annotations

import functools
from typing import Any

import torch
from mmengine.dist import all_gather_object
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.distributed.tensor import DTensor

from ovmlv.errors import ConfigError
from ovmlv.models.backbones import TemporalCLIPBackbone
from ovmlv.models.contracts import LayeredPart, lacking
from ovmlv.models.heads import LLMPromptHead
from ovmlv.models.llm.causal_llm import CausalLLM, LLMOutput
from ovmlv.models.llm.readouts import GenerateReadout, SuffixReadout
from ovmlv.models.recognizers import OpenVocabRecognizer
from ovmlv.models.utils.frozen import copy_of_weights, fingerprint
from ovmlv.models.utils.sharding import mark_as_sharded

from .sharded_states import shard_like

_CALIBRATES = '_ovmlv_calibrates'
_GATHERED = '_ovmlv_gathered'


def layers_of(model: nn.Module) -> list[nn.Module]:
    """The layers that are gathered one at a time: of the LLM and of CLIP's towers."""
    found: list[nn.Module] = []
    for module in model.modules():
        part: Any = module
        if not lacking(part, LayeredPart):
            found += part.layers_to_shard()
    return list(dict.fromkeys(found))


def shard_model(
    model: nn.Module,
    mesh: DeviceMesh,
    param_dtype: torch.dtype | None = None,
    reduce_dtype: torch.dtype | None = None,
    cpu_offload: bool = False,
) -> None:
    """Spread all parameters of a model over the processes of a mesh, in place.

    Each layer of :func:`layers_of` is gathered for its own pass, forward and backward, and let go
    after it. All else (embeddings, norms behind the layers, and what trains beside the frozen
    models) is gathered once a step, by the model as a whole.

    Args:
        model: Its processes have the same weights.
        mesh: One-dimensional.
        param_dtype: Number format in which layers are gathered and computed; None is their own.
        reduce_dtype: Number format in which gradients of layers are summed; None is their own.
        cpu_offload: Whether the shares of frozen layers stay in the memory of the CPU.

    Raises:
        ConfigError: The model has parts that do not train in this way.
    """
    refuse_unfit(model)
    refuse_other_weights(model)
    for layer in layers_of(model):
        frozen = not any(p.requires_grad for p in layer.parameters())
        offload = CPUOffloadPolicy(pin_memory=mesh.device_type != 'cpu')
        fully_shard(
            layer,
            mesh=mesh,
            reshard_after_forward=True,
            mp_policy=_precision(layer, param_dtype, reduce_dtype),
            offload_policy=offload if cpu_offload and frozen else OffloadPolicy(),
        )
        layer.register_forward_pre_hook(_note_gathered, prepend=True)
        layer.register_forward_hook(_let_go_again)
    fully_shard(model, mesh=mesh)
    mark_as_sharded(model)
    register_fsdp_forward_method(model, 'within')
    model.__dict__['within'] = functools.partial(_within, model, model.within)
    # EMAHook copies the model, which FSDP refuses; an average needs the weights alone.
    model.__dict__['__deepcopy__'] = functools.partial(_copy_weights, model)
    model.register_forward_pre_hook(_note_calibration)
    model.register_forward_hook(_keep_calibration)
    model.register_forward_hook(_let_go_without_gradient)
    for module in model.modules():
        if isinstance(module, CausalLLM):
            module.register_forward_hook(_gather_for_key_values)


def refuse_unfit(model: nn.Module) -> None:
    """Raise unless a model trains alike when its weights are spread over processes.

    Raises:
        ConfigError: It does not: what is in the way, and what to set.
    """
    if not isinstance(model, OpenVocabRecognizer):
        raise ConfigError(
            f'FullyShardStrategy trains an OpenVocabRecognizer, and this is a '
            f'{type(model).__name__}; leave strategy out'
        )
    for part, mend in (
        (model.interpolation, 'model.interpolation=None'),
        (model.start_weights, 'weight_l2=0 in the loss'),
    ):
        if part is not None:
            raise ConfigError(
                'FullyShardStrategy: a step cannot compute with weights that are spread over '
                f'processes and with others beside them; set {mend}'
            )
    if model.labels_per_step is not None and not model.shares.wanted:
        raise ConfigError(
            'FullyShardStrategy: all processes must encode the same labels of a step; set '
            'model.shard_labels=True beside model.labels_per_step'
        )

    if isinstance(model.backbone, TemporalCLIPBackbone) and model.backbone.prefix_cache is not None:
        raise ConfigError(
            'FullyShardStrategy: what one process finds in backbone.prefix_cache another would '
            'have to compute with it; set prefix_cache=0'
        )
    if isinstance(model.head, LLMPromptHead):
        _refuse_unequal_passes(model.head, model.shares.wanted)


def _refuse_unequal_passes(head: LLMPromptHead, shares: bool) -> None:
    """Raise if processes would run the LLM for some labels and not for others.

    Raises:
        ConfigError: They would.
    """
    if head.memory is not None and (shares or head.noise is not None):
        raise ConfigError(
            'FullyShardStrategy: head.memory looks up only some labels, others on each process; '
            'set model.shard_labels=False and head.noise=None beside it'
        )
    by_length = isinstance(head.readout, (SuffixReadout, GenerateReadout))
    if shares and by_length and not head.llm.abilities.takes_padding:
        raise ConfigError(
            f'FullyShardStrategy: {head.llm.family} reads labels of one length at a time, other '
            'lengths on each process; set model.shard_labels=False, or take PrefixReadout'
        )


def refuse_other_weights(model: nn.Module) -> None:
    """Raise if the processes would put together weights of different models.

    Raises:
        ConfigError: They would.
    """
    if len(set(all_gather_object(fingerprint(model)))) > 1:
        raise ConfigError(
            'FullyShardStrategy: the processes start with different weights; give the same weight '
            'files to all of them, and leave --diff-rank-seed out'
        )


def _precision(
    layer: nn.Module, param_dtype: torch.dtype | None, reduce_dtype: torch.dtype | None
) -> MixedPrecisionPolicy:
    own = next((p.dtype for p in layer.parameters()), None)
    if param_dtype is None or param_dtype == own:
        return MixedPrecisionPolicy(reduce_dtype=reduce_dtype)
    # What lies between the layers stays in the format of the model.
    return MixedPrecisionPolicy(
        param_dtype=param_dtype, reduce_dtype=reduce_dtype, output_dtype=own
    )


def _note_gathered(layer: Any, *_: Any) -> None:
    layer.__dict__[_GATHERED] = not any(isinstance(p, DTensor) for p in layer.parameters())


def _let_go_again(layer: Any, *_: Any) -> None:
    """Let a layer's weights go after the second forward pass of gradient checkpointing.

    This pass runs within the backward pass. FSDP gathers a layer for it and keeps it until the
    layer's own backward pass, by when all layers of a chunk would be here at once.
    """
    if not layer.__dict__[_GATHERED]:
        layer.reshard()


def _copy_weights(model: Any, _: dict) -> nn.Module:
    model.reshard()
    return copy_of_weights(model)


def _within(model: Any, gathered: Any, function: Any) -> Any:
    """Call a function with the model gathered, and let go of it as behind a forward pass."""
    try:
        return gathered(function)
    finally:
        _let_go_without_gradient(model)


def _note_calibration(model: Any, *_: Any) -> None:
    model.__dict__[_CALIBRATES] = model.scorer.wants_calibration


def _keep_calibration(model: Any, *_: Any) -> None:
    """Write what a scorer found in the first step into the shares of its parameters.

    It wrote it to the gathered parameters, which are let go.
    """
    if not model.__dict__.pop(_CALIBRATES) or model.scorer.wants_calibration:
        return
    found = {name: p.detach().clone() for name, p in model.scorer.named_parameters()}
    model.reshard()
    for name, parameter in model.scorer.named_parameters():
        with torch.no_grad():
            parameter.copy_(shard_like(found[name], parameter))


def _let_go_without_gradient(model: Any, *_: Any) -> None:
    """Let go of what only a backward pass would let go of."""
    if not (model.training and torch.is_grad_enabled()):
        model.reshard()


def _gather_for_key_values(llm: CausalLLM, _: Any, output: LLMOutput) -> None:
    """Gather a layer's weights also for gradients that reach it by its keys and values.

    FSDP waits for gradients of a layer's output. Keys and values leave the layer beside it, and
    later passes read them.
    """
    if not torch.is_grad_enabled() or not llm.abilities.keeps_keys:
        return
    layers = llm.layers_to_shard()
    whose = zip(output.key_values, layers, strict=False)
    if len(output.key_values) > len(layers):  # it is not known whose they are
        whose = ((pair, layer) for pair in output.key_values for layer in layers)  # type: ignore[assignment]
    for pair, layer in whose:
        for tensor in pair:
            if tensor.requires_grad:
                tensor.register_hook(_gathering(layer))


def _gathering(layer: Any) -> Any:
    def gather(grad: Tensor) -> Tensor:
        layer.unshard()
        return grad

    return gather
