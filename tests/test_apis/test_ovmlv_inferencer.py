import io
import json
import tracemalloc

import numpy as np
import pytest
import torch

from ovmlv.apis import LabelBank, OVMLVInferencer, Timings, Window
from ovmlv.apis.label_source import read_labels
from ovmlv.apis.video_batches import encode_all
from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
from ovmlv.datasets.motionshapes.generate import write_video
from ovmlv.errors import CheckpointError, ConfigError, DataError, VocabularyError
from ovmlv.evaluation import Calibration
from ovmlv.registry import INFERENCERS

SOME = ['red circle', 'blue square', 'green tree']


@pytest.fixture(scope='module')
def inferencer():
    return OVMLVInferencer('motionshapes', device='cpu', labels=SOME)


@pytest.fixture(scope='module')
def scenes():
    """Three parts of 12 frames each: uint8 ``(36, 64, 64, 3)``."""
    found = [('circle', 'red'), ('square', 'blue'), ('tree', 'green')]
    parts = [
        render_clip(Scene('plain', (Actor(s, c, 'moving left'),)), 12, np.random.default_rng(i))
        for i, (s, c) in enumerate(found)
    ]
    return np.concatenate(parts)


def close(a, b, atol=1e-5):
    np.testing.assert_allclose(a, b, atol=atol)


def test_results_are_those_of_predict_labels(inferencer, scenes):
    """Array, file object and file give the same; an array of T frames is what the model gets."""
    frames = scenes[:8]
    result = inferencer(frames)[0]
    inputs = torch.from_numpy(frames).permute(3, 0, 1, 2)[None, None]
    close(result.probabilities, inferencer.model.predict_labels(inputs, SOME)[0])
    assert result.video == 'array' and result.labels == tuple(SOME) and result.error is None
    assert result.windows == () and result.window_probabilities is None
    assert result.timings.decode > 0 and result.timings.encode > 0 and result.timings.score > 0


def test_files_and_streams(inferencer, videos):
    path = videos['red circle']
    by_path = inferencer(path)[0]
    with path.open('rb') as file:
        by_file = inferencer(file)[0]
    by_bytes = inferencer(io.BytesIO(path.read_bytes()))[0]
    assert (by_path.video, by_file.video, by_bytes.video) == (str(path), str(path), 'stream')
    for other in (by_file, by_bytes):
        np.testing.assert_array_equal(by_path.probabilities, other.probabilities)
    with pytest.raises(DataError, match='video stream cannot be read'):
        inferencer(io.BytesIO(b'no video'))


def test_lists_folders_and_patterns(inferencer, videos, tmp_path):
    folder = videos['red circle'].parent
    assert [r.video for r in inferencer(folder / '*r*e*.mp4')] == [
        str(videos[name]) for name in ('blue square', 'green tree', 'red circle')
    ]
    mixed = inferencer([videos['green tree'], np.zeros((3, 8, 9, 3), np.uint8)])
    assert next(r.top(1)[0].label for r in mixed) == 'green tree' and len(mixed) == 2
    found = inferencer(folder, on_error='report')
    assert [r.error is None for r in found] == ['damaged' not in r.video for r in found]


def test_batches_hold_videos_of_all_sizes(inferencer, tmp_path):
    """Whatever the batch, each is tagged as alone, with one pass for the three."""
    generator = np.random.default_rng(0)
    sizes = [(64, 64), (90, 120), (130, 70)]
    videos = [generator.integers(0, 256, (8, *size, 3), dtype=np.uint8) for size in sizes]
    passes = []
    original = inferencer.model.encode_views
    inferencer.model.encode_views = lambda x: (passes.append(len(x)), original(x))[1]
    try:
        together = inferencer(videos)
        assert passes == [3]
    finally:
        del inferencer.model.encode_views
    for video, result in zip(videos, together, strict=True):
        close(result.probabilities, inferencer(video)[0].probabilities)


def test_windows_are_clips_that_were_cut_out(inferencer, scenes):
    result = inferencer(scenes, window=1.2, stride=0.6, fps=10)[0]
    starts = [0, 6, 12, 18, 24]
    assert result.windows == tuple(Window(s / 10, (s + 12) / 10) for s in starts)
    cut = np.stack([inferencer(scenes[s : s + 12])[0].probabilities for s in starts])
    close(result.window_probabilities, cut)
    np.testing.assert_array_equal(result.probabilities, result.window_probabilities.max(0))
    np.testing.assert_array_equal(result.timeline, result.window_probabilities.T)
    # Each shape in its part of the video.
    assert [SOME[i] for i in result.window_probabilities[::2].argmax(1)] == SOME


def test_windows_of_a_file(inferencer, tmp_path):
    """The same as of its decoded frames, at the frame rate of the file."""
    from ovmlv.datasets.decoders import open_video

    frames = np.concatenate([np.full((10, 64, 64, 3), v, np.uint8) for v in (30, 120, 220)])
    write_video(tmp_path / 'a.mp4', frames)
    reader = open_video(tmp_path / 'a.mp4')
    decoded, rate = np.stack(reader.get_frames(range(len(reader)))), reader.rate
    window = 10 / rate
    by_file = inferencer(tmp_path / 'a.mp4', window=window)[0]
    by_array = inferencer(decoded, window=window, fps=rate)[0]
    assert len(by_file.windows) == 3 and by_file.windows[-1].end == pytest.approx(30 / rate)
    close(by_file.window_probabilities, by_array.window_probabilities)


def test_windows_without_a_reader_of_ours(model, videos):
    """The config of these tests decodes by MMAction2's transforms."""
    by_decord = OVMLVInferencer(model)(videos['red circle'], SOME, window=0.5, stride=0.25)[0]
    pipeline = [
        dict(type='VideoInit'),
        dict(type='SampleSegmentFrames', clip_len=4, test_mode=True),
    ]
    pipeline += [dict(type='VideoDecode'), *model.cfg.test_dataloader.dataset.pipeline[3:]]
    by_pyav = OVMLVInferencer(model, pipeline=pipeline)
    result = by_pyav(videos['red circle'], SOME, window=0.5, stride=0.25)[0]
    assert len(result.windows) > 2 and by_decord.windows == result.windows
    close(by_decord.window_probabilities, result.window_probabilities, 1e-3)


def test_many_windows_are_decoded_part_by_part(inferencer, monkeypatch):
    """No frame of a long video is held longer than a part of the windows needs it."""
    from ovmlv.datasets.decoders import ArrayReader

    asked = []
    original = ArrayReader.get_frames
    monkeypatch.setattr(
        ArrayReader, 'get_frames', lambda self, i: (asked.append(len(i)), original(self, i))[1]
    )
    frames = np.zeros((160, 4, 4, 3), np.uint8)
    result = inferencer(frames, window=0.8, fps=10)[0]
    assert len(result.windows) == 20
    assert len(asked) > 1 and max(asked) <= 128 and sum(asked) == 160


def test_one_decoding_serves_all_labels(inferencer, videos):
    before = inferencer.num_decoded
    encoded = inferencer.encode(videos['red circle'], window=0.4)
    count = len(encoded.windows)
    assert encoded.embeddings.shape == (count, 1, 128)
    assert encoded.embeddings.dtype == np.float32 and encoded.nbytes == count * 128 * 4
    assert encoded.duration == pytest.approx(encoded.windows[-1].end)
    assert encoded.fps * encoded.duration == pytest.approx(12)
    first = inferencer.score(encoded, ['red circle', 'tree'])
    second = inferencer.score(encoded, ['tree', 'blue square', 'red circle'])
    assert inferencer.num_decoded == before + 1
    direct = inferencer(videos['red circle'], ['red circle', 'tree'], window=0.4)[0]
    assert inferencer.num_decoded == before + 2
    close(first.window_probabilities, direct.window_probabilities)
    close(first.probabilities, second.probabilities[[2, 0]])


def test_streaming_holds_one_batch(inferencer, videos):
    """Results come while later videos are still unread, a batch behind."""
    path = videos['red circle']
    before = inferencer.num_decoded
    results = inferencer.iterate([path] * 3 + [path.parent / 'none.mp4'], batch_size=1)
    next(results)
    with pytest.raises(FileNotFoundError):
        list(results)
    arrays = (np.zeros((8, 64, 64, 3), np.uint8) for _ in range(16))
    tracemalloc.start()
    for _ in inferencer.iterate(arrays, batch_size=2):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6 and inferencer.num_decoded >= before + 17


def test_bad_videos_leave_the_others_alone(inferencer, videos, tmp_path):
    bad, good = videos['damaged'], videos['red circle']
    for size in (1, 2, 8):
        found = inferencer(
            [good, bad, tmp_path / 'none.mp4', good], batch_size=size, on_error='report', window=0.5
        )
        assert [r.error is None for r in found] == [True, False, False, True]
        np.testing.assert_array_equal(found[0].probabilities, found[3].probabilities)
        assert np.isnan(found[1].probabilities).all() and 'not found' in found[2].error
        assert json.loads(found[1].to_json())['labels'] == []


def test_reading_ahead_changes_nothing(inferencer, videos, tmp_path, monkeypatch):
    """As it is done where a GPU embeds; a video that cannot be read is among them."""
    (tmp_path / 'bad.mp4').write_bytes(b'no video')
    paths = [*videos.values(), tmp_path / 'bad.mp4', *videos.values()]

    def tag(**kwargs):
        found = inferencer.iterate(paths, SOME, on_error='report', **kwargs)
        return [(r.video, r.error, r.probabilities.tolist()) for r in found]

    expected = tag(), tag(window=0.5)
    used = []

    def ahead(*args, **kwargs):
        used.append(kwargs['ahead'])
        return encode_all(*args, **{**kwargs, 'ahead': True})

    monkeypatch.setattr('ovmlv.apis.ovmlv_inferencer.encode_all', ahead)
    assert repr((tag(), tag(window=0.5))) == repr(expected)  # nan of what was not read
    assert used == [False, False], 'threads of a processor would wait for one another'


def test_labels_come_in_many_forms(inferencer, videos, tmp_path):
    (tmp_path / 'labels.txt').write_text('red circle\r\n\nblue square \n', encoding='utf-8-sig')
    (tmp_path / 'labels.json').write_text('["red circle", "blue square"]')
    bank = LabelBank.build(inferencer.model, SOME[:2], tmp_path / 'bank')
    encoded = inferencer.encode(videos['red circle'])
    wanted = inferencer.score(encoded, SOME[:2])
    forms = [tmp_path / 'labels.txt', str(tmp_path / 'labels.json'), bank, tmp_path / 'bank']
    for form in (*forms, tmp_path / 'bank' / 'bank.json'):
        found = inferencer.score(encoded, form)
        assert found.labels == wanted.labels
        close(found.probabilities, wanted.probabilities, 1e-6)
    assert read_labels(bank) is bank
    with pytest.raises(VocabularyError, match=r"'dog' is neither a text file .*\['dog'\]"):
        inferencer.score(encoded, 'dog')
    with pytest.raises(VocabularyError, match='occurs twice'):
        inferencer.score(encoded, ['a', 'a '])


def test_default_labels_may_be_missing_and_banks_of_others_are_refused(model, inferencer, videos):
    lonely = OVMLVInferencer(model)
    with pytest.raises(VocabularyError, match='no labels are given'):
        lonely(videos['red circle'])
    other = LabelBank.build(inferencer.model, SOME)
    with pytest.raises(CheckpointError, match='another label encoder'):
        lonely(videos['red circle'], other)
    with pytest.raises(CheckpointError, match='another label encoder'):
        OVMLVInferencer(model, labels=other)
    assert inferencer.fingerprint == other.encoder.fingerprint


def test_calibration_comes_before_the_largest_window(scenes, tmp_path):
    path = Calibration(2.0, 1.0, 0.3, {'blue square': 0.7}).save(tmp_path / 'c.json')
    plain = OVMLVInferencer('motionshapes', device='cpu')
    calibrated = OVMLVInferencer(plain.model, calibration=path, labels=SOME)
    encoded = plain.encode(scenes, window=1.2, fps=10)
    p = plain.score(encoded, SOME).window_probabilities.astype(np.float64)
    found = calibrated.score(encoded)
    wanted = 1 / (1 + np.exp(-(np.log(p / (1 - p)) / 2 + 1)))
    close(found.window_probabilities, wanted)
    close(found.probabilities, wanted.max(0))
    close(found.thresholds, [0.3, 0.7, 0.3])


def test_frames_and_clips(inferencer, scenes):
    encoded = inferencer.encode(scenes, num_frames=3, num_clips=2, window=1.2, fps=10)
    assert encoded.embeddings.shape == (3, 2, 128)


def test_mistakes(inferencer, videos, scenes):
    path = videos['red circle']
    for options, message in [
        (dict(batch_size=0), 'batch_size=0'),
        (dict(on_error='ignore'), 'on_error'),
        (dict(stride=1.0), 'stride=1 needs a window'),
        (dict(window=-1.0), 'window=-1'),
        (dict(num_frames=0), 'num_frames=0'),
    ]:
        with pytest.raises(ConfigError, match=message):
            inferencer(path, **options)
    with pytest.raises(ConfigError, match='need its fps'):
        inferencer(scenes, window=1)
    with pytest.raises(DataError, match=r'frames are float64 of shape \(2, 3\)'):
        inferencer(np.zeros((2, 3)))
    with pytest.raises(TypeError, match='unexpected keyword'):
        inferencer(path, windows=3)
    inferencer.model.train()
    with pytest.raises(ConfigError, match='training mode'):
        inferencer(path)
    inferencer.model.eval()
    other = OVMLVInferencer(inferencer.model).encode(path)
    narrow = type(other)(other.video, other.embeddings[..., :64])
    with pytest.raises(ConfigError, match='encoded by another model'):
        inferencer.score(narrow)


def test_it_is_in_the_registry(inferencer):
    config = dict(type='OVMLVInferencer', model=inferencer.model, labels=SOME)
    assert INFERENCERS.build(config).labels == tuple(SOME)


def test_timings_add_up(inferencer, scenes):
    results = inferencer([scenes] * 3, batch_size=3)
    assert all(isinstance(r.timings, Timings) for r in results)
    assert len({r.timings.encode for r in results}) == 1, 'a batch is shared out evenly'
