import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.visualization import Visualizer
from PIL import Image

from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import VISUALIZERS
from ovmlv.visualization import VideoLabelVisualizer
from ovmlv.visualization.contact_sheet import COLORS, TRACK

FRAMES = np.full((4, 32, 32, 3), 77, np.uint8)
META = dict(classes=['a', 'b', 'c'], class_attributes=dict(split=['seen', 'seen', 'novel']))


def sample(truth=None, scores=None, **meta):
    found = ActionDataSample(metainfo=meta)
    if truth is not None:
        found.set_gt_label(torch.tensor(truth))
    if scores is not None:
        found.set_pred_score(torch.tensor(scores))
    return found


def make(**kwargs):
    visualizer = VideoLabelVisualizer(scale=1, **kwargs)
    visualizer.dataset_meta = META
    return visualizer


def count(picture, color):
    return int((picture == np.array(color)).all(-1).sum())


def test_it_is_registered_with_mmengine():
    built = VISUALIZERS.build(dict(type='VideoLabelVisualizer', name='for_this_test'))
    assert isinstance(built, VideoLabelVisualizer)
    assert Visualizer.get_instance('for_this_test') is built


def test_bars_tell_right_from_wrong():
    draw = make().add_datasample
    right = draw('v', FRAMES, sample([1, 0, 0], [1.0, 0.0, 0.0]))
    wrong = draw('v', FRAMES, sample([0, 1, 0], [1.0, 0.0, 0.0]))
    unknown = draw('v', FRAMES, sample([-1, 0, 0], [1.0, 0.0, 0.0]))
    plain = draw('v', FRAMES, sample([1, 0, 0], [1.0, 0.0, 0.0]), draw_gt=False)
    bar = [count(p[60:], COLORS[k][1]) for p, k in zip((right, wrong), (True, False))]
    assert min(bar) > 1000
    assert not count(right[60:], COLORS[False][1]) and not count(wrong[60:], COLORS[True][1])
    for picture in (unknown, plain):
        assert count(picture[60:], COLORS[None][1]) > 1000


def test_truth_alone_has_no_bars():
    picture = make().add_datasample(
        'v', FRAMES, sample([1, 0, 1], [0.9, 0.5, 0.1]), draw_pred=False
    )
    assert count(picture, TRACK) > 3000
    assert not any(count(picture, pale) for _, pale in COLORS.values())
    # The same from the indices of the right labels, as single-label data sets give them.
    index = make().add_datasample('v', FRAMES, sample([0, 2]))
    assert (index == picture).all()


def test_frames_may_come_packed(write_video):
    draw = make().add_datasample
    expected = draw('v', FRAMES)
    packed = torch.from_numpy(FRAMES).permute(3, 0, 1, 2)
    views = torch.stack([packed * 0, packed, packed * 0])
    for video in (packed, views, torch.from_numpy(FRAMES)):
        assert (draw('v', video) == expected).all()
    video = write_video(frames=FRAMES)
    assert np.abs(draw('v', video).astype(int) - expected).max() < 6
    with pytest.raises(DataError, match='frames are float32; leave normalisation'):
        draw('v', packed.float())


def test_pictures_go_to_the_backends_or_a_file(tmp_path):
    visualizer = make(vis_backends=[dict(type='LocalVisBackend')], save_dir=str(tmp_path))
    picture = visualizer.add_datasample('v.mp4', FRAMES, sample([1, 0, 0]), step=7)
    written = tmp_path / 'vis_data' / 'vis_image' / 'v.mp4_7.png'
    assert (np.asarray(Image.open(written)) == picture).all()
    visualizer.add_datasample('w', FRAMES, out_file=tmp_path / 'new' / 'w.png')
    assert (tmp_path / 'new' / 'w.png').is_file() and len(list(written.parent.iterdir())) == 1


def test_broken_videos_say_so():
    draw = make().add_datasample
    good = draw('v', FRAMES, sample([1, 0, 0]))
    bad = draw('v', FRAMES, sample([1, 0, 0], broken=True, broken_reason='cut short'))
    assert good.shape == bad.shape and (good != bad).any()


def test_labels_on_a_frame():
    visualizer = make(top_k=2)
    frame = np.full((300, 400, 3), 77, np.uint8)
    scores = dict(a=0.2, b=0.9, c=0.5)
    drawn = visualizer.draw_labels(frame, scores)
    assert drawn.shape == frame.shape and (drawn[:150] == 77).all() and (drawn[150:] != 77).any()
    # In any order and form; labels behind the best two do not count.
    assert (visualizer.draw_labels(frame, [('b', 0.9), ('c', 0.5)]) == drawn).all()
    assert (visualizer.draw_labels(frame, dict(scores, c=0.4)) != drawn).any()
    assert visualizer.draw_labels(frame[:64, :64], scores).shape[0] == 320
    assert visualizer.draw_labels(frame, scores, 'beside').shape[1] > 400


def test_mistakes_are_named():
    visualizer = VideoLabelVisualizer()
    with pytest.raises(DataError, match='set visualizer.dataset_meta = dataset.metainfo'):
        visualizer.add_datasample('v', FRAMES, sample([1, 0, 0]))
    visualizer.dataset_meta = META
    with pytest.raises(DataError, match='2 probabilities for the 3 labels'):
        visualizer.add_datasample('v', FRAMES, sample(None, [0.1, 0.2]))
    with pytest.raises(ConfigError, match='top_k=0'):
        VideoLabelVisualizer(top_k=0)
