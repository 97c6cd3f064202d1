"""How a config names a dual encoder of transformers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ovmlv.errors import ConfigError, DataError
from ovmlv.files import read_json

from .families import FAMILIES

#: Before a folder, or the name of a repository on Hugging Face's hub.
PREFIX = 'transformers:'
_HUB_NAME = re.compile(r'[\w.\-]+(/[\w.\-]+)?')


@dataclass(frozen=True)
class Source:
    """Where the files of a dual encoder are.

    Attributes:
        place: Path of a folder, or name on the hub.
        revision: Commit, branch or tag on the hub; None is the newest.
        is_folder: Whether it is a folder.
    """

    place: str
    revision: str | None
    is_folder: bool

    @classmethod
    def of(cls, name: str) -> Source:
        """Parse ``transformers:owner/name``, ``transformers:owner/name@revision`` or a folder.

        Raises:
            FileNotFoundError: It looks like a path, and there is no such folder.
        """
        place = name.removeprefix(PREFIX)
        path = Path(place).expanduser()
        if path.is_dir():
            return cls(str(path), None, True)
        place, _, revision = place.partition('@')
        if not _HUB_NAME.fullmatch(place):
            raise FileNotFoundError(
                f'model_name: there is no folder {place}; give an existing folder with a '
                'config.json, or owner/name of the hub'
            )
        return cls(place, revision or None, False)


def is_dual_encoder(model_name: str | Mapping[str, Any]) -> bool:
    """Whether a ``model_name`` is that of a dual encoder of transformers.

    It is for a dict (the configuration of one with random weights), a name with
    ``transformers:`` in front, and a folder whose ``config.json`` is of one of :data:`FAMILIES`.
    """
    if isinstance(model_name, Mapping):
        return True
    if str(model_name).startswith(PREFIX):
        return True
    folder = Path(model_name).expanduser()
    if not (folder / 'config.json').is_file():
        return False
    try:
        content = read_json(folder / 'config.json', 'configuration')
    except DataError:  # whoever reads it next says why
        return False
    return isinstance(content, dict) and content.get('model_type') in FAMILIES


def refuse_two_models(model_name: Any, pretrained: str | None) -> None:
    """Refuse weights of another model than the one that is named.

    Raises:
        ConfigError: ``pretrained`` is neither None nor ``model_name``.
    """
    if pretrained is None or pretrained == model_name:
        return
    if isinstance(model_name, Mapping):
        raise ConfigError(
            f'pretrained={pretrained!r}: model_name is a configuration, which has random weights; '
            f'set model_name={pretrained!r} too, or pretrained=None'
        )
    raise ConfigError(
        f'pretrained={pretrained!r}: a dual encoder of transformers comes with its own weights; '
        f'set pretrained={str(model_name)!r}, or None for random ones'
    )
