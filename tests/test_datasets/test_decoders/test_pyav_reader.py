"""Each asked frame is the right one, upright and at its time, or there is a reason."""

import av
import numpy as np
import pytest

from ovmlv.containers import decode_packets, rgb_of
from ovmlv.datasets.decoders import PyAVReader, open_video
from ovmlv.datasets.video_failures import UnreadableVideoError
from ovmlv.errors import ConfigError, DataError
from ovmlv.runtime.video_file import read_frames
from tests.test_datasets import odd_videos as odd

FINE = {'qmin': '1', 'qmax': '1'}
FAST = {'deadline': 'realtime', 'cpu-used': '8'}
FORMATS = {
    'h264': ('a.mp4', 'libx264', {}),
    'h264, no B': ('a.mp4', 'libx264', dict(b_frames=0)),
    'h264, one key': ('a.mkv', 'libx264', dict(gop=1000)),
    'h264 open GOP': ('a.mp4', 'libx264', dict(gop=6, options={'x264opts': 'open-gop=1'})),
    'h264 in TS': ('a.ts', 'libx264', dict(gop=8)),
    'h265, short GOP': ('a.mp4', 'libx265', dict(gop=2)),
    'h265 open GOP': ('a.mp4', 'libx265', dict(gop=5, options={'x265-params': 'open-gop=1'})),
    'av1': ('a.mkv', 'libsvtav1', dict(options={'preset': '12', 'svtav1-params': 'keyint=8'})),
    'vp9': ('a.webm', 'libvpx-vp9', dict(options=FAST)),
    'mpeg4 in AVI': ('a.avi', 'mpeg4', dict(b_frames=0, options=FINE)),
    'mpeg4 in AVI, B': ('a.avi', 'mpeg4', dict(options=FINE)),
}


def shown(frames):
    """Which frames they are, by their brightness at the lower right."""
    return [round((f[-12:, -12:].mean() - 20) / 4) for f in frames]


def close_to_half_a_frame(reader, times):
    times = np.asarray(times)
    assert len(reader) == len(times)
    assert (np.abs(reader.times[:, 0] - times) < np.diff(times).min() / 2).all()


@pytest.mark.parametrize('name', FORMATS)
def test_any_frames_in_any_order(name, tmp_path):
    file, codec, settings = FORMATS[name]
    try:
        odd.write_video(tmp_path / file, 30, codec, **settings)
    except ValueError as error:  # as PyAV calls an unknown codec and an unknown option
        pytest.skip(f'this build of PyAV does not encode {codec}: {error}')
    rng = np.random.default_rng(0)
    for _ in range(4):
        reader = PyAVReader(tmp_path / file)
        close_to_half_a_frame(reader, np.arange(30) / 10)
        indices = rng.integers(0, 30, rng.integers(1, 9))
        assert shown(reader.get_frames(indices)) == indices.tolist()
        again = rng.permutation(30)  # the same reader once more, all of them
        assert shown(reader.get_frames(again)) == again.tolist()
        reader.close()


@pytest.mark.parametrize('name', FORMATS)
def test_frames_are_the_same_where_others_are_not_decoded(name, tmp_path):
    file, codec, settings = FORMATS[name]
    try:
        odd.write_video(tmp_path / file, 30, codec, **settings)
    except ValueError as error:
        pytest.skip(f'this build of PyAV does not encode {codec}: {error}')
    whole, sparing = PyAVReader(tmp_path / file), PyAVReader(tmp_path / file, unreferenced='skip')
    rng = np.random.default_rng(1)
    choices = [[i] for i in range(30)] + [rng.choice(30, 5) for _ in range(5)] + [range(30)]
    for indices in choices:  # the same reader, so that one choice must not tell on the next
        pairs = zip(whole.get_frames(indices), sparing.get_frames(indices), strict=True)
        assert all(np.array_equal(*pair) for pair in pairs), list(indices)


def test_frames_that_nothing_refers_to_are_not_decoded(tmp_path, monkeypatch):
    odd.write_video(tmp_path / 'a.mp4', 40, gop=1000)
    counts = {}
    for choice in ('decode', 'skip'):
        reader, frames = PyAVReader(tmp_path / 'a.mp4', unreferenced=choice), []

        def count(packets, stream, lost=None, frames=frames):
            for row in decode_packets(packets, stream, lost):
                frames.append(row.frame.pts)
                yield row

        monkeypatch.setattr('ovmlv.datasets.decoders.pyav_reader.decode_packets', count)
        assert shown(reader.get_frames([1, 30])) == [1, 30]
        counts[choice] = len(frames)
    assert counts['decode'] >= 31 and counts['skip'] < 0.7 * counts['decode'], counts


def test_frames_equal_those_of_a_full_decoding(tmp_path):
    path = odd.write_noise(tmp_path / 'a.mp4')
    with av.open(str(path)) as container:
        whole = [rgb_of(f) for f in container.decode(video=0)]
    for indices in ([3], [39, 0], [8, 9, 10, 11], [25, 5, 25]):
        frames = PyAVReader(path).get_frames(indices)
        assert all(np.array_equal(f, whole[i]) for f, i in zip(frames, indices))


def test_variable_frame_rate(tmp_path):
    gaps = np.random.default_rng(1).choice([0.005, 0.03, 0.2, 1.5], 29)
    times = np.concatenate([[0], gaps.cumsum()])
    odd.write_video(tmp_path / 'a.mp4', 30, times=times, rate=1000)
    reader = PyAVReader(tmp_path / 'a.mp4')
    close_to_half_a_frame(reader, times)
    assert reader.index.variable_rate
    assert np.array_equal(reader.times[:-1, 1], reader.times[1:, 0])
    assert shown(reader.get_frames(range(30))) == list(range(30))


@pytest.mark.parametrize(
    ('matrix', 'turned'),
    [
        ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),  # what phones write: a quarter, clockwise
        ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
        ((0, -1, 1, 0), lambda x: np.rot90(x, 1)),
        ((-1, 0, 0, 1), lambda x: x[:, ::-1]),
        ((1, 0, 0, -1), lambda x: x[::-1]),
        ((0, 1, 1, 0), lambda x: x.swapaxes(0, 1)),
    ],
)
def test_rotation_and_mirror_are_applied(matrix, turned, tmp_path):
    path = odd.write_video(tmp_path / 'a.mp4', 3)
    plain = PyAVReader(path).get_frames([1])[0]
    frame = PyAVReader(odd.set_matrix(path, *matrix)).get_frames([1])[0]
    assert np.array_equal(frame, turned(plain))
    assert frame.flags.c_contiguous
    with av.open(str(path)) as container:  # FFmpeg's own words, which know no mirrors
        angle = next(container.decode(video=0)).rotation
    if matrix[0] * matrix[3] - matrix[1] * matrix[2] == 1:
        assert np.array_equal(frame, np.rot90(plain, round(angle / 90)))


def test_short_videos(tmp_path):
    for count in (1, 2, 3):
        reader = PyAVReader(odd.write_video(tmp_path / f'{count}.mp4', count))
        assert len(reader) == count and reader.rate == pytest.approx(10, rel=0.01)
        assert shown(reader.get_frames(range(count))) == list(range(count))


def test_two_streams(tmp_path):
    path = tmp_path / 'a.mp4'
    with av.open(str(path), 'w') as container:
        small = odd.add_stream(container, 'libx264')
        large = odd.add_stream(container, 'libx264', rate=5, size=(96, 160))
        odd.encode(container, small, 20)
        odd.encode(container, large, 10, size=(96, 160))
    reader = PyAVReader(path, stream=1)
    assert len(reader) == 10 and reader.get_frames([4])[0].shape == (96, 160, 3)
    reader = PyAVReader(path)  # FFmpeg prefers the one with more frames
    assert len(reader) == 20 and reader.get_frames([4])[0].shape == (48, 80, 3)
    with pytest.raises(UnreadableVideoError, match=r'no video stream 5, but \[0, 1\]'):
        PyAVReader(path, stream=5)


def test_a_late_start_counts_from_the_start_of_the_file(tmp_path):
    times = 3 + np.arange(5) / 10
    odd.write_video(tmp_path / 'a.mkv', 5, times=times, rate=1000)
    assert PyAVReader(tmp_path / 'a.mkv').times[0, 0] == pytest.approx(0, abs=0.05)


def test_sources(tmp_path):
    path = odd.write_video(tmp_path / 'a: 100%d é.mp4', 5)
    assert shown(PyAVReader(path).get_frames([4, 1])) == [4, 1]
    assert shown(PyAVReader(path.read_bytes()).get_frames([4, 1])) == [4, 1]
    with pytest.raises(FileNotFoundError, match=r'b\.mp4 not found'):
        PyAVReader(tmp_path / 'b.mp4')


def refused(path, match, indices=(0,)):
    with pytest.raises(UnreadableVideoError, match=match):
        PyAVReader(path).get_frames(indices)


def test_what_cannot_be_right_is_refused_with_a_reason(tmp_path):
    refused(odd.write_sound(tmp_path / 'sound.mp4'), r'no video stream \(audio\)')
    (tmp_path / 'empty.mp4').write_bytes(b'')
    refused(tmp_path / 'empty.mp4', 'no readable video')
    (tmp_path / 'text.mp4').write_text('no video at all ' * 99)
    refused(tmp_path / 'text.mp4', 'no readable video')
    path = odd.write_video(tmp_path / 'a.mp4', 5)
    refused(path, 'frame 5 was asked for, but it has only 5', [5])
    refused(odd.set_matrix(path, 1, 1, -1, 1), 'turned by 45 degrees')


def test_truncated(tmp_path):
    path = odd.truncate(odd.write_noise(tmp_path / 'a.mp4'))
    refused(path, r'cut short: its header states 4\.00 s, but its \d+ frames end at')
    reader = PyAVReader(path, truncated='use')
    assert 5 < len(reader) < 35 and reader.get_frames([2])[0].shape == (48, 80, 3)


def test_damaged(tmp_path):
    path = odd.damage(odd.write_noise(tmp_path / 'a.mp4'))
    whole = PyAVReader(odd.write_noise(tmp_path / 'b.mp4'))
    reader = PyAVReader(path)
    assert all(
        np.array_equal(*p) for p in zip(reader.get_frames([1, 12]), whole.get_frames([1, 12]))
    )
    refused(path, 'damaged', range(40))


def test_a_damaged_first_key_frame_is_damage_and_no_late_start(tmp_path):
    """FAULTS C2, C4: its whole group was left out, as if the recording had begun after it."""
    path = odd.write_video(tmp_path / 'a.avi', count=24)
    odd.spoil_packet(path, 0, slice(-30, None))
    reader = PyAVReader(path)
    assert len(reader) == 24 and not reader.index.left_out
    refused(path, 'damaged: the frame at 0.10 s has errors', [5])
    assert shown(reader.get_frames([13, 20])) == [13, 20]
    assert shown(PyAVReader(path, damaged='skip').get_frames([0])) == [12]
    with pytest.raises(DataError, match=r'damaged: the frame at 0\.10 s has errors'):
        read_frames(path, num_frames=8)


@pytest.mark.parametrize(('lost', 'last'), [(3, 1), (22, 20), (-2, 20)])
def test_a_frame_that_never_comes_out_is_told_by_the_one_before_it(tmp_path, lost, last):
    """FAULTS C2: a key frame followed, so that nothing was left that spoke of the damage."""
    path = odd.write_video(tmp_path / 'a.avi', count=24, codec='mpeg4', options=FINE)
    odd.spoil_packet(path, lost, slice(None))
    reader = PyAVReader(path)
    assert list(reader.index.damage) == [last]
    refused(path, 'damaged: decoding fails near', [last])
    assert len(reader.get_frames([last - 1])) == 1
    with pytest.raises(DataError, match='damaged: decoding fails near'):
        read_frames(path, num_frames=len(reader))


def test_what_is_left_in_a_broken_picture_is_that_of_a_plain_decode(tmp_path):
    """FAULTS C3: after a seek, a broken slice showed what the decoder had had in its memory."""
    path = odd.write_video(tmp_path / 'a.mkv', count=24, codec='ffv1', b_frames=0)
    odd.spoil_packet(path, 0, slice(121, 125))
    with av.open(str(path)) as container:
        whole = [rgb_of(f) for f in container.decode(video=0)]
    reader = PyAVReader(path)
    for i in (13, 5, 0, 20, 11):
        assert np.array_equal(reader.get_frames([i])[0], whole[i]), i


def test_settings(tmp_path):
    with pytest.raises(ConfigError, match="truncated='no'"):
        PyAVReader(tmp_path, truncated='no')
    with pytest.raises(ConfigError, match="backend='x' is none of pyav, decord"):
        open_video(tmp_path, 'x')


def test_threads_change_nothing(tmp_path):
    path = odd.write_noise(tmp_path / 'a.mp4')
    one, two = PyAVReader(path), PyAVReader(path, num_threads=2)
    assert all(np.array_equal(*p) for p in zip(one.get_frames([3, 30]), two.get_frames([3, 30])))


# The larger ones (1080 lines and more) take seconds each; see test_video_init.py for all.
REAL = {
    'decord_unordered.mov': 'times',
    'decord_video_90.mov': 'times',
    'mmaction2_part_0.mp4': 'times',
    'mmaction2_test.avi': 'counted',  # its time stamps go backwards: frames are at k / 25 s
    'torchcodec_av1.mkv': 'times',
    'torchcodec_h265.mp4': 'times',
}


@pytest.mark.parametrize('name', REAL)
def test_real_frames_and_their_times_equal_a_full_decoding(name, shared):
    """Pixels of frame k are those of the k-th decoded frame, turned upright, at its time stamp."""
    path = shared / 'videos' / name
    if not path.is_file():
        pytest.skip(f'no {path}')
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoded = list(container.decode(stream))
        turns = round(decoded[0].rotation / 90)
        whole = [np.rot90(rgb_of(f), turns) for f in decoded]
        start = container.start_time / av.time_base
        times = [f.time - start for f in decoded]
        if REAL[name] == 'counted':
            times = np.arange(len(decoded)) / float(stream.average_rate)
    reader = PyAVReader(path)
    close_to_half_a_frame(reader, times)
    indices = np.random.default_rng(0).permutation(len(whole))[:12]
    for index, frame in zip(indices, reader.get_frames(indices), strict=True):
        assert np.array_equal(frame, whole[index])
    reader.close()
