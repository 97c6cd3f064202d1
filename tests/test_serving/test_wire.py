"""What the process that decodes says is data, whatever it says."""

import json
import pickle

import numpy as np
import pytest
import torch

from ovmlv.apis.video_reader import Clip
from ovmlv.results import Window
from ovmlv.serving.service_error import ServiceError
from ovmlv.serving.wire import Begun, Fault, pack, unpack
from ovmlv.visualization.strip import Strip


def test_every_part_comes_back():
    inputs = torch.randint(0, 256, (2, 3, 4, 5, 6)).byte()
    for clip in (Clip(inputs, Window(0.5, 2.0), 9.0, 8.0), Clip(inputs.float())):
        found = unpack(pack(clip))
        assert torch.equal(found.inputs, clip.inputs) and found.inputs.dtype == clip.inputs.dtype
        assert (found.window, found.duration, found.fps) == (clip.window, clip.duration, clip.fps)
    strip = Strip(np.arange(48, dtype=np.uint8).reshape(2, 2, 4, 3), np.array([[0, 1], [1, 2.5]]))
    found = unpack(pack(strip))
    np.testing.assert_array_equal(found.pictures, strip.pictures)
    np.testing.assert_array_equal(found.times, strip.times)
    for part in (None, 17, Begun(3.0, 2.0, 1.0), Fault('line\nline')):
        assert unpack(pack(part)) == part
    found = unpack(pack(ServiceError('busy', 'Come back.', 3)))
    assert (found.code, found.message, found.retry_after) == ('busy', 'Come back.', 3)


def head(*values):
    text = json.dumps(values).encode()
    return len(text).to_bytes(4, 'little') + text


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'\x00',
        pickle.dumps(print),
        head('number'),
        head('number', [1, 2], []),
        head('strip', [], [['object', [1]]]),
        head('strip', [], [['uint8', [10**12]], ['float64', [1]]]),
        head('strip', [], [['uint8', [-1]], ['float64', [-1]]]),
        head('clip', [None, None, None], []),
        head('refused', ['no code', 'x', None], []),
        head('begun', ['a', 1, 2], []),
        head('else', [], []),
        head('x')[:-1] + b'[' * 100_000,
    ],
    ids=range(13),
)
def test_anything_else_is_refused(data):
    with pytest.raises(ValueError, match='no part of an answer'):
        unpack(data)
