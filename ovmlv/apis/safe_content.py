"""What may be in a published folder: data alone, in formats that run nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import safe_open

from ovmlv.errors import DataError, reason_of
from ovmlv.files import read_json, read_text

#: Ends of the files of a published folder: settings, texts, tokenizers and weights.
SAFE = frozenset('.json .safetensors .md .txt .gz .model .jinja'.split())
#: Files that Python reads as programs, whatever else lies beside a published model.
PROGRAMS = frozenset('.py .pyc .pkl .pickle .pt .pth .bin .ckpt .joblib .npy .npz .h5'.split())
#: Settings by which libraries are told to run code of the folder.
_CODE = frozenset(('auto_map', 'custom_code', 'custom_pipelines'))
#: JSON of words, which no library reads settings from; it may have hundreds of thousands.
_WORDS = frozenset(('tokenizer.json', 'vocab.json', 'bank.json'))
_CARD_TAG = re.compile(
    r'^\s*-\s*custom_code\s*$|\bcustom_code\s*:\s*true|\[.*\bcustom_code\b', re.M
)


def refuse_programs(folder: str | Path, names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse files that could run something, by their names alone.

    Args:
        folder: Where the files are, for messages.
        names: All files that are there.
        known: Those that belong to the model.

    Raises:
        DataError: A file of the model is of no safe format, or another one is a program.
    """
    known = set(known) | {'config.py'}  # which is read as a table of values
    for name in sorted({*names, *known}):
        end = PurePosixPath(name).suffix.lower()
        if name == 'config.py' or end in SAFE:
            continue
        if end in PROGRAMS or name in known:
            what = 'may run code' if end in PROGRAMS else 'is of no format of published models'
            raise DataError(
                f'{folder}/{name} {what} and is refused; remove it, or publish the model again '
                '(weights are .safetensors)'
            )


def refuse_unsafe_content(folder: Path, names: Iterable[str]) -> None:
    """Refuse settings that tell libraries to run code, and weights in another format than their
    name says.

    Args:
        folder: The folder.
        names: Its files.

    Raises:
        DataError: A file is such a one.
    """
    for name in sorted(names):
        path = folder / name
        key = ''
        if path.suffix == '.json' and path.name not in _WORDS:
            key = _code_key(read_json(path))
        elif path.suffix == '.md':
            head = read_text(path).partition('\n---')[0]
            key = 'custom_code' if head.startswith('---') and _CARD_TAG.search(head) else ''
        elif path.suffix == '.safetensors':
            _check_weights(path)
        if key:
            raise DataError(
                f'{path}: {key} asks to run code of the folder, which is never done; publish a '
                'model of registered classes'
            )


def _check_weights(path: Path) -> None:
    try:
        with safe_open(path, framework='pt'):  # which reads the list of tensors alone
            pass
    except Exception as error:  # of safetensors, which has its own
        raise DataError(
            f'{path} is no safetensors file ({reason_of(error)}); publish the model again'
        ) from None


def _code_key(content: Any) -> str:
    """The first of such settings in a JSON value, or nothing."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            found = next((key for key in sorted(_CODE & value.keys()) if value[key]), None)
            if found is not None:
                return found
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return ''
