"""Dual encoders of transformers give the same probabilities through every door."""

from __future__ import annotations

import shutil

import httpx
import numpy as np
import pytest
import torch

from ovmlv.apis import LabelBank, OVMLVInferencer, load_model, open_model, publish_model
from ovmlv.errors import OvmlvError
from ovmlv.evaluation import Calibration
from tests.test_models.test_dual_encoders.test_oracles import text_features, video_features
from tests.test_models.test_dual_encoders.tiny_dual import CONFIGS, SIZES
from tests.test_serving.conftest import start_server

LABELS = ['a dog', 'running fast', 'b 2']
SQUASHED = ('videoprism', 'pe_video', 'pe_audio_video', 'siglip', 'siglip2')


@pytest.fixture
def video(write_video):
    """A video of another shape than the models', whose frames differ."""
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (6, 4, 6, 3), dtype=np.uint8)
    return write_video(frames=small.repeat(12, 1).repeat(12, 2).repeat(4, 0))


def probabilities_of(result) -> dict[str, float]:
    return dict(zip(result.labels, result.probabilities.tolist(), strict=True))


@pytest.mark.parametrize(
    'family',
    [
        f if f in ('videoprism', 'clip') else pytest.param(f, marks=pytest.mark.slow)
        for f in CONFIGS
    ],
)
def test_every_door_gives_the_same(dual, family, video, tmp_path):
    model, folder = dual(family)
    inferencer = OVMLVInferencer(folder, device='cpu', labels=LABELS)
    pipeline = inferencer.model.cfg.test_pipeline
    assert ('ovmlv.ResizeFrames' in [step['type'] for step in pipeline]) == (family in SQUASHED)
    expected = probabilities_of(inferencer(video)[0])

    # The oracle: transformers' own embeddings of the frames that the pipeline gives.
    clip = inferencer._reader(None, None, None, None)(video)
    backbone = inferencer.model.backbone
    assert clip.shape == (1, 3, backbone.num_frames, SIZES[family], SIZES[family])
    preprocessor = inferencer.model.data_preprocessor
    frames = video_features(model, preprocessor.normalize(clip))
    head = inferencer.model.head
    texts = [template.replace('{}', label) for label in LABELS for template in head.templates]
    rows = torch.nn.functional.normalize(text_features(model, folder, texts), dim=-1)
    rows = torch.nn.functional.normalize(rows.unflatten(0, (3, -1)).mean(1), dim=-1)
    if head.background is not None:
        rows = rows - head._background().mean(0)
    cosines = torch.nn.functional.normalize(frames, dim=-1) @ rows.T
    logits = cosines * head.logit_scale + head.logit_bias
    found = torch.tensor(list(expected.values()))
    torch.testing.assert_close(found, logits[0].sigmoid(), rtol=0, atol=1e-5)

    # A bank, and a folder that is published with it and opened where the weights are gone.
    bank = LabelBank.build(inferencer.model, LABELS)
    bank.save(tmp_path / 'bank')
    assert probabilities_of(inferencer(video, tmp_path / 'bank')[0]) == pytest.approx(
        expected, abs=1e-5
    )
    with pytest.raises(OvmlvError, match='include_pretrained'):
        publish_model(inferencer.model, tmp_path / 'thin')
    published = publish_model(
        inferencer.model, tmp_path / 'published', bank, include_pretrained=True
    )
    moved = tmp_path / 'moved'
    shutil.move(published, moved)
    loaded = load_model(moved, device='cpu')
    assert loaded.published.bank().labels == tuple(LABELS)
    assert probabilities_of(OVMLVInferencer(moved, device='cpu')(video)[0]) == pytest.approx(
        expected, abs=1e-5
    )

    # Windows, other numbers of frames, and a calibration.
    windows = inferencer(video, window=1.0, num_frames=3)[0]
    assert windows.window_probabilities.shape == (3, 3)
    calibrated = OVMLVInferencer(
        inferencer.model, calibration=Calibration(temperature=2.0, bias=0.5), labels=LABELS
    )
    given = torch.tensor(list(expected.values())).logit()
    torch.testing.assert_close(
        torch.tensor(list(probabilities_of(calibrated(video)[0]).values())),
        (given / 2.0 + 0.5).sigmoid(),
        rtol=0,
        atol=1e-4,
    )


@pytest.mark.slow
@pytest.mark.parametrize('family', CONFIGS)
def test_the_page_gives_the_same(dual, family, video, tmp_path_factory):
    _, folder = dual(family)
    expected = probabilities_of(
        OVMLVInferencer(folder, device='cpu')(video, LABELS, window=1.0, stride=1.0)[0]
    )
    command = ('-m', 'ovmlv', 'serve', '--model', folder, '--port', '0', '--device', 'cpu')
    with start_server(tmp_path_factory, *command) as server:
        query = dict(name='a.mp4', window=1.0, stride=1.0)
        with httpx.Client(base_url=server.url, timeout=120) as client:
            sent = client.post('/api/videos', params=query, content=video.read_bytes())
            key = sent.json()['id']
            tags = client.post(f'/api/videos/{key}/tags', json=dict(labels=LABELS)).json()['tags']
            status = client.get('/api/status').text
    assert {tag['label']: tag['probability'] for tag in tags} == pytest.approx(expected, abs=2e-4)
    assert folder not in status


@pytest.mark.parametrize('family', ['videoprism', 'clip'])
def test_a_configuration_is_published_as_it_is(family, video, tmp_path):
    """Random weights of a fixed seed need no file; they are drawn again where it is opened."""
    from mmengine.config import Config

    name = CONFIGS[family]
    cfg = Config(
        dict(
            default_scope='ovmlv',
            model=dict(
                type='OpenVocabRecognizer',
                backbone=dict(type='TransformersVideoBackbone', model_name=name, adapter_width=8),
                head=dict(type='CoOpPromptHead', model_name=name),
            ),
            test_pipeline=open_pipeline(),
        )
    )
    model = open_model(cfg, device='cpu')
    torch.nn.init.normal_(model.backbone.adapter[-1].weight, std=0.3)
    expected = OVMLVInferencer(model)(video, LABELS)[0].probabilities
    published = publish_model(model, tmp_path / 'published')
    found = OVMLVInferencer(published, device='cpu')(video, LABELS)[0].probabilities
    np.testing.assert_allclose(found, expected, atol=1e-6)


def open_pipeline():
    from ovmlv.apis.zero_shot import default_pipeline

    return default_pipeline(4)
