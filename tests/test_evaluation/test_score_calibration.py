"""Calibration against closed forms, the peak F1 of the metric, and pairs that it never saw."""

import importlib.util
import json
import math

import numpy as np
import pytest
import torch

from ovmlv.errors import ConfigError, DataError
from ovmlv.evaluation import (
    Calibration,
    DumpPredictions,
    calibration_report,
    fit_calibration,
    functional as F,
)
from ovmlv.utils.error_door import run_tool

CLASSES = ['red circle', 'spinning', 'é "quoted"', 'tree', 'never']


def make(seed, size=4000, temperature=0.5, bias=2.0, ranges=(-4.0, 0.0)):
    """Pairs that are true with probability sigmoid(z), reported as sigmoid(z / t + b)."""
    generator = torch.Generator().manual_seed(seed)
    low, high = ranges
    logits = torch.rand(size, len(CLASSES), generator=generator) * (high - low) + low
    targets = (torch.rand(logits.shape, generator=generator) < logits.sigmoid()).long()
    targets[:, -1] = 0
    logits[:, -1] = -12.0
    unknown = torch.rand(logits.shape, generator=generator) < 0.1
    return (logits / temperature + bias).sigmoid(), targets.masked_fill(unknown, -1)


def test_it_finds_the_miscalibration():
    """Reported at temperature 1/2 and bias 2: undone by temperature 2 and bias -1."""
    scores, targets = make(0)
    found = fit_calibration(scores[:, :4], targets[:, :4], CLASSES[:4])
    assert found.temperature == pytest.approx(2, rel=0.1)
    assert found.bias == pytest.approx(-1, abs=0.1)


def test_two_scores_have_a_closed_form():
    """A line through two points: sigmoid(a z + b) is the (smoothed) share of positives at each."""
    p = torch.tensor([0.2] * 40 + [0.7] * 60)[:, None]
    y = torch.tensor([1] * 4 + [0] * 36 + [1] * 15 + [0] * 45)[:, None]
    yes, no = 20 / 21, 1 / 83

    def logit(v):
        return math.log(v / (1 - v))

    low, high = (logit(r * yes + (1 - r) * no) for r in (4 / 40, 15 / 60))
    slope = (high - low) / (logit(0.7) - logit(0.2))
    found = fit_calibration(p, y, ['a'])
    assert found.temperature == pytest.approx(1 / slope, rel=1e-5)
    assert found.bias == pytest.approx(low - slope * logit(0.2), rel=1e-5)


def test_ece_falls_on_other_pairs():
    calibration = fit_calibration(*make(0), CLASSES)
    report = calibration_report(*make(1), CLASSES, calibration)
    without, calibrated = report['without'], report['with']
    assert without['ECE'] > 0.08 and calibrated['ECE'] < 0.02
    assert calibrated['Brier'] < without['Brier']
    # Order is kept, and with it what depends on order alone.
    assert calibrated['peak_F1'] == pytest.approx(without['peak_F1'])
    assert calibrated['F1_class'] > without['F1_class']


def test_thresholds_reach_the_peak_f1_of_the_metric():
    scores, targets = make(3, size=200)
    found = fit_calibration(scores, targets, CLASSES)
    peak, _ = F.peak_f1(scores, targets, 'class')
    overall, _ = F.peak_f1(scores, targets)
    calibrated = found.apply(scores)
    at = torch.from_numpy(found.thresholds_of(CLASSES))
    for c in range(4):
        own = (calibrated[:, c : c + 1] >= at[c]).float()
        assert float(F.f1_at_threshold(own, targets[:, c : c + 1], 0.5)) == float(peak[c])
    assert 'never' not in found.thresholds and at[4] == np.float32(found.threshold)
    together = (calibrated >= np.float32(found.threshold)).float()
    assert float(F.f1_at_threshold(together, targets, 0.5)) == float(overall)
    report = calibration_report(scores, targets, CLASSES, found)['with']
    assert report['F1_class'] == report['peak_F1_class']


def test_few_positives_give_no_threshold_of_their_own():
    scores, targets = make(3, size=200)
    targets[:, 1] = targets[:, 1].clamp(max=0)
    targets[:9, 1] = 1
    counts = (targets == 1).sum(0)
    assert counts[1] == 9 < counts[[0, 2, 3]].min()
    assert set(fit_calibration(scores, targets, CLASSES).thresholds) == {*CLASSES} - {
        CLASSES[1],
        'never',
    }
    assert CLASSES[1] in fit_calibration(scores, targets, CLASSES, min_positives=9).thresholds
    with pytest.raises(ConfigError, match='min_positives=0'):
        fit_calibration(scores, targets, CLASSES, min_positives=0)


def test_apply():
    p = torch.tensor([[0.0, 1e-30, 0.5, 1 - 2.0**-24, 1.0, torch.nan, -torch.inf]])
    same = Calibration().apply(p)
    torch.testing.assert_close(same[:, 1:5], p[:, 1:5])
    assert same[0, 0] < 1e-40 and same[0, 5].isnan() and same[0, 6] == -torch.inf
    calibrated = Calibration(temperature=2.0, bias=1.0).apply(p)[0, :5]
    assert calibrated[2] == pytest.approx(1 / (1 + math.exp(-1)))
    assert (calibrated.diff() > 0).all() and calibrated[0] > 0 and calibrated[4] < 1


@pytest.mark.parametrize(
    ('scores', 'targets', 'message'),
    [
        ([[0.1, 0.2]], [[0, 0]], 'no positive pair among 2'),
        ([[0.1, 0.2]], [[1, -1]], 'no negative pair among 1'),
        ([[3.0, 0.2]], [[1, 0]], r'reach from 0.2 to 3'),
        ([[0.1, 0.8], [0.2, 0.9]], [[1, 0], [1, 0]], 'higher for negatives'),
    ],
)
def test_what_cannot_be_fitted(scores, targets, message):
    with pytest.raises(DataError, match=message):
        fit_calibration(torch.tensor(scores), torch.tensor(targets), ['a', 'b'])


def test_separated_scores_stay_finite():
    scores = torch.tensor([[0.9, 0.1], [0.8, 0.3]])
    found = fit_calibration(scores, torch.tensor([[1, 0], [1, 0]]), ['a', 'b'])
    assert 0 < found.temperature < 10 and abs(found.bias) < 10


def test_file(tmp_path):
    found = fit_calibration(*make(0, size=50), CLASSES, dict(predictions='a.safetensors'))
    assert Calibration.load(found.save(tmp_path / 'c.json')) == found
    with pytest.raises(FileNotFoundError, match='no calibration .*; fit one'):
        Calibration.load(tmp_path / 'none.json')
    for text in ('{', '[]', '{"format": "other"}'):
        (tmp_path / 'bad.json').write_text(text)
        with pytest.raises(DataError, match='is no calibration'):
            Calibration.load(tmp_path / 'bad.json')
    (tmp_path / 'bad.json').write_text(
        json.dumps(dict(json.loads((tmp_path / 'c.json').read_text()), temperature=-1))
    )
    with pytest.raises(DataError, match='bad.json: .*temperature=-1'):
        Calibration.load(tmp_path / 'bad.json')


@pytest.fixture(scope='module')
def tool(repository):
    path = repository / 'tools' / 'analysis_tools' / 'fit_calibration.py'
    spec = importlib.util.spec_from_file_location('fit_calibration', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dump(path, scores, targets):
    metric = DumpPredictions(out_file=str(path))
    metric.dataset_meta = dict(classes=CLASSES)
    samples = [
        dict(
            pred_score=s,
            gt_label=t,
            sample_idx=i,
            filename=f'{i}.mp4',
            video_id=str(i),
            broken=False,
            official_unlabeled=False,
        )
        for i, (s, t) in enumerate(zip(scores, targets, strict=True))
    ]
    metric.process(None, samples)
    metric.evaluate(len(samples))
    return str(path)


def test_tool(tool, tmp_path, capsys):
    """From dumped predictions to a file, and the report with and without."""
    (p, y), (q, z) = make(0, 300), make(1, 300)
    val, test = dump(tmp_path / 'val.safetensors', p, y), dump(tmp_path / 'test.safetensors', q, z)
    out, report = str(tmp_path / 'calibration.json'), str(tmp_path / 'report.json')
    args = [val, '--out', out, '--test', test, '--report', report]
    assert run_tool(tool.main, tool.parse_args(args)) == 0
    fitted = Calibration.load(out)
    expected = fit_calibration(p, y, CLASSES)
    assert (fitted.temperature, fitted.thresholds) == (expected.temperature, expected.thresholds)
    assert fitted.fitted_on['videos'] == 300
    found = json.loads((tmp_path / 'report.json').read_text())
    assert found == calibration_report(q, z, CLASSES, fitted)
    assert found['with']['ECE'] < found['without']['ECE']
    text = capsys.readouterr().out
    assert 'without' in text and f'{found["with"]["ECE"]:.4f}' in text
    assert run_tool(tool.main, tool.parse_args(['--use', out, '--test', test])) == 0
    assert f'{found["with"]["ECE"]:.4f}' in capsys.readouterr().out
    for wrong in ([], [val, '--use', out], ['--use', out], [val, '--out', 'c.txt']):
        assert run_tool(tool.main, tool.parse_args(wrong)) == 2
        assert capsys.readouterr().err.count('\n') == 1
