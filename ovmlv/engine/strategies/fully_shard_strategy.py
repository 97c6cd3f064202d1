"""Training with weights that are spread over processes, by FSDP2."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import mmengine
import torch
from mmengine._strategy import DDPStrategy
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper
from mmengine.runner.checkpoint import save_checkpoint
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh

from ovmlv.errors import ConfigError
from ovmlv.registry import STRATEGIES

from .sharded_memory import held_bytes
from .sharded_model import shard_model
from .sharded_states import gather, shard_like, shard_optimizer_state

_DTYPES = {'bfloat16': torch.bfloat16, 'float16': torch.float16, 'float32': torch.float32}


@STRATEGIES.register_module()
class FullyShardStrategy(DDPStrategy):
    """Fully sharded training (``torch.distributed.fsdp.fully_shard``) of an OpenVocabRecognizer.

    Each of W processes keeps 1/W of every parameter, frozen ones too, and of the optimizer's
    states. The layers of the LLM and of CLIP's towers are gathered one at a time, for their passes
    forward and backward; all else is gathered once a step. Losses and gradients are those of one
    process. mmengine's ``FSDPStrategy`` is the older FSDP.

    Checkpoints are those of the ordinary Runner, with whole tensors and without frozen weights: one
    file, which any command reads, and from which training goes on with or without this strategy.
    With one process nothing is spread.

    It needs ``runner_type='FlexibleRunner'``.

    Args:
        param_dtype: Number format in which layers are gathered and computed, such as
            ``'bfloat16'``; None is their own. A frozen LLM has ``llm_dtype`` for that.
        reduce_dtype: Number format in which gradients of layers are summed; None is their own.
        cpu_offload: Whether the shares of frozen layers stay in the memory of the CPU.
        **kwargs: See mmengine's ``DDPStrategy``.

    Raises:
        ConfigError: A number format is unknown, or the model has parts that do not train in this
            way.

    Examples:
        >>> config = dict(
        ...     runner_type='FlexibleRunner',
        ...     strategy=dict(type='FullyShardStrategy', param_dtype='bfloat16'),
        ... )
        >>> STRATEGIES.get(config['strategy']['type']).__name__
        'FullyShardStrategy'
    """

    def __init__(
        self,
        param_dtype: str | None = None,
        reduce_dtype: str | None = None,
        cpu_offload: bool = False,
        **kwargs: Any,
    ) -> None:
        formats = []
        for name, value in (('param_dtype', param_dtype), ('reduce_dtype', reduce_dtype)):
            if value is not None and value not in _DTYPES:
                raise ConfigError(
                    f'strategy.{name}={value!r} is unknown; choose one of {sorted(_DTYPES)}, or '
                    'None'
                )
            formats.append(None if value is None else _DTYPES[value])
        self.param_dtype, self.reduce_dtype = formats
        self.cpu_offload = cpu_offload
        self._resumes = False
        super().__init__(**kwargs)

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        if self.world_size == 1:
            self.logger.info('FullyShardStrategy: one process, so nothing is spread')
            return model.to(get_device())
        model = self.convert_model(model)
        mesh = init_device_mesh(get_device(), (self.world_size,))
        shard_model(model, mesh, self.param_dtype, self.reduce_dtype, self.cpu_offload)
        self.logger.info(f'FullyShardStrategy: {held_bytes(model)}')
        return model

    def model_state_dict(self) -> dict[str, Any]:
        """The model's state dict with whole tensors; all processes must ask for it."""
        return gather(self.model.state_dict())

    def build_optim_wrapper(self, optim_wrapper: Any, model: nn.Module | None = None) -> Any:
        """Build the optimizer of the sharded parameters.

        Raises:
            ConfigError: It would scale the loss, which sharded gradients do not go with.
        """
        built = super().build_optim_wrapper(optim_wrapper, model)
        if self.world_size > 1 and isinstance(built, AmpOptimWrapper):
            raise ConfigError(
                'FullyShardStrategy does not go with AmpOptimWrapper (or --amp); set '
                "optim_wrapper.type='AutocastOptimWrapper' without loss_scale"
            )
        return built

    def optim_state_dict(self) -> dict[str, Any]:
        """The optimizer's state dict with whole tensors; all processes must ask for it."""
        return gather(super().optim_state_dict())

    def load_checkpoint(
        self,
        filename: str,
        *,
        callback: Callable[[dict], None] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Load a checkpoint with whole tensors, also averaged ones, whichever strategy wrote it."""

        def share(checkpoint: dict[str, Any]) -> None:
            for key in ('state_dict', 'ema_state_dict'):
                if key in checkpoint:
                    checkpoint[key] = self._shares(checkpoint[key])
            if callback is not None:
                callback(checkpoint)

        return super().load_checkpoint(filename, callback=share, **kwargs)

    def _shares(self, state_dict: dict[str, Any]) -> dict[str, Any]:
        """A state dict of the model, or of its average, with shares of what is sharded."""
        targets = dict(self.model.named_parameters())
        shares: OrderedDict[str, Any] = OrderedDict()
        if hasattr(state_dict, '_metadata'):  # versions of modules, which torch keeps beside it
            shares._metadata = state_dict._metadata  # type: ignore[attr-defined]
        for name, value in state_dict.items():
            target = targets.get(name.removeprefix('module.'))
            if target is not None and isinstance(value, Tensor):
                value = shard_like(value, target)
            shares[name] = value
        return shares

    def load_model_state_dict(
        self,
        state_dict: dict[str, Any],
        *,
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = ((r'^module.', ''),),
    ) -> None:
        """Load whole tensors, of which each process takes its share."""
        # A resumed run is strict: FlexibleRunner cannot say so.
        super().load_model_state_dict(
            self._shares(state_dict), strict=strict or self._resumes, revise_keys=list(revise_keys)
        )

    def load_optim_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load whole tensors, of which each process takes its share."""
        if self.world_size > 1:
            state_dict = shard_optimizer_state(state_dict, self.optim_wrapper.optimizer)
        super().load_optim_state_dict(state_dict)

    def resume(self, filename: str, **kwargs: Any) -> dict[str, Any]:
        """Go on from a checkpoint, whichever strategy wrote it."""
        self._resumes = True
        try:
            return super().resume(filename, **kwargs)
        finally:
            self._resumes = False

    def save_checkpoint(
        self,
        filename: str,
        *,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        extra_ckpt: dict[str, Any] | None = None,
        callback: Callable[[dict], None] | None = None,
    ) -> None:
        """Gather everything on all processes, and write it by the first one."""
        checkpoint: dict[str, Any] = {'state_dict': self.model_state_dict()}
        if save_optimizer and hasattr(self, 'optim_wrapper'):
            checkpoint['optimizer'] = self.optim_state_dict()
        if save_param_scheduler and hasattr(self, 'param_schedulers'):
            checkpoint['param_schedulers'] = self.scheduler_state_dict()
        checkpoint.update(extra_ckpt or {})
        checkpoint.setdefault('meta', {}).update(
            seed=self.seed,
            time=time.strftime('%Y%m%d_%H%M%S'),
            mmengine_version=mmengine.__version__,
        )
        if callback is not None:
            callback(checkpoint)
        checkpoint = gather(checkpoint)
        if self.rank == 0:
            save_checkpoint(checkpoint, filename)
