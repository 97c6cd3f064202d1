"""Checkpoints: the one to resume, how runners read them, and averages and mixtures of them."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import save_file
from torch import Tensor

from ovmlv.errors import CheckpointError, OvmlvError
from ovmlv.files import whole_file
from ovmlv.models.utils.frozen import FINGERPRINT_KEY
from ovmlv.models.utils.weight_patching import patch
from ovmlv.weight_files import STATE_KEYS, read_weight_file, state_dict_of

from .error_door import one_line


def require_checkpoint(path: str) -> None:
    """Raise unless ``path`` is a file or an address that mmengine can read."""
    if '://' not in path and not Path(path).is_file():
        found = sorted(str(p) for p in Path(path).parent.glob('*.pth'))
        hint = f'there are {", ".join(found[-3:])}' if found else 'train first, or give another'
        raise FileNotFoundError(f'there is no checkpoint {path}; {hint}')


def find_checkpoint(work_dir: str) -> str | None:
    """The checkpoint to resume a work folder from, even if the folder moved.

    This is the one that ``last_checkpoint`` names. If a kill left that note or that file damaged,
    it is the newest checkpoint that can be read, and a line on stdout says so.

    Raises:
        CheckpointError: There are checkpoints, but none of them can be read.
    """
    folder = Path(work_dir)
    note = folder / 'last_checkpoint'
    text = note.read_text(encoding='utf-8', errors='replace') if note.is_file() else ''
    saved = Path(text.strip('\0 \r\n'))
    named = [saved, folder / saved.name] if saved.name else []
    found = [path for path in named if path.is_file()][:1]
    found += [path for path in _newest_first(folder) if path.name not in {p.name for p in found}]
    if not found:
        if named:
            raise FileNotFoundError(
                f'{note} names {saved}, which is gone; give --resume a checkpoint'
            )
        return None
    reasons = []
    for path in found:
        try:
            content = read_checkpoint(str(path))
        except CheckpointError as error:
            reasons.append(str(error))
            continue
        if not isinstance(content, Mapping) or not {'meta', 'state_dict'} <= content.keys():
            continue
        if path not in named:
            print(_why(note, named, reasons, path), flush=True)
        return str(path)
    raise CheckpointError(
        f'none of {len(found)} checkpoints in {work_dir} can be resumed'
        f'{f" ({reasons[0]})" if reasons else ""}; give --resume another, or another --work-dir'
    )


def _newest_first(folder: Path) -> list[Path]:
    """Checkpoints of a training, by number, since copying changes times; the best are last."""

    def age(path: Path) -> tuple[bool, int, float]:
        number = re.fullmatch(r'(?:epoch|iter)_(\d+)', path.stem)
        return number is not None, int(number[1]) if number else 0, path.stat().st_mtime

    return sorted((path for path in folder.glob('*.pth') if path.is_file()), key=age, reverse=True)


def _why(note: Path, named: Sequence[Path], reasons: Sequence[str], path: Path) -> str:
    if reasons:
        why = reasons[0]
    elif named:
        why = f'{note} names {named[0]}, which is gone'
    else:
        why = f'{note} is {"empty" if note.is_file() else "missing"}'
    return f'{why}: resuming from {path}, the newest checkpoint that can be read'


def checkpoint_seed(path: str) -> int | None:
    """The seed of the run that wrote a checkpoint, so that a resumed run orders samples alike."""
    if '://' in path:
        return None
    saved = read_checkpoint(path)
    meta = saved.get('meta') if isinstance(saved, dict) else None
    seed = meta.get('seed') if isinstance(meta, dict) else None
    return seed if isinstance(seed, int) else None


def read_checkpoint(path: str) -> Any:
    """The content of a local checkpoint, read without running code that it may contain.

    Raises:
        CheckpointError: The file is damaged, or holds more than tensors and plain data.
    """
    return read_weight_file(path)


def read_state(path: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a checkpoint says beside its weights (mmengine's ``meta``), and its state dict.

    Safetensors files hold only a state dict. If mmengine's ``EMAHook`` was in use, the averaged
    weights are taken.
    """
    require_checkpoint(path)
    content = read_weight_file(path)
    state = state_dict_of(content, path)
    nested = any(isinstance(content.get(key), Mapping) for key in STATE_KEYS)
    meta = {'meta': content['meta']} if nested and 'meta' in content else {}
    return meta, {k: v for k, v in state.items() if isinstance(v, Tensor)}


def write_state(path: str, meta: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Write a state dict as safetensors or as a checkpoint that mmengine loads."""
    state = {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
    with whole_file(path) as scratch:
        if path.endswith('.safetensors'):
            save_file(state, scratch)
        else:
            torch.save({**meta, 'state_dict': state}, scratch)


def open_weights_safely() -> None:
    """Let mmengine's runners read checkpoints as :mod:`ovmlv.weight_files` does.

    In all mmengine 0.x, files are not compared with their checksums, those of ``https://``
    addresses are unpickled whatever they hold, and a resumed run executes the text at
    ``meta.config``.
    """
    for prefix in ('', 'http://', 'https://'):
        CheckpointLoader.register_scheme(prefix, _load_for_runner, force=True)


def _load_for_runner(filename: str, map_location: Any = None) -> Any:
    # Not mapped: the states of optimizers stay those tensors, and the file may be replaced.
    content = read_weight_file(os.path.expanduser(filename), mmap=False)
    meta = content.get('meta') if isinstance(content, dict) else None
    if isinstance(meta, dict):
        meta.pop('config', None)  # mmengine writes it as 'cfg', which nothing runs
    return content


def load_strictly(runner: Any) -> None:
    """Make a runner refuse checkpoints of another model, where mmengine only warns."""
    open_weights_safely()
    load_checkpoint = runner.load_checkpoint

    @functools.wraps(load_checkpoint)
    def load(filename: str, *args: Any, **kwargs: Any) -> dict:
        kwargs['strict'] = True
        if '://' not in str(filename):
            require_checkpoint(str(filename))
        try:
            return load_checkpoint(filename, *args, **kwargs)
        except OvmlvError:
            raise
        except RuntimeError as error:
            raise CheckpointError(
                f'{filename} does not fit the model of the config: {describe_mismatch(str(error))}'
            ) from error

    runner.load_checkpoint = load


def describe_mismatch(text: str) -> str:
    """mmengine's report of a failed loading, cut to one line and three keys of each kind."""
    lines = [' '.join(line.split()) for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith('The model and loaded state dict')]
    short = []
    for line in lines[:3]:
        head, colon, tail = line.partition(': ')
        keys = tail.split(', ')
        more = f' and {len(keys) - 3} more' if len(keys) > 3 else ''
        short.append(f'{head}{colon}{", ".join(keys[:3])}{more}')
    if len(lines) > 3:
        short.append(f'{len(lines) - 3} more lines')
    return '; '.join(short)


def resume_strictly(runner: Any) -> None:
    """Make a runner name a checkpoint whose states are not those of its run, too."""
    load_strictly(runner)
    resume = runner.resume

    @functools.wraps(resume)
    def go_on(filename: str, *args: Any, **kwargs: Any) -> None:
        try:
            resume(filename, *args, **kwargs)
            if not all(isinstance(n, int) and n >= 0 for n in (runner.epoch, runner.iter)):
                raise ValueError(f'epoch={runner.epoch!r}, iter={runner.iter!r}')
        except (OvmlvError, FileNotFoundError):
            raise
        except Exception as error:  # from wherever such states lead to
            raise CheckpointError(
                f'{filename} is no checkpoint that this run can be resumed from '
                f'({type(error).__name__}: {one_line(error)[:200]}); give it as load_from=, or '
                'take another'
            ) from error

    runner.resume = go_on


def average_states(
    states: Sequence[Mapping[str, Tensor]], names: Sequence[str]
) -> dict[str, Tensor]:
    """The mean of every floating-point tensor; other tensors are those of the last state dict.

    Args:
        states: State dicts of one model.
        names: Names of the state dicts in messages.
    """
    _check_alike(states, names)
    out = {}
    for key, last in states[-1].items():
        if last.is_floating_point():
            # Sums of many float16 or bfloat16 tensors would lose what differs between them.
            total = torch.stack([state[key].double() for state in states]).mean(0)
            out[key] = total.to(last.dtype)
        else:
            out[key] = last
    return out


def patch_state(
    state: Mapping[str, Tensor],
    start: Mapping[str, Tensor],
    ratio: float,
    only: Collection[str] | None = None,
) -> tuple[dict[str, Tensor], list[str]]:
    """``start + ratio * (weight - start)`` for tensors of both; others are those of ``state``.

    Args:
        state: Finetuned weights.
        start: The weights that they started from.
        ratio: Share of the way: 0 gives the start, 1 the finetuned weights.
        only: Names that must be in both.

    Returns:
        The state dict, and the names of the interpolated tensors.
    """
    out, names = dict(state), []
    for key in only if only is not None else state:
        if key not in state:
            raise CheckpointError(
                f'the checkpoint has no {key}; give the config that it was trained with'
            )
        if key not in start or not state[key].is_floating_point():
            continue
        if start[key].shape != state[key].shape:
            raise CheckpointError(
                f'{key} is {tuple(state[key].shape)} in the checkpoint and '
                f'{tuple(start[key].shape)} at the start; both must be of one architecture'
            )
        out[key] = patch(state[key], start[key], ratio)
        names.append(key)
    if not names:
        raise CheckpointError('the two have no weights of the same name; are they of one model?')
    return out, names


def _check_alike(states: Sequence[Mapping[str, Tensor]], names: Sequence[str]) -> None:
    first = states[0]
    for name, state in zip(names[1:], states[1:], strict=True):
        different = sorted(first.keys() ^ state.keys())
        if different:
            raise CheckpointError(
                f'{names[0]} and {name} are of different models: only one has {different[0]}'
                f' ({len(different)} such names)'
            )
        for key, tensor in first.items():
            if tensor.shape != state[key].shape:
                raise CheckpointError(
                    f'{key} is {tuple(tensor.shape)} in {names[0]} and '
                    f'{tuple(state[key].shape)} in {name}'
                )
            if key.endswith(FINGERPRINT_KEY) and not torch.equal(tensor, state[key]):
                raise CheckpointError(
                    f'{names[0]} and {name} were trained beside other frozen weights ({key})'
                )
