"""Configs of which nothing is executed."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ovmlv.errors import DataError

_REGISTERED = re.compile(r'((ovmlv|mmaction|mmengine|mmcv)\.)?[A-Za-z_]\w*')


def read_literal_config(path: Path) -> Config:
    """Read a config in Python's syntax that holds values only, as ``Config.dump`` writes them.

    ``Config.fromfile`` runs what a config says; files that come from others should not be. For the
    same reason a ``type`` must be a registered name, perhaps with its scope: registries would take
    the path of any function, too.

    Raises:
        DataError: It holds anything else than ``name = value``, or such a path.
    """
    try:
        found = {}
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if not (
                isinstance(node, ast.Assign)
                and len(node.targets) == 1
                and isinstance(node.targets[0], ast.Name)
            ):
                raise ValueError(f'line {node.lineno} is no assignment')
            found[node.targets[0].id] = _value(node.value)
        _check_types(found)
        return Config(found)
    except (ValueError, SyntaxError, RecursionError) as error:
        raise DataError(
            f'{path} is no config of plain values ({error}); publish the model again'
        ) from None


def _check_types(part: Any) -> None:
    if isinstance(part, dict):
        kind = part.get('type')
        if kind is not None and not (isinstance(kind, str) and _REGISTERED.fullmatch(kind)):
            raise ValueError(f'type={kind!r} is no registered name')
    if isinstance(part, (dict, list, tuple)):
        for value in part.values() if isinstance(part, dict) else part:
            _check_types(value)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id != 'dict' or node.args:
            raise ValueError(f'line {node.lineno} calls something')
        return {_name(keyword): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError(f'line {node.lineno} unpacks something')
        return {_value(k): _value(v) for k, v in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.List):
        return [_value(entry) for entry in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(entry) for entry in node.elts)
    return ast.literal_eval(node)


def _name(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError(f'line {keyword.lineno} unpacks something')
    return keyword.arg
