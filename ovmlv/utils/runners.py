"""The runner that a config asks for."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.registry import RUNNERS, init_default_scope
from mmengine.runner import FlexibleRunner, Runner


def build_runner(cfg: Config) -> Any:
    """Build mmengine's Runner, or the one that ``runner_type`` names.

    ``FlexibleRunner`` builds its strategy before it knows the config's ``default_scope``, so that
    scope is set here: ``strategy.type`` then needs no prefix.
    """
    if 'runner_type' not in cfg:
        return Runner.from_cfg(cfg)
    init_default_scope(cfg.get('default_scope') or 'ovmlv')
    runner = RUNNERS.build(cfg)
    if isinstance(runner, FlexibleRunner):
        start_before_loading(runner)
        keep_given_epoch(runner)
    return runner


def start_before_loading(runner: FlexibleRunner) -> None:
    """Call the hooks' ``before_run`` before a checkpoint is loaded, as mmengine's Runner does.

    ``FlexibleRunner`` (all mmengine 0.x) loads first. A hook that remembers the weights that a run
    starts from would remember those of the checkpoint.
    """
    load_or_resume, call_hook = runner.load_or_resume, runner.call_hook
    called = False

    def load() -> None:
        nonlocal called
        call_hook('before_run')
        called = True
        load_or_resume()

    def call(fn_name: str, **kwargs: Any) -> None:
        nonlocal called
        if fn_name == 'before_run' and called:
            called = False
        else:
            call_hook(fn_name, **kwargs)

    runner.load_or_resume = load  # type: ignore[method-assign]
    runner.call_hook = call  # type: ignore[method-assign]


def keep_given_epoch(runner: FlexibleRunner) -> None:
    """Save a checkpoint under the epoch that ``CheckpointHook`` names, as mmengine's Runner does.

    The hook saves the last checkpoint again when validation has found it to be the best one. By
    then the epoch is over, and ``FlexibleRunner`` (all mmengine 0.x) counts it twice: a run that is
    resumed from there leaves an epoch out.
    """
    save, write = runner.save_checkpoint, runner.strategy.save_checkpoint
    given: dict[str, int] = {}

    def save_checkpoint(*args: Any, meta: dict | None = None, **kwargs: Any) -> None:
        given.clear()
        given.update({key: meta[key] for key in ('epoch', 'iter') if meta and key in meta})
        save(*args, meta=meta, **kwargs)

    def write_checkpoint(*args: Any, extra_ckpt: dict, **kwargs: Any) -> None:
        extra_ckpt['meta'].update(given)
        write(*args, extra_ckpt=extra_ckpt, **kwargs)

    runner.save_checkpoint = save_checkpoint  # type: ignore[method-assign]
    runner.strategy.save_checkpoint = write_checkpoint  # type: ignore[method-assign]
