"""Whether the settings of an :class:`.LLMPromptHead` fit together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ovmlv.errors import ConfigError


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse arguments of the head that cannot work, before anything is loaded.

    Args:
        settings: Arguments by name; other ones than those that are checked do not matter.

    Raises:
        ConfigError: Which one cannot be used, and what to do.
    """
    if settings['num_groups'] < 1:
        raise ConfigError(f'head.num_groups={settings["num_groups"]} must be at least 1')
    if settings['llm'] is None:
        raise ConfigError("head.llm is missing; give e.g. llm=dict(name='smollm2')")
    for name in ('gate_width', 'adapter_width', 'state_adapter_width'):
        if settings[name] < 0:
            raise ConfigError(f'head.{name}={settings[name]} must not be negative; 0 is none')
    for name, wanted in (
        ('noise', settings['noise'] is not None),
        ('gate_width', settings['gate_width'] > 0),
    ):
        if wanted and not settings['keep_label']:
            raise ConfigError(f"head.{name} needs the labels in CLIP's text; set keep_label=True")
    for name, wanted in (
        ('state_adapter_width', settings['state_adapter_width'] > 0),
        ('label_doubt', settings['label_doubt'] is not None),
    ):
        if wanted and settings['memory'] is None:
            raise ConfigError(f'head.{name} needs head.memory; give its known words')


def count_soft_tokens(wanted: int | None, room: int, template: str) -> int:
    """The number of soft tokens: by default, every template token before the label is soft.

    Args:
        wanted: What the config says; None for the default.
        room: Number of the template's tokens before the label.
        template: For the message.

    Raises:
        ConfigError: They do not fit.
    """
    count = room if wanted is None else wanted
    if not 1 <= count <= room:
        raise ConfigError(
            f'head.prompter.num_soft_tokens={count} does not fit template={template!r}, which has '
            f"{room} tokens before '{{}}'; use 1..{room} or a template with more words"
        )
    return count
