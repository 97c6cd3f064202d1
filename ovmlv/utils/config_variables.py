"""Variables of a config: names at its top level that nothing reads once the file was executed.

``max_epochs = 10; train_cfg = dict(max_epochs=max_epochs)`` leaves two copies of the 10, and a
change of the first one, as by ``--cfg-options max_epochs=1``, has no effect.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ovmlv.files import split_lines

# What mmengine's Runner and the tools read of a config, whether a file has it or not.
TOP_LEVEL = frozenset(
    'model work_dir train_dataloader val_dataloader test_dataloader train_cfg val_cfg test_cfg '
    'auto_scale_lr optim_wrapper param_scheduler val_evaluator test_evaluator default_hooks '
    'custom_hooks data_preprocessor load_from resume launcher env_cfg log_processor log_level '
    'visualizer default_scope randomness experiment_name custom_imports runner_type strategy '
    'compile model_wrapper_cfg sync_bn find_unused_parameters activation_checkpointing '
    'efficient_conv_bn_eval resource_limit tta_model tta_pipeline'.split()
)

_Path = tuple[str, ...]


def is_read(cfg: Mapping[str, Any], key: str) -> bool:
    """Whether anything reads this name at the top level of a config."""
    if key == 'test_pipeline':  # by the inferencer, where there is no data set to ask
        loaders = (cfg.get('test_dataloader'), cfg.get('val_dataloader'))
        return not any((loader or {}).get('dataset') for loader in loaders)
    return key in TOP_LEVEL


def places_of(cfg: Any, key: str) -> list[str]:
    """The places where the value of an unread name ends up: keys to set instead.

    Args:
        cfg: An mmengine ``Config`` of a file.
        key: The name, also with keys below it (``dataset.data_root``).

    Returns:
        Dotted keys that are in the config, with those that are computed from the value; there are
        none if the name is not used.
    """
    root, *below = key.split('.')
    trees = list(_trees(getattr(cfg, 'text', '') or ''))
    found = {
        path: None for path in _ends(cfg, trees, root, frozenset()) if _holds(cfg, (*path, *below))
    }
    if not found:  # configs of other kinds: the keys of the same name and value
        value = cfg.get(root)
        found = dict.fromkeys(
            p for p in _named(dict(cfg.items()), root, value) if _holds(cfg, (*p, *below))
        )
    return ['.'.join((*path, *below)) for path in found]


def _trees(text: str) -> Iterator[ast.Module]:
    """Syntax trees of a config and its bases; mmengine keeps them one after the other, each after a
    line with its path.
    """
    parts: list[list[str]] = [[]]
    for line in split_lines(text):
        if line.endswith('.py') and Path(line).is_absolute() and Path(line).is_file():
            parts.append([])
        else:
            parts[-1].append(line)
    for part in parts:
        try:
            yield ast.parse('\n'.join(part))
        except (SyntaxError, ValueError, RecursionError):
            continue


def _ends(
    cfg: Mapping[str, Any], trees: list[ast.Module], name: str, seen: frozenset[str]
) -> Iterator[_Path]:
    """Paths below names that are read, through other variables."""
    for tree in trees:
        for target, value in _assignments(tree):
            for path in _uses(value, name):
                if is_read(cfg, target[0]):
                    yield (*target, *path)
                elif target[0] not in seen | {name}:
                    for start in _ends(cfg, trees, target[0], seen | {name}):
                        yield (*start, *target[1:], *path)


def _assignments(tree: ast.Module) -> Iterator[tuple[_Path, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                path = _target(target)
                if path:
                    yield path, node.value
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and node.value is not None:
            path = _target(node.target)
            if path:
                yield path, node.value
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value  # train_cfg.update(max_epochs=max_epochs)
            if isinstance(call.func, ast.Attribute) and call.func.attr == 'update':
                path = _target(call.func.value)
                if path:
                    values = [*call.args, ast.Call(ast.Name('dict', ast.Load()), [], call.keywords)]
                    yield from ((path, value) for value in values)


def _target(node: ast.expr) -> _Path:
    """``a['b'].c`` as a path; empty if it is not one."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        start, key = _target(node.value), node.attr
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        start, key = _target(node.value), str(node.slice.value)
    else:
        return ()
    return (*start, key) if start else ()


def _uses(node: ast.expr, name: str) -> Iterator[_Path]:
    """Paths within a value at which a name occurs, alone or in an expression."""
    if isinstance(node, ast.Name):
        if node.id == name:
            yield ()
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if (node.value.id == '_base_' and node.attr == name) or node.value.id == name:
            yield ()
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            prefix = (str(key.value),) if isinstance(key, ast.Constant) else ()
            yield from ((*prefix, *path) for path in _uses(value, name))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        for argument in node.args:
            yield from _uses(argument, name)
        for keyword in node.keywords:
            prefix = () if keyword.arg is None else (keyword.arg,)
            yield from ((*prefix, *path) for path in _uses(keyword.value, name))
    elif isinstance(node, (ast.List, ast.Tuple)):
        for i, item in enumerate(node.elts):
            yield from ((str(i), *path) for path in _uses(item, name))
    else:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from _uses(child, name)


def _named(value: Any, name: str, wanted: Any, path: _Path = ()) -> Iterator[_Path]:
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    for key, item in items:
        if path and key == name and item == wanted:
            yield (*path, str(key))
        if path or is_read(value, key):
            yield from _named(item, name, wanted, (*path, str(key)))


def _holds(cfg: Any, path: _Path) -> bool:
    value: Any = dict(cfg.items())
    for key in path:
        if isinstance(value, (list, tuple)) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            return False
    return True
