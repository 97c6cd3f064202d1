"""The messages of the process that decodes, as plain data.

That process reads the bytes of strangers. If a stranger takes it over, its messages must not be
able to run anything in the server. Therefore they are JSON and numbers, and no pickle.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ovmlv.apis.video_reader import Clip
from ovmlv.results import Window
from ovmlv.visualization.strip import Strip

from .service_error import CODES, ServiceError

_LENGTH = struct.Struct('<I')
_DTYPES = {'uint8', 'float16', 'float32', 'float64', 'int64'}


@dataclass(frozen=True)
class Fault:
    """An error that is a mistake of the server.

    Attributes:
        text: Text with the traceback, for the log.
    """

    text: str


@dataclass(frozen=True)
class Begun:
    """What is known of a video before it is decoded.

    Attributes:
        duration: Length in seconds, as its container says.
        window: Seconds of a window.
        stride: Seconds between the starts of windows.
    """

    duration: float
    window: float
    stride: float


Part = int | Begun | Clip | Strip | ServiceError | Fault | None


def pack(part: Part) -> bytes:
    """A part of an answer as bytes."""
    arrays: list[np.ndarray] = []
    values: list[Any]
    if part is None or isinstance(part, int):
        kind, values = 'number', [part]
    elif isinstance(part, Begun):
        kind, values = 'begun', [part.duration, part.window, part.stride]
    elif isinstance(part, Clip):
        kind = 'clip'
        window = part.window and [part.window.start, part.window.end]
        values = [window, part.duration, part.fps]
        arrays = [part.inputs.numpy()]
    elif isinstance(part, Strip):
        kind, values, arrays = 'strip', [], [part.pictures, part.times]
    elif isinstance(part, ServiceError):
        kind, values = 'refused', [part.code, part.message, part.retry_after]
    else:
        kind, values = 'fault', [part.text]
    shapes = [[str(array.dtype), list(array.shape)] for array in arrays]
    head = json.dumps([kind, values, shapes]).encode()
    data = (np.ascontiguousarray(array).tobytes() for array in arrays)
    return b''.join([_LENGTH.pack(len(head)), head, *data])


def unpack(data: bytes) -> Part:
    """The part that :func:`pack` packed.

    Raises:
        ValueError: The bytes are not such a part, as if the process is no longer ours.
    """
    try:
        (size,) = _LENGTH.unpack_from(data)
        kind, values, shapes = json.loads(data[4 : 4 + size])
        arrays, at = [], 4 + size
        for name, shape in shapes:
            if name not in _DTYPES:
                raise ValueError(f'numbers of type {name!r}')
            dtype = np.dtype(name)
            count = int(np.prod(shape, dtype=object))
            arrays.append(np.frombuffer(data, dtype, count, at).reshape(shape).copy())
            at += count * dtype.itemsize
        return _part(kind, values, arrays)
    except (ValueError, TypeError, KeyError, IndexError, struct.error, RecursionError) as error:
        raise ValueError(f'no part of an answer ({type(error).__name__}: {error})') from None


def _part(kind: str, values: list[Any], arrays: list[np.ndarray]) -> Part:
    if kind == 'number':
        (number,) = values
        return None if number is None else int(number)
    if kind == 'begun':
        duration, window, stride = map(float, values)
        return Begun(duration, window, stride)
    if kind == 'clip':
        (inputs,), (window, duration, fps) = arrays, values
        span = None if window is None else Window(*map(float, window))
        known = (None if value is None else float(value) for value in (duration, fps))
        return Clip(torch.from_numpy(inputs), span, *known)
    if kind == 'strip':
        pictures, times = arrays
        return Strip(pictures, times)
    if kind == 'refused':
        code, message, wait = values
        if code not in CODES:
            raise ValueError(f'code {code!r}')
        return ServiceError(code, str(message), None if wait is None else int(wait))
    if kind == 'fault':
        (text,) = values
        return Fault(str(text))
    raise ValueError(f'kind {kind!r}')
