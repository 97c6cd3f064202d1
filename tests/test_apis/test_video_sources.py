"""What the inferencer takes for a video, and copies of it."""

import copy
import io
import multiprocessing
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from ovmlv.apis import LabelBank, OVMLVInferencer
from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
from ovmlv.datasets.motionshapes.generate import write_video
from ovmlv.errors import DataError

LABELS = ['red circle', 'blue circle', 'green star']


@pytest.fixture(scope='module')
def frames():
    scene = Scene('plain', (Actor('circle', 'red', 'standing still'),))
    return np.stack(render_clip(scene, 12, np.random.default_rng(0)))


@pytest.fixture(scope='module')
def video(frames, tmp_path_factory):
    path = tmp_path_factory.mktemp('clip') / 'red.mp4'
    write_video(path, frames)
    return path


@pytest.fixture(scope='module')
def inferencer():
    return OVMLVInferencer('motionshapes', device='cpu', labels=LABELS)


def same(found, expected):
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)
    assert found.labels == expected.labels and found.error is None


def test_tensors(inferencer, frames):
    """FAULTS D11"""
    expected = inferencer(frames)[0]
    tensor = torch.from_numpy(frames)
    same(inferencer(tensor)[0], expected)
    for both in ([tensor, frames], iter([tensor, frames])):
        for found in inferencer(both):
            same(found, expected)
    same(inferencer(tensor.flip(2).flip(2))[0], expected)  # not contiguous
    same(inferencer.score(inferencer.encode(tensor)), expected)
    windows = inferencer(tensor, window=1.0, fps=4)[0]
    assert len(windows.windows) == 3


def test_bytes(inferencer, video):
    """FAULTS D11"""
    expected, content = inferencer(video)[0], video.read_bytes()
    for source in (content, bytearray(content), memoryview(content)):
        same(inferencer(source)[0], expected)
        same(inferencer([source])[0], expected)
        same(inferencer.score(inferencer.encode(source)), expected)
    same(inferencer(io.BytesIO(content))[0], expected)


class OtherPath:
    """A path of another library."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


def test_paths_of_other_libraries(inferencer, video):
    """FAULTS D11"""
    same(inferencer(OtherPath(video))[0], inferencer(video)[0])
    same(inferencer([OtherPath(video)])[0], inferencer(video)[0])


PICTURE = Image.new('RGB', (64, 64))
WRONG = {
    'picture': PICTURE,
    'pictures': [PICTURE] * 8,
    'number': 3,
    'None': None,
    'Nones': [None],
    'NaN': [float('nan')],
    'dict': {'video': 'a.mp4'},
    'list': [['a.mp4']],
    'float tensor': torch.zeros(8, 64, 64, 3),
    'channels first': torch.zeros(8, 3, 64, 64, dtype=torch.uint8),
    'batch of videos': np.zeros((2, 8, 64, 64, 3), np.uint8),
    'grey': np.zeros((8, 64, 64), np.uint8),
    'no frames': np.zeros((0, 64, 64, 3), np.uint8),
    'text as bytes': b'clips/a.mp4',
    'no bytes': b'',
}


@pytest.mark.parametrize('wrong', WRONG.values(), ids=WRONG)
def test_what_is_no_video(inferencer, wrong):
    """FAULTS D11: refused in one line that says what to give."""
    with pytest.raises(DataError) as caught:
        inferencer(wrong)
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 300
    single = wrong[0] if isinstance(wrong, list) else wrong
    with pytest.raises(DataError):
        inferencer.encode(single)


def test_bad_entries_are_reported_in_their_place(inferencer, video, tmp_path):
    """FAULTS D11: one bad entry of many does not end a run that reports."""
    gone = str(tmp_path / 'gone [abc].mp4')
    entries = [video, None, gone, tmp_path, str(tmp_path / '*.mkv'), PICTURE, video]
    for inputs in (entries, iter(entries)):
        found = inferencer(inputs, on_error='report')
        assert [result.error is None for result in found] == [True, *[False] * 5, True]
        assert [result.video for result in found][2:4] == [gone, str(tmp_path)]
        assert all('\n' not in (result.error or '') for result in found)


@pytest.mark.parametrize('kind', ['labels', 'bank', 'folder'])
def test_copies(inferencer, frames, tmp_path, kind):
    """FAULTS D11: it could not be pickled."""
    labels = LABELS
    if kind != 'labels':
        labels = LabelBank.build(inferencer.model, LABELS, tmp_path / 'bank')
        labels = tmp_path / 'bank' if kind == 'folder' else labels
    original = OVMLVInferencer(inferencer.model, labels=labels)
    expected = original(frames)[0]  # and fills what it remembers
    assert original.fingerprint
    copies = (copy.copy(original), copy.deepcopy(original), pickle.loads(pickle.dumps(original)))
    for again in copies:
        same(again(frames)[0], expected)
        assert again.fingerprint == original.fingerprint
        same(again(frames, ['tree', *LABELS])[0], original(frames, ['tree', *LABELS])[0])


@pytest.mark.slow
def test_a_spawned_worker(inferencer, video):
    """FAULTS D11: sent to a process that shares nothing with this one."""
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        found = pool.apply(OVMLVInferencer.__call__, (inferencer, video))[0].probabilities
    np.testing.assert_allclose(found, inferencer(video)[0].probabilities, atol=1e-6)
