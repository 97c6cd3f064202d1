"""Exported folders give the model's probabilities, and need no torch for it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from ovmlv.apis import LabelBank, OVMLVInferencer
from ovmlv.errors import CheckpointError, ConfigError, DataError
from ovmlv.evaluation import Calibration
from ovmlv.export import (
    ExportableEncoder,
    capture,
    export_model,
    make_label_set,
    model_fingerprint,
)
from ovmlv.models.recognizers.label_parts import LabelParts
from ovmlv.runtime import LabelSet, VideoTagger
from tests.test_apis.conftest import CONFIG, write_scene
from tests.test_integration.tiny import build_model, write_clip

pytest.importorskip('onnx')
pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')

ROOT = Path(__file__).resolve().parents[2]
LABELS = ['red circle', 'blue square', 'a star spinning']
TINY = dict(model_name='motionshapes', pretrained='motionshapes')
TEMPORAL = dict(type='ParallelTemporalAttention', blocks='last-1', num_heads=4)
HEAVY = 'torch transformers mmengine mmcv mmaction torchvision open_clip timm'.split()


def model_of(clip, temporal, scale='clip', **kwargs):
    """Random weights where new ones start at zero."""
    config = dict(
        type='OpenVocabRecognizer',
        backbone=dict(type='TemporalCLIPBackbone', **clip, num_frames=4, temporal=temporal),
        head=dict(type='TemplatePromptHead', **clip),
        scorer=dict(type='SigmoidScorer', init_scale=scale, init_bias=0.0, label_bias=True),
        **kwargs,
    )
    model = build_model(config).eval()
    model.cfg = Config.fromstring(CONFIG, '.py')
    return model


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """A function: name -> model and folder, each made once."""
    made = {}

    def make(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            if name == 'parallel':
                model = model_of(TINY, TEMPORAL)
            else:  # what a random tower sees differs little from one video to another
                clip = dict(model_name=write_clip(folder))
                temporal = dict(TEMPORAL, blocks='all') if name == 'open_clip' else None
                model = model_of(clip, temporal, 50.0, average_views='probability')
                videos = torch.from_numpy(pixels(4, 2, 32, 32)).permute(0, 4, 1, 2, 3)
                cosines = model.encode_videos(videos) @ model.encode_labels(LABELS).T
                torch.nn.init.constant_(model.scorer.bias, -50.0 * cosines.mean().item())
            export_model(model, LABELS, folder, check=False)
            made[name] = model, folder, VideoTagger(folder)
        return made[name]

    return make


def pixels(*shape, seed=0):
    """Frames ``(..., H, W, 3)`` of noisy columns, each video and frame in a colour of its own."""
    generator = np.random.default_rng(seed)
    colors = generator.integers(0, 200, (*shape[:-2], 1, 1, 3))
    columns = generator.integers(0, 56, (*shape[:-2], 1, shape[-1], 3))
    return np.broadcast_to(colors + columns, (*shape, 3)).astype(np.uint8)


def expected(model, frames, labels=LABELS):
    """The model's own probabilities for ``(B, M, T, H, W, 3)``."""
    inputs = torch.from_numpy(frames).permute(0, 1, 5, 2, 3, 4)
    return model.predict_labels(inputs, labels).numpy()


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    'name',
    ['parallel', pytest.param('frame_mean', marks=SLOW), pytest.param('open_clip', marks=SLOW)],
)
def test_probabilities_are_the_model_s(exported, name):
    """Any number of videos, views and frames; T = 4 is that of training."""
    model, _, tagger = exported(name)
    size = tagger.meta.image_size
    for shape in [(1, 1, 1), (1, 1, 4), (2, 1, 3), (3, 2, 8), (1, 1, 33), (17, 1, 2)]:
        clips = pixels(*shape, *size)
        wanted = expected(model, clips)
        np.testing.assert_allclose(tagger.predict(clips), wanted, atol=1e-4)
    assert np.ptp(wanted, 0).max() > 1e-3, 'all videos look alike, so that nothing was tested'


def test_time_is_in_the_graph(exported):
    """Frames the other way round are another video to the temporal model, not to the mean."""
    for name, differs in (('parallel', True), ('frame_mean', False)):
        tagger = exported(name)[2]
        clips = pixels(1, 6, *tagger.meta.image_size)
        there, back = tagger.encode(clips), tagger.encode(clips[:, ::-1])
        assert (np.abs(there - back).max() > 1e-5) == differs


def test_video_files_are_tagged_as_by_the_model(exported, tmp_path):
    model, _, tagger = exported('parallel')
    path = write_scene(tmp_path / 'circle.mp4', 'circle', 'red')
    found = tagger.tag(path)
    assert found.video == str(path) and found.labels == tuple(LABELS)
    wanted = OVMLVInferencer(model)(path, LABELS)[0].probabilities
    np.testing.assert_allclose(found.probabilities, wanted, atol=1e-4)
    best = LABELS[wanted.argmax()]
    assert found.top(2)[0].label == found.to_dict(1)['labels'][0]['label'] == best
    line = str(found).splitlines()[1].rstrip('#').split()
    assert line == [*best.split(), f'{wanted.max():.3f}']


@pytest.mark.parametrize('calibrated', [False, True])
def test_labels_with_parts(tmp_path, monkeypatch, calibrated):
    """One part is a label as well, another one is not; parts stay when labels are selected."""
    model = model_of(TINY, TEMPORAL)
    calibration = Calibration(temperature=1.7, bias=-0.3) if calibrated else None
    alone = expected(model, pixels(2, 3, 4, 64, 64))
    parts = {LABELS[2]: [LABELS[0], 'a star'], LABELS[0]: ['red']}
    monkeypatch.setattr(model, 'label_parts', LabelParts(parts))
    export_model(model, LABELS, tmp_path, calibration=calibration)  # which compares
    tagger, clips = VideoTagger(tmp_path), pixels(2, 3, 4, 64, 64)
    wanted = expected(model, clips)
    assert (wanted[:, 2] < alone[:, 2]).all() and tagger.labels.hidden == ('red', 'a star')
    if calibration is not None:
        wanted = calibration.apply(torch.from_numpy(wanted)).numpy()
    np.testing.assert_allclose(tagger.predict(clips), wanted, atol=1e-4)
    for chosen in (LABELS[2:], LABELS[:2], LABELS[::-1]):
        tagger.use_labels(LabelSet.load(tmp_path / 'labels').select(chosen))
        columns = [LABELS.index(label) for label in chosen]
        np.testing.assert_allclose(tagger.predict(clips), wanted[:, columns], atol=1e-4)
    bank = make_label_set(model, LabelBank.build(model, LABELS), calibration=calibration)
    np.testing.assert_allclose(bank.embeddings, LabelSet.load(tmp_path / 'labels').embeddings)


def test_wrong_parts_of_a_label_file(tmp_path):
    labels = LabelSet(
        ('a dog running',), np.eye(2, dtype=np.float32), 4.0, -2.0, np.zeros(2, np.float32), 'f',
        parts={'a dog running': ('dog',)}, hidden=('dog',),
    )  # fmt: skip
    labels.save(tmp_path / 'a')
    assert LabelSet.load(tmp_path / 'a').parts == {'a dog running': ('dog',)}
    content = json.loads((tmp_path / 'a.json').read_text())
    for wrong in (
        dict(parts=3), dict(parts={'a dog running': 'dog'}), dict(hidden=[' ']), dict(hidden=[]),
        dict(parts={'a dog running': ['cat']}), dict(hidden=['a dog running']),
    ):  # fmt: skip
        (tmp_path / 'a.json').write_text(json.dumps({**content, **wrong}))
        with pytest.raises(DataError, match='a.json.*no usable label file') as caught:
            LabelSet.load(tmp_path / 'a')
        assert '\n' not in str(caught.value)


def test_frames_of_any_size(exported):
    model, _, tagger = exported('parallel')
    from ovmlv.apis.video_reader import fit_frames

    frames = pixels(5, 90, 120)
    fitted = fit_frames(torch.from_numpy(frames).permute(3, 0, 1, 2), (64, 64))
    wanted = model.predict_labels(fitted[None, None], LABELS)[0]
    np.testing.assert_allclose(tagger.tag(frames).probabilities, wanted.numpy(), atol=1e-3)


def test_names_are_the_inferencer_s(exported, tmp_path):
    """Of arrays and of files, however their paths are given."""
    model, _, tagger = exported('parallel')
    path = write_scene(tmp_path / 'circle.mp4', 'circle', 'red')
    inferencer = OVMLVInferencer(model)
    for video in (pixels(4, 64, 64), path, str(path)):
        assert tagger.tag(video).video == inferencer(video, LABELS)[0].video
    assert tagger.tag(pixels(4, 64, 64)).video == 'array'


def test_other_labels(exported, tmp_path):
    model, folder, _ = exported('parallel')
    others = ['green tree', 'moving left']
    make_label_set(model, others).save(tmp_path / 'others')
    tagger = VideoTagger(folder, tmp_path / 'others.json')
    clips = pixels(2, 1, 4, 64, 64)
    np.testing.assert_allclose(tagger.predict(clips), expected(model, clips, others), atol=1e-4)
    tagger.use_labels(LabelSet.load(folder / 'labels'))
    np.testing.assert_allclose(tagger.predict(clips), expected(model, clips), atol=1e-4)


def test_embeddings_made_before_are_taken(exported):
    model = exported('parallel')[0]
    fresh = make_label_set(model, LABELS)
    given = make_label_set(model, LABELS, model.encode_labels(LABELS))
    np.testing.assert_array_equal(fresh.embeddings, given.embeddings)
    np.testing.assert_array_equal(fresh.label_bias, given.label_bias)
    assert np.abs(fresh.label_bias).max() > 0


def test_labels_of_another_model_are_refused(exported):
    model, _, tagger = exported('parallel')
    other = exported('open_clip')[2]
    with pytest.raises(CheckpointError, match='export them with the model of this folder'):
        tagger.use_labels(other.labels)
    assert model_fingerprint(model) == tagger.meta.fingerprint != other.meta.fingerprint
    with torch.no_grad():
        model.scorer.bias += 1
        changed = model_fingerprint(model)
        model.scorer.bias -= 1
    assert changed != tagger.meta.fingerprint


def test_unfit_frames_are_refused(exported):
    tagger = exported('parallel')[2]
    with pytest.raises(DataError, match='64, 64, 3'):
        tagger.predict(pixels(1, 4, 32, 64))
    with pytest.raises(DataError, match='float32'):
        tagger.predict(pixels(1, 4, 64, 64) / 255)
    with pytest.raises(DataError, match='T, H, W, 3'):
        tagger.tag(pixels(64, 64))


def test_damaged_folders_are_refused(exported, tmp_path):
    _, folder, _ = exported('frame_mean')
    for name in ('meta.json', 'labels.json', 'labels.npz'):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(FileNotFoundError, match='video_encoder.onnx'):
        VideoTagger(tmp_path)
    (tmp_path / 'video_encoder.onnx').write_bytes(b'no graph')
    with pytest.raises(DataError, match='export the model again'):
        VideoTagger(tmp_path)
    meta = json.loads((tmp_path / 'meta.json').read_text())
    (tmp_path / 'meta.json').write_text(json.dumps({**meta, 'format': 99}))
    with pytest.raises(DataError, match='format 99'):
        VideoTagger(tmp_path)


def test_models_without_pixels_are_refused():
    backbone = dict(type='FeatureBackbone', in_channels=8, embed_dim=128)
    head = dict(type='TemplatePromptHead', **TINY)
    model = build_model(dict(type='OpenVocabRecognizer', backbone=backbone, head=head))
    with pytest.raises(ConfigError, match='FeatureBackbone'):
        ExportableEncoder(model)


@pytest.mark.slow
def test_tool(repository, tmp_path):
    """Floats, a torch program, and a second label file."""
    spec = importlib.util.spec_from_file_location(
        'export_onnx', repository / 'tools/deployment/export_onnx.py'
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    config, out = tmp_path / 'config.py', tmp_path / 'out'
    config.write_text(CONFIG)
    options = ['--input-type', 'float32', '--torch-export', '--out', out, '--labels', *LABELS]
    run = lambda *args: tool.run_tool(tool.main, tool.parse_args([*map(str, args)]))  # noqa: E731
    assert run(config, *options) == 0  # compares with the model
    words = tmp_path / 'words.txt'
    words.write_text('green tree\n')
    assert run(config, '--labels-file', words, '--labels-only', out / 'more') == 0
    tagger = VideoTagger(out)
    assert (tagger.meta.num_frames, tagger.meta.num_clips) == (4, 1)
    clips = pixels(2, 1, 4, 64, 64)
    found = tagger.predict(clips)
    np.testing.assert_allclose(tagger.predict(clips.astype(np.float32) / 255), found, atol=1e-6)
    program = torch.export.load(out / 'video_encoder.pt2').module()
    for clip in (clips, pixels(3, 1, 7, 64, 64)):
        given = torch.from_numpy(clip[:, 0]).float() / 255
        np.testing.assert_allclose(program(given), tagger.encode(clip)[:, 0], atol=1e-5)
    tagger.use_labels(out / 'more')
    assert tagger.tag(pixels(4, 64, 64)).labels == ('green tree',)
    assert run(config, '--labels', 'a', 'a', '--out', out) == 2


OTHERS = ['NeighborFrameAttention', 'CrossFrameMessage', 'GridFrameTransformer', 'FrameTransformer']


@pytest.mark.parametrize('temporal', OTHERS)
@pytest.mark.slow
def test_other_temporal_modules_are_captured(temporal, tmp_path):
    model = model_of(dict(model_name=write_clip(tmp_path)), dict(type=temporal))
    encoder = ExportableEncoder(model)
    program = capture(encoder).module()
    for batch, frames in [(1, 1), (3, 5)]:
        clips = torch.from_numpy(pixels(batch, frames, 32, 32))
        torch.testing.assert_close(program(clips), encoder(clips), atol=1e-5, rtol=0)
        inputs = clips.permute(0, 4, 1, 2, 3)
        torch.testing.assert_close(encoder(clips), model.encode_videos(inputs), atol=1e-5, rtol=0)


BLOCKED = f"""
import json, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {HEAVY}:
            raise ImportError(name + ' is blocked')

sys.meta_path.insert(0, Blocker())
from ovmlv.runtime import VideoTagger

tagger = VideoTagger(sys.argv[1])
found = tagger.tag(sys.argv[2])
assert not set({HEAVY}) & {{name.split('.')[0] for name in sys.modules}}
print(json.dumps(found.to_dict()))
"""


def test_runtime_needs_no_torch(exported, tmp_path):
    _, folder, tagger = exported('parallel')
    path = write_scene(tmp_path / 'circle.mp4', 'circle', 'red')
    done = subprocess.run(
        [sys.executable, '-c', BLOCKED, folder, path], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == tagger.tag(path).to_dict()


@pytest.mark.parametrize('average', ['score', 'probability'])
def test_a_bank_becomes_a_label_file(exported, average, tmp_path):
    """No label is encoded again; probabilities are the bank's, calibrated ones too."""
    model, _, tagger = exported('parallel')
    bank = LabelBank.build(model, [*LABELS, 'a green tree'])
    clips = pixels(3, 2, 4, *tagger.meta.image_size)
    inputs = torch.from_numpy(clips).permute(0, 1, 5, 2, 3, 4)
    before, model.average_views = model.average_views, average
    try:
        wanted = bank.probabilities(model, inputs)
    finally:
        model.average_views = before
    calibration = Calibration(2.0, 0.5, 0.3, {'blue square': 0.7})
    encode, model.encode_labels = model.encode_labels, None
    try:
        plain = make_label_set(model, bank)
        calibrated = make_label_set(model, bank, calibration=calibration)
    finally:
        model.encode_labels = encode
    views = tagger.encode(clips)
    assert plain.labels == bank.labels
    np.testing.assert_allclose(plain.probabilities(views, average), wanted, atol=1e-4)
    found = calibrated.probabilities(views, average)
    np.testing.assert_allclose(found, calibration.apply(wanted), atol=1e-4)
    np.testing.assert_allclose(calibrated.thresholds, [0.3, 0.7, 0.3, 0.3])
    calibrated.save(tmp_path / 'words')
    tagger.use_labels(tmp_path / 'words')
    tags = tagger.tag(clips[0, 0])
    tagger.use_labels(exported('parallel')[1] / 'labels')
    assert tags.labels == bank.labels and tags.thresholds is not None
