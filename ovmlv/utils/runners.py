"""The runner that a config asks for."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.registry import RUNNERS, init_default_scope
from mmengine.runner import Runner


def build_runner(cfg: Config) -> Any:
    """Build mmengine's Runner, or the one that ``runner_type`` names.

    ``FlexibleRunner`` builds its strategy before it knows the config's ``default_scope``, so that
    scope is set here: ``strategy.type`` then needs no prefix.
    """
    if 'runner_type' not in cfg:
        return Runner.from_cfg(cfg)
    init_default_scope(cfg.get('default_scope') or 'ovmlv')
    return RUNNERS.build(cfg)
