import pytest
import torch
from mmengine.config import Config

from ovmlv.apis.video_reader import VideoReader, find_test_pipeline, fit_frames, set_sampling
from ovmlv.errors import ConfigError, DataError
from tests.test_datasets import odd_videos

STEPS = [dict(type='DecordInit'), dict(type='UniformSample', clip_len=8, num_clips=1)]


def test_fit_frames_keeps_what_fits():
    frames = torch.randint(0, 256, (2, 3, 4, 32, 32), dtype=torch.uint8)
    assert fit_frames(frames, (32, 32)) is frames
    assert fit_frames(frames, None) is frames


@pytest.mark.parametrize(('height', 'width'), [(48, 64), (64, 48), (20, 24)])
def test_fit_frames_takes_the_centre_undistorted(height, width):
    """A ramp along the width stays a ramp about the same middle, with the slope of the scale."""
    ramp = (100 + torch.arange(width) - (width - 1) / 2).expand(2, 3, 4, height, width)
    out = fit_frames(ramp.contiguous(), (32, 32))
    assert out.shape == (2, 3, 4, 32, 32)
    scale = 32 / min(height, width)
    expected = 100 + (torch.arange(32) - 15.5) / scale
    inner = slice(4, 28)
    atol = 0.5 / scale + 0.3  # the crop may be half a pixel off the middle
    torch.testing.assert_close(out[0, 0, 0, 16, inner], expected[inner], atol=atol, rtol=0)
    assert torch.equal(out[0, 0, 0], out[1, 2, 3])


def test_fit_frames_keeps_bytes():
    frames = torch.zeros(1, 3, 2, 10, 10, dtype=torch.uint8)
    frames[..., 5:] = 255  # bicubic overshoot must not wrap around
    out = fit_frames(frames, (32, 32))
    assert out.dtype == torch.uint8
    assert out[..., 0].max() < 30 and out[..., -1].min() > 225


def test_the_pipeline_is_found_through_wrappers():
    inner = dict(type='MultilabelVideoDataset', pipeline=STEPS)
    wrapped = dict(type='ConcatDataset', datasets=[inner])
    for dataset in (inner, wrapped, dict(type='RepeatDataset', dataset=wrapped)):
        cfg = Config(dict(test_dataloader=dict(dataset=dataset)))
        assert list(find_test_pipeline(cfg)) == STEPS
    assert list(find_test_pipeline(Config(dict(test_pipeline=STEPS)))) == STEPS
    with pytest.raises(ConfigError, match='no test_dataloader'):
        find_test_pipeline(Config(dict()))


def test_set_sampling_changes_the_sampler_alone():
    steps = [dict(step) for step in STEPS]
    set_sampling(steps, clip_len=16, num_clips=None)
    assert steps == [STEPS[0], dict(STEPS[1], clip_len=16)]


def cut_out(source, path, first, last):
    """The same mpegts without its packets of 188 bytes in this part, in eighths."""
    data = source.read_bytes()
    count = len(data) // 188
    keep = [i for i in range(count) if not first * count <= 8 * i < last * count]
    path.write_bytes(b''.join(data[188 * i : 188 * i + 188] for i in keep))
    return path


def test_windows_that_can_be_read_are_read(tmp_path):
    """FAULTS C4: one bad packet lost all windows; an option decides."""
    source = odd_videos.write_noise(tmp_path / 'a.ts', 80)
    path = cut_out(source, tmp_path / 'b.ts', 3, 4)  # 1 s of 8, a key frame each second
    sampler = dict(type='SampleSegmentFrames', clip_len=4, test_mode=True)
    rest = [dict(type='VideoDecode'), dict(type='mmaction.FormatShape', input_format='NCTHW')]
    rest += [dict(type='PackMultilabelInputs')]
    cfg = Config(dict(default_scope='ovmlv'))
    found = {}
    for damaged in ('refuse', 'skip'):
        reader = VideoReader(cfg, [dict(type='VideoInit', damaged=damaged), sampler, *rest])
        found[damaged] = reader.clips(path, window=0.5)
        if damaged == 'refuse':
            with pytest.raises(DataError, match="damaged: .*damaged='skip' reads the others"):
                list(found[damaged])
    clips = list(found['skip'])
    whole = {c.window.start: c for c in reader.clips(source, window=0.5)}
    assert len(whole) == 16 and 10 <= len(clips) < 16
    for clip in clips:
        near = [w for w in whole.values() if abs(w.window.start - clip.window.start) < 1e-3]
        if abs(clip.window.start - 4) > 2:  # those at the hole have fewer frames to choose from
            assert torch.equal(clip.inputs, near[0].inputs)
