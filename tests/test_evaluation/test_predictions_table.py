"""Predictions as a table."""

import pytest
import torch

from ovmlv.errors import DataError
from ovmlv.evaluation import DumpPredictions
from ovmlv.evaluation.predictions import Predictions

parquet = pytest.importorskip('pyarrow.parquet', reason="pip install 'ovmlv[index]'")


def dumped(path, samples, **meta):
    metric = DumpPredictions(str(path))
    metric.dataset_meta = meta
    metric.process(None, samples)
    metric.evaluate(len(samples))
    return path


def test_every_number_is_there_once(tmp_path, monkeypatch):
    """Against the .safetensors file of the same predictions; unknown targets are null."""
    monkeypatch.setattr('ovmlv.evaluation.predictions_table._AT_ONCE', 4)
    generator = torch.Generator().manual_seed(0)
    samples = [
        dict(
            pred_score=torch.rand(*shape, 3, generator=generator),
            gt_label=torch.randint(-1, 2, (*shape, 3), generator=generator),
            sample_idx=i,
            filename=name,
            video_id=identity,
            broken=i == 1,
        )
        for i, (shape, name, identity) in enumerate(
            [((), 'a.mp4', ''), ((), 'b.mp4', ''), ((4,), '', 'frames'), ((1,), 'd.mp4', 'd')]
        )
    ]
    classes = ['a dog', 'é', 'run']
    table = parquet.read_table(dumped(tmp_path / 'a.parquet', samples, classes=classes))
    found = Predictions.load(dumped(tmp_path / 'a.safetensors', samples, classes=classes))
    rows = table.to_pylist()
    assert len(rows) == found.scores.numel() == 7 * 3
    assert [r['score'] for r in rows] == found.scores.flatten().tolist()
    targets = [None if t < 0 else t for t in found.targets.flatten().tolist()]
    assert [r['target'] for r in rows] == targets and None in targets
    assert [r['label'] for r in rows] == classes * 7
    places = [(r['sample'], r['video'], r['row'], r['broken']) for r in rows[::3]]
    assert places == [
        (0, 'a.mp4', 0, False), (1, 'b.mp4', 0, True), (2, 'frames', 0, False),
        (2, 'frames', 1, False), (2, 'frames', 2, False), (2, 'frames', 3, False),
        (3, 'd.mp4', 0, False),
    ]  # fmt: skip


def test_labels_without_names(tmp_path):
    sample = dict(pred_score=torch.rand(2), gt_label=torch.tensor([1, 0]), sample_idx=0)
    table = parquet.read_table(dumped(tmp_path / 'a.parquet', [sample]))
    assert table['label'].to_pylist() == ['0', '1']
    with pytest.raises(DataError, match='2 labels, but 1 classes'):
        dumped(tmp_path / 'b.parquet', [sample], classes=['a'])
