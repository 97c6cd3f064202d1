from fractions import Fraction

import av
import numpy as np
import pytest

from ovmlv.containers import rgb_of
from ovmlv.errors import ConfigError, DataError, DependencyError
from ovmlv.visualization import write_annotated_video
from ovmlv.visualization.annotated_video import Moments, choose_encoder
from ovmlv.visualization.frame_labeler import _PRESENT
from tests.test_visualization.results import broken, whole, windowed


def read(path):
    """Times and frames of a video."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [f.time for f in frames], np.stack([rgb_of(f) for f in frames])


def has_bar(frames):
    """Whether each frame has a bar of a label that is present."""
    near = np.abs(frames.astype(int) - np.array(_PRESENT)).max(-1) < 40
    return near.sum((1, 2)) > 300


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.mov'])
def test_frames_and_times_are_those_of_the_video(write_video, tmp_path, suffix):
    video = write_video(num_frames=12, fps=8)
    out = write_annotated_video(video, whole(video, dict(dog=0.9)), tmp_path / 'new' / f'o{suffix}')
    times, frames = read(out)
    assert times == pytest.approx(np.arange(12) / 8, abs=2e-3)
    assert has_bar(frames).all()
    assert [p.name for p in out.parent.iterdir()] == [out.name]
    # The picture is on the left, enlarged: frame t is of the grey 10 t.
    levels = frames[:, 20:300, 20:300].mean((1, 2, 3))
    assert levels == pytest.approx(10.0 * np.arange(12), abs=6)


def test_windows_change_the_labels(write_video, tmp_path):
    video = write_video(num_frames=16, fps=8)
    spans = [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0)]
    result = windowed(video, ['dog'], [[0.0], [1.0], [0.0]], spans)
    times, frames = read(write_annotated_video(video, result, tmp_path / 'o.mp4'))
    # Middles are at 0.5, 1.0 and 1.5 s; a tie goes to the first.
    expected = [0.75 < t <= 1.25 for t in times]
    assert has_bar(frames).tolist() == expected and 0 < sum(expected) < 16


def test_irregular_times_are_kept(tmp_path):
    ticks, video = [0, 10, 15, 40, 90, 95, 140], tmp_path / 'v.mkv'
    with av.open(str(video), 'w') as container:
        stream = container.add_stream('libx264', rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.time_base = Fraction(1, 100)
        for tick in ticks:
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format='rgb24')
            frame.pts, frame.time_base = tick, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    out = write_annotated_video(video, whole(video, dict(dog=0.9)), tmp_path / 'o.mp4')
    assert read(out)[0] == pytest.approx([t / 100 for t in ticks], abs=2e-3)


def test_large_frames_keep_their_size(write_video, tmp_path):
    video = write_video(num_frames=2, size=(270, 482))
    out = write_annotated_video(video, whole(video, dict(dog=0.9)), tmp_path / 'o.mp4')
    assert read(out)[1].shape == (2, 270, 482, 3)


def test_rotated_videos_stand_upright(shared_data, tmp_path):
    video = shared_data / 'videos' / 'decord_video_90.mov'
    if not video.is_file():
        pytest.skip(f'no {video}')
    out = write_annotated_video(video, whole(video, dict(dog=0.9)), tmp_path / 'o.mp4')
    assert read(out)[1].shape[1:] == (568, 320, 3)


def test_damage_in_the_middle_is_passed_over(write_video, tmp_path):
    rng = np.random.default_rng(0)
    video = write_video(frames=rng.integers(0, 256, (24, 64, 64, 3), np.uint8))
    content = bytearray(video.read_bytes())
    start = content.index(b'mdat') + len(content) // 3
    content[start : start + 400] = bytes(400)
    video.write_bytes(bytes(content))
    out = write_annotated_video(video, whole(video, dict(dog=0.9)), tmp_path / 'o.mp4')
    assert len(read(out)[0]) >= 12


def test_thresholds(write_video):
    scores = dict(a=0.9, b=0.6, c=0.2, d=0.1)
    names = lambda **kwargs: [row.label for row in Moments(**kwargs).at(0.0)[0]]  # noqa: E731
    result = whole('v.mp4', scores)
    assert names(result=result, top_k=3) == ['a', 'b', 'c']
    assert names(result=result, threshold=0.6) == ['a', 'b']
    assert names(result=result, threshold=0.95) == []
    assert [row.present for row in Moments(result).at(9.0)[0]] == [True, True, False, False]
    own = whole('v.mp4', scores, thresholds=np.array([0.95, 0.5, 0.1, 0.5], np.float32))
    assert [row.present for row in Moments(own).at(0.0)[0]] == [False, True, True, False]


def test_another_encoder_steps_in(write_video, tmp_path, monkeypatch):
    real = av.Codec

    def without_h264(name, mode):
        if '264' in name:
            raise ValueError(name)
        return real(name, mode)

    monkeypatch.setattr(av, 'Codec', without_h264)
    assert choose_encoder()[0] == 'mpeg4'
    video = write_video(num_frames=3)
    out = write_annotated_video(video, whole(video, dict(dog=0.9)), tmp_path / 'o.mp4')
    with av.open(str(out)) as container:
        assert container.streams.video[0].codec_context.name == 'mpeg4'
    assert has_bar(read(out)[1]).all()
    monkeypatch.setattr(av, 'Codec', lambda name, mode: without_h264('264', mode))
    with pytest.raises(DependencyError, match='pip install -U av'):
        choose_encoder()


def test_mistakes_are_named_and_leave_nothing_behind(write_video, tmp_path):
    video, out = write_video('in/v.mp4'), tmp_path / 'out' / 'o.mp4'
    result = whole(video, dict(dog=0.9))
    with pytest.raises(ConfigError, match=r'o.gif: name a file ending in .mp4'):
        write_annotated_video(video, result, out.with_suffix('.gif'))
    with pytest.raises(ConfigError, match='is the video itself'):
        write_annotated_video(video, result, video)
    with pytest.raises(FileNotFoundError, match='gone.mp4 not found'):
        write_annotated_video(tmp_path / 'gone.mp4', result, out)
    with pytest.raises(DataError, match='has no labels to draw: it is cut short'):
        write_annotated_video(video, broken(video, 'it is cut short'), out)
    with pytest.raises(ConfigError, match='top_k=0'):
        write_annotated_video(video, result, out, 0)
    damaged = tmp_path / 'damaged.mp4'
    damaged.write_bytes(video.read_bytes()[:200])
    with pytest.raises(DataError, match='damaged.mp4 cannot be annotated'):
        write_annotated_video(damaged, result, out)
    assert not list(out.parent.iterdir()) and video.stat().st_size > 200
