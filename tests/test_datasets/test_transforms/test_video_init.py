"""Odd videos through the whole pipeline: right to half a frame, or a reason."""

import numpy as np
import pytest
from mmengine.dataset import Compose

from ovmlv.datasets import MultilabelVideoDataset
from ovmlv.datasets.video_failures import UnreadableVideoError
from ovmlv.errors import ConfigError
from ovmlv.registry import TRANSFORMS
from tests.test_datasets import odd_videos as odd
from tests.test_datasets.loadable import BACKENDS

PIPELINE = [
    dict(type='VideoInit'),
    dict(type='SampleSegmentFrames', clip_len=8),
    dict(type='VideoDecode'),
    dict(type='mmaction.Resize', scale=(-1, 40)),
    dict(type='mmaction.RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='mmaction.Resize', scale=(32, 32), keep_ratio=False),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]
#: Frames, upright size, and when the last frame begins (SOURCES.md there, and PyAV's decoding of
#: every frame), or the reason.
REAL = {
    'decord_corrupted.mp4': 'damaged: decoding fails near',
    'decord_unordered.mov': (4, (50, 50), 3 / 32),
    'decord_video_90.mov': (3, (568, 320), 2 / 30),
    'mediabunny_ac3_audio_only.mp4': r'no video stream \(audio\)',
    'mediabunny_annex-b_truncated.mp4': r'cut short: its header states 35\.23 s, but its 6 frames',
    'mediabunny_cursed-vfr.mp4': (63, (1386, 3026), 7.1555),
    'mediabunny_frames_vp9.webm': (100, (1080, 1080), 3.3),
    'mmaction2_demo.mp4': (280, (256, 340), 279 / 28),
    'mmaction2_part_0.mp4': (32, (256, 340), 32 / 30),
    'mmaction2_test.avi': (164, (240, 320), 163 / 25),
    'torchcodec_av1.mkv': (125, (360, 640), 4.96),
    'torchcodec_h265.mp4': (10, (128, 128), 0.9),
    'torchcodec_nasa_13013.mp4': (390, (270, 480), 389 * 1001 / 30000),
}


def run(path, steps, **sample):
    transforms = [TRANSFORMS.build(step) for step in steps]
    return Compose(transforms)(dict(filename=str(path), start_index=0, modality='RGB', **sample))


def frames_of(path, clip_len, **sample):
    sampler = dict(type='SampleSegmentFrames', clip_len=clip_len, test_mode=True)
    data = run(path, [PIPELINE[0], sampler, PIPELINE[2]], **sample)
    return [round((f[-12:, -12:].mean() - 20) / 4) for f in data['imgs']], data


@pytest.mark.parametrize('name', REAL)
def test_real_odd_videos_through_the_training_pipeline(name, shared):
    path, expected = shared / 'videos' / name, REAL[name]
    if not path.is_file():
        pytest.skip(f'no {path}')
    if isinstance(expected, str):
        with pytest.raises(UnreadableVideoError, match=expected):
            run(path, PIPELINE)
        return
    count, size, last = expected
    steps = [step for step in PIPELINE if not step['type'].startswith('mmaction.R')]
    opened = run(path, steps[:1])
    assert opened['total_frames'] == count
    rate = count / (opened['frame_times'][-1, 1] - opened['frame_times'][0, 0])
    assert opened['frame_times'][-1, 0] == pytest.approx(last, abs=0.5 / rate)
    opened['video_reader'].close()
    assert run(path, PIPELINE)['inputs'].shape == (1, 3, 8, 32, 32)
    assert run(path, steps)['inputs'].shape == (1, 3, 8, *size)


def test_segments_follow_the_time_stamps(tmp_path):
    """One frame a second, then ten: seconds lead to frames, not to shares of the file."""
    times = [0, 1, 2, 3, *(4.03 + i / 10 for i in range(20))]
    path = odd.write_video(tmp_path / 'a.mp4', 24, times=times, rate=1000)
    assert frames_of(path, 2, segment=(1.0, 3.0))[0] == [1, 2]
    assert frames_of(path, 5, segment=(5.03, 5.53))[0] == [14, 15, 16, 17, 18]
    shown, data = frames_of(path, 6)  # the middle of each second
    assert shown == [0, 1, 2, 3, 8, 18]
    assert data['frame_seconds'].tolist() == pytest.approx([0, 1, 2, 3, 4.43, 5.43], abs=0.01)
    with pytest.raises(UnreadableVideoError, match='outside the video, which ends at'):
        frames_of(path, 2, segment=(7.0, 9.0))


def test_even_rates_take_equal_numbers_of_frames(tmp_path):
    path = odd.write_video(tmp_path / 'a.mp4', 20)
    assert frames_of(path, 4)[0] == [2, 7, 12, 17]
    assert frames_of(path, 4, segment=(0.5, 0.9))[0] == [5, 6, 7, 8]
    assert frames_of(odd.write_video(tmp_path / 'b.mp4', 3), 6)[0] == [0, 0, 1, 1, 2, 2]


def test_a_long_last_frame_is_seen_for_as_long_as_it_lasts(tmp_path):
    path = odd.write_video(tmp_path / 'a.mp4', 4, times=[0, 0.1, 0.2, 2.0], rate=1000)
    assert frames_of(path, 4, segment=(0.0, 2.0))[0] == [2, 2, 2, 2]


@pytest.mark.parametrize('backend', BACKENDS)
def test_backends_give_the_same_and_samplers_of_mmaction_go_between(backend, tmp_path):
    path = odd.write_video(tmp_path / 'a.mp4', 20)
    sampler = dict(type='mmaction.SampleFrames', clip_len=4, frame_interval=2, test_mode=True)
    data = run(path, [dict(type='VideoInit', backend=backend), sampler, dict(type='VideoDecode')])
    shown = [round((f[-12:, -12:].mean() - 20) / 4) for f in data['imgs']]
    assert shown == data['frame_inds'].tolist() and np.ptp(shown) == 6
    assert data['img_shape'] == data['original_shape'] == (48, 80)
    assert 'video_reader' not in data


def test_bytes_by_a_file_backend(tmp_path):
    path = odd.write_video(tmp_path / 'a.mp4', 4)
    steps = [dict(type='VideoInit', backend_args=dict(backend='local')), *PIPELINE[1:]]
    assert run(path, steps)['inputs'].shape == (1, 3, 8, 32, 32)


def test_data_sets_stand_in_for_what_is_refused(tmp_path, caplog):
    odd.write_video(tmp_path / 'good.mp4', 9)
    odd.truncate(odd.write_noise(tmp_path / 'cut.mp4'))
    (tmp_path / 'a.csv').write_text('video,labels\ngood.mp4,a\ncut.mp4,b\n')
    dataset = MultilabelVideoDataset(
        'a.csv', data_root=str(tmp_path), pipeline=PIPELINE, test_mode=True
    )
    sample = dataset[1]
    assert sample['data_samples'].broken and not sample['inputs'].any()
    assert 'cut short: its header states 4.00 s' in sample['data_samples'].broken_reason
    assert not dataset[0]['data_samples'].broken


def test_unknown_backend_and_repr():
    with pytest.raises(ConfigError, match="backend='opencv' is none of pyav, decord"):
        TRANSFORMS.build(dict(type='VideoInit', backend='opencv'))
    printed = str(TRANSFORMS.build(dict(type='VideoInit', truncated='use')))
    assert printed == "VideoInit(backend='pyav', num_threads=1, truncated='use')"
    assert str(TRANSFORMS.build(dict(type='VideoDecode'))) == 'VideoDecode()'
