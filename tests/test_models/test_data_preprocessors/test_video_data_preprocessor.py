"""VideoDataPreprocessor against torchvision's own conversion and normalisation."""

import pytest
import torch
from mmaction.structures import ActionDataSample
from torchvision.transforms.v2.functional import normalize, to_dtype

from ovmlv.errors import ConfigError, DataError
from ovmlv.models.data_preprocessors import VideoDataPreprocessor

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)


@pytest.fixture
def videos():
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randint(0, 256, (2, 3, 4, 5, 6), dtype=torch.uint8, generator=generator)
        for _ in range(3)
    ]


def expected(videos):
    frames = torch.stack(list(videos)).transpose(-3, -4)  # torchvision wants (..., C, H, W)
    return normalize(to_dtype(frames, torch.float32, scale=True), MEAN, STD).transpose(-3, -4)


def test_lists_of_bytes_equal_torchvision(videos):
    samples = [ActionDataSample() for _ in videos]
    out = VideoDataPreprocessor(MEAN, STD)(dict(inputs=videos, data_samples=samples), training=True)
    assert out['inputs'].shape == (3, 2, 3, 4, 5, 6) and out['inputs'].dtype == torch.float32
    assert torch.allclose(out['inputs'], expected(videos), atol=1e-6)
    assert len(out['data_samples']) == 3


def test_stacked_and_single_view_inputs(videos):
    pre = VideoDataPreprocessor(MEAN, STD)
    stacked = pre(dict(inputs=torch.stack(videos)))['inputs']
    assert torch.allclose(stacked, expected(videos), atol=1e-6)
    single = pre(dict(inputs=[v[0] for v in videos]))['inputs']
    assert torch.equal(single, stacked[:, :1])


@pytest.mark.parametrize('float_range', ['unit', 'byte', 'normalized'])
def test_floating_point_inputs(float_range, videos):
    convert = {
        'unit': lambda v: v.float() / 255,
        'byte': lambda v: v.float(),
        'normalized': lambda v: expected([v])[0],
    }[float_range]
    out = VideoDataPreprocessor(MEAN, STD, float_range)(dict(inputs=[convert(v) for v in videos]))
    assert torch.allclose(out['inputs'], expected(videos), atol=1e-6)


def test_the_inputs_are_not_changed_in_place(videos):
    before = [v.float() / 255 for v in videos]
    given = [v.clone() for v in before]
    VideoDataPreprocessor(MEAN, STD)(dict(inputs=given))
    assert all(torch.equal(a, b) for a, b in zip(before, given, strict=True))


def test_statistics_are_settings_and_not_state():
    pre = VideoDataPreprocessor()
    assert pre.needs_statistics
    pre.set_statistics(MEAN, STD)
    assert not pre.needs_statistics and not pre.state_dict()


def test_videos_of_other_shape_are_named(videos):
    samples = [ActionDataSample(metainfo=dict(filename=f'{i}.mp4')) for i in range(3)]
    videos[1] = videos[1][..., :4]
    with pytest.raises(DataError, match=r'1.mp4 has shape \(2, 3, 4, 5, 4\) but 0.mp4 has'):
        VideoDataPreprocessor(MEAN, STD)(dict(inputs=videos, data_samples=samples))


@pytest.mark.parametrize(
    ('make', 'error', 'message'),
    [
        (lambda: VideoDataPreprocessor(mean=MEAN), ConfigError, 'give both or neither'),
        (
            lambda: VideoDataPreprocessor([123.7, 116.3, 103.5], [58.4, 57.1, 57.4]),
            ConfigError,
            'by 255',
        ),
        (lambda: VideoDataPreprocessor(float_range='big'), ConfigError, "float_range='big'"),
        (
            lambda: VideoDataPreprocessor()(dict(inputs=torch.zeros(1, 3, 2, 4, 4))),
            ConfigError,
            'are not set',
        ),
        (lambda: VideoDataPreprocessor(MEAN, STD)([1]), DataError, "a dict with 'inputs'"),
        (
            lambda: VideoDataPreprocessor(MEAN, STD)(dict(inputs=[])),
            DataError,
            'the batch is empty',
        ),
        (
            lambda: VideoDataPreprocessor(MEAN, STD)(dict(inputs=torch.zeros(2, 3, 4, 4))),
            DataError,
            'NCTHW',
        ),
        (
            lambda: VideoDataPreprocessor(MEAN, STD)(dict(inputs=torch.zeros(2, 4, 3, 5, 5))),
            DataError,
            'NCTHW',
        ),
        (
            lambda: VideoDataPreprocessor(MEAN, STD)(
                dict(inputs=torch.zeros(2, 3, 4, 5, 5).long())
            ),
            DataError,
            'int64',
        ),
    ],
)
def test_wrong_settings_and_inputs_are_named(make, error, message):
    with pytest.raises(error, match=message) as caught:
        make()
    assert '\n' not in str(caught.value)
