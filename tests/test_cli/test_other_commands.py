"""``ovmlv calibrate``, ``export``, ``publish`` and ``serve``: what they hand on."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ovmlv.apis import LabelBank, open_model
from ovmlv.evaluation.score_calibration import Calibration, fit_calibration
from ovmlv.export import make_label_set
from ovmlv.runtime.label_set import LabelSet

from .conftest import LABELS, MODEL


@pytest.fixture(scope='module')
def model():
    return open_model('motionshapes', device='cpu')


def test_export_of_labels_and_banks(command, model, tmp_path):
    file, bank = tmp_path / 'labels', tmp_path / 'bank'
    LabelBank.build(model, LABELS, bank)
    export = ['export', *MODEL, '--labels-only', file]
    expected = make_label_set(model, LABELS)
    for source in (['--labels', *LABELS], ['--bank', bank]):
        status, out, _ = command(*export, *source)
        assert (status, out) == (0, f'{file}: 4 labels\n')
        found = LabelSet.load(file)
        assert found.labels == tuple(LABELS) and found.fingerprint == expected.fingerprint
        np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=1e-6)
        assert (found.scale, found.bias) == (
            pytest.approx(expected.scale), pytest.approx(expected.bias),
        )  # fmt: skip
    status, _, err = command(*export)
    assert status == 2 and 'no labels' in err


def test_a_calibration_becomes_part_of_exported_labels(command, model, tmp_path):
    calibration = Calibration(2.5, -0.7)
    calibration.save(tmp_path / 'c.json')
    given = ['--labels', *LABELS, '--calibration', tmp_path / 'c.json']
    assert command('export', *MODEL, '--labels-only', tmp_path / 'labels', *given)[0] == 0
    views = np.random.default_rng(0).normal(size=(3, 2, 128)).astype(np.float32)
    views /= np.linalg.norm(views, axis=-1, keepdims=True)
    before = make_label_set(model, LABELS).probabilities(views)
    wanted = calibration.apply(torch.from_numpy(before)).numpy()
    np.testing.assert_allclose(
        LabelSet.load(tmp_path / 'labels').probabilities(views), wanted, 1e-4
    )


def test_a_published_folder_tags(command, clips, tmp_path):
    folder = tmp_path / 'my_model'
    Calibration(2.0, 0.0, 0.9).save(tmp_path / 'c.json')
    with_them = ['--labels', *LABELS, '--calibration', tmp_path / 'c.json']
    status, out, err = command('publish', *MODEL, '--out', folder, *with_them)
    assert (status, out) == (0, f'{folder}: model, 4 labels, calibration\n'), err
    tag = ['tag', clips[3], '--device', 'cpu', '--format', 'jsonl']
    row = json.loads(command(*tag, '--model', folder)[1])
    expected = json.loads(command(*tag, '--model', 'motionshapes', *with_them)[1])
    assert [v['label'] for v in row['labels']] == [v['label'] for v in expected['labels']]
    found, wanted = ([v['probability'] for v in r['labels']] for r in (row, expected))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_serving(command, model, tmp_path, monkeypatch):
    """Arguments become the server's; the server itself has tests of its own."""
    from ovmlv import serving

    given = {}

    def serve(
        inferencer,
        host,
        port,
        limits,
        banks,
        allowed_hosts,
        access_log,
        drain_seconds,
        index,
        samples,
    ):
        given.update(vars() | {})
        print('Tag videos at http://...')

    monkeypatch.setattr(serving, 'serve', serve)
    LabelBank.build(model, LABELS, tmp_path / 'bank')
    serve_ = ['serve', *MODEL, '--labels', *LABELS]
    assert command(*serve_)[:2] == (0, 'Tag videos at http://...\n')
    default = serving.ServingLimits()
    assert (given['host'], given['port'], given['limits']) == ('127.0.0.1', 8000, default)
    assert given['inferencer'].labels == tuple(LABELS)
    more = ['--port', 0, '--max-megabytes', 3, '--max-seconds', 1.5, '--max-labels', 7]
    more += ['--max-decode-seconds', 9, '--max-connections', 33]
    more += ['--max-queue', 2, '--max-videos', 5, '--banks', f'words={tmp_path / "bank"}']
    assert command(*serve_, *more)[0] == 0
    limits = given['limits']
    assert (limits.upload_bytes, limits.duration, limits.labels) == (3 * 2**20, 1.5, 7)
    assert (limits.queue, limits.videos) == (2, 5)
    assert (limits.decode_seconds, limits.connections) == (9, 33)
    assert given['banks'] == dict(words=str(tmp_path / 'bank'))
    status, _, err = command(*serve_, '--banks', 'x')
    assert status == 2 and 'NAME=FILE' in err


def test_calibrating_on_annotated_videos(command, clips, fill, tmp_path):
    good, bad = fill(tmp_path / 'videos', clips, 8, 1)
    rows = [dict(video=video, labels=[label]) for video, label in good.items()]
    annotations, report = tmp_path / 'val.jsonl', tmp_path / 'report.json'
    lines = [json.dumps(row) for row in [*rows, dict(video=bad[0], labels=LABELS[:1])]]
    annotations.write_text('\n'.join(lines))
    out = tmp_path / 'calibration.json'
    given = [*MODEL, '--annotations', annotations, '--min-positives', 1]
    status, text, err = command('calibrate', *given, '--out', out, '--report', report)
    assert status == 0, err
    assert '1 videos could not be read' in err and 'fitted on these' in text
    found = Calibration.load(out)
    assert found.fitted_on['videos'] == 8 and set(found.thresholds) == set(LABELS)
    # The same as from the probabilities that tagging gives.
    lines = command('tag', *good, *MODEL, '--labels', *LABELS, '--format', 'jsonl')[1].splitlines()
    values = [{v['label']: v['probability'] for v in json.loads(line)['labels']} for line in lines]
    classes = sorted(LABELS)
    scores = torch.tensor([[row[label] for label in classes] for row in values])
    targets = torch.tensor([[int(good[v] == label) for label in classes] for v in good])
    expected = fit_calibration(scores, targets, classes, min_positives=1)
    assert found.temperature == pytest.approx(expected.temperature, rel=1e-3)
    assert found.bias == pytest.approx(expected.bias, rel=1e-3, abs=1e-3)
    metrics = json.loads(report.read_text())
    assert set(metrics) == {'without', 'with'}
    assert metrics['with']['F1'] == 1
    annotations.write_text(json.dumps(dict(video=bad[0], labels=LABELS[:1])))
    status, _, err = command('calibrate', *given)
    assert status == 2 and 'none of its 1 videos can be read' in err
    annotations.write_text(json.dumps(dict(rows[0], segment=[0, 1])))
    status, _, err = command('calibrate', *given)
    assert status == 2 and 'has segments' in err


def test_calibrating(command, tmp_path):
    """The fitting is tested with the tool of the same code; here what is refused."""
    save_file({'x': torch.zeros(2)}, tmp_path / 'weights.safetensors')
    for arguments, words in [
        ([tmp_path / 'none.safetensors'], '--dump'),
        ([tmp_path / 'weights.safetensors'], 'no predictions'),
        ([tmp_path / 'weights.safetensors', '--out', 'c.txt'], '.json'),
        (['--use', 'c.json'], '--test'),
        (['--annotations', 'val.jsonl'], '--model'),
    ]:
        status, out, err = command('calibrate', *arguments)
        assert (status, out) == (2, '') and words in err and err.count('\n') == 1
