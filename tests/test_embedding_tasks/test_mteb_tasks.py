"""mteb itself runs its own zero-shot task and the multi-label one, on local videos."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, average_precision_score

mteb = pytest.importorskip('mteb', reason='mteb is not installed: pip install "ovmlv[mteb]"')

from ovmlv.datasets.motionshapes.generate import generate  # noqa: E402
from ovmlv.embedding_tasks import MTEBEncoder  # noqa: E402
from ovmlv.embedding_tasks.multilabel_video_task import (  # noqa: E402
    MultilabelVideoTask,
    cross_calibrated,
    multilabel_scores,
)
from ovmlv.errors import DataError  # noqa: E402
from ovmlv.evaluation.functional import expected_calibration_error  # noqa: E402


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('motionshapes')
    generate(root, {'test': 24}, num_workers=1)
    return root


@pytest.fixture(scope='module')
def encoder():
    return MTEBEncoder('motionshapes', device='cpu')


@pytest.fixture(scope='module')
def backgrounds(data):
    classes = json.loads((data / 'annotations' / 'classes.json').read_text())
    return [name for name, about in classes.items() if about['group'] == 'background']


def rows(data):
    lines = (data / 'annotations' / 'test.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines]


def run(model, task, **kwargs):
    result = mteb.evaluate(model, task, cache=None, show_progress_bar=False, **kwargs)
    (found,) = result.task_results
    (scores,) = found.scores['test']
    return scores


def test_a_zero_shot_task_of_mteb(data, encoder, backgrounds):
    """Its own class and evaluator; only the rows are ours, and the figures are the tagger's."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
    from mteb.tasks import HMDB51ZeroShotClassification

    found = [(row, [b for b in row['labels'] if b in backgrounds]) for row in rows(data)]
    single = [(row, names[0]) for row, names in found if len(names) == 1]
    paths = [str(data / 'videos' / row['video']) for row, _ in single]
    truth = [backgrounds.index(name) for _, name in single]
    assert len(single) > 12 and len(set(truth)) > 3
    features = Features(video=Value('string'), label=ClassLabel(names=backgrounds))
    task = HMDB51ZeroShotClassification()
    split = Dataset.from_dict(dict(video=paths, label=truth), features=features)
    task.dataset, task.data_loaded = DatasetDict(test=split), True
    scores = run(encoder, task, encode_kwargs=dict(batch_size=5))
    tagged = [r.probabilities for r in encoder.inferencer(paths, backgrounds)]
    wanted = accuracy_score(truth, np.stack(tagged).argmax(1))
    assert scores['accuracy'] == pytest.approx(wanted) and wanted > 0.5


def test_the_multilabel_task(data, encoder, tmp_path):
    """mAP is scikit-learn's, ECE is that of the tagger's own probabilities."""
    task = MultilabelVideoTask(data / 'annotations' / 'test.jsonl', data / 'videos')
    scores = run(encoder, task, prediction_folder=tmp_path / 'predictions')
    labels = task.labels
    tagged = encoder.inferencer([data / 'videos' / r['video'] for r in rows(data)], labels)
    probabilities = np.stack([r.probabilities for r in tagged])
    truth = np.array([[name in r['labels'] for name in labels] for r in rows(data)])
    each = [
        average_precision_score(truth[:, c], probabilities[:, c])
        for c in range(len(labels))
        if truth[:, c].any()
    ]
    assert scores['map'] == pytest.approx(np.mean(each), abs=1e-6) == scores['main_score']
    assert scores['map_micro'] == pytest.approx(
        average_precision_score(truth.ravel(), probabilities.ravel()), abs=1e-6
    )
    ece = expected_calibration_error(torch.from_numpy(probabilities), torch.from_numpy(truth).int())
    assert scores['ece'] == pytest.approx(float(ece), abs=1e-6)
    assert 0 <= scores['ece_calibrated'] < 0.2 and scores['map'] > 2 * truth.mean()
    assert scores['num_labels'] == len(each)
    kept = json.loads(
        (tmp_path / 'predictions' / 'LocalMultilabelVideo_predictions.json').read_text()
    )
    np.testing.assert_allclose(kept['default']['test'], probabilities, atol=1e-5)


class Foreign:
    """A model of mteb that has similarities and no probabilities."""

    def __init__(self, encoder):
        self.encoder, self.mteb_model_meta = encoder, encoder.mteb_model_meta

    def encode(self, inputs, **kwargs):
        return self.encoder.encode(inputs, **kwargs)

    def similarity(self, embeddings1, embeddings2):
        return torch.from_numpy(self.encoder.similarity(embeddings1, embeddings2))

    def similarity_pairwise(self, embeddings1, embeddings2):
        return torch.from_numpy(self.encoder.similarity_pairwise(embeddings1, embeddings2))


@pytest.mark.slow
def test_any_model_of_mteb_can_be_tested(data, encoder):
    file = data / 'annotations' / 'test.jsonl'
    ours = run(encoder, MultilabelVideoTask(file, data / 'videos'))
    theirs = run(Foreign(encoder), MultilabelVideoTask(file, data / 'videos'))
    assert theirs['map'] == pytest.approx(ours['map'], abs=1e-3)
    assert theirs['ece'] == theirs['ece_calibrated']
    assert theirs['ece_calibrated'] == pytest.approx(ours['ece_calibrated'], abs=2e-3)


def test_data_of_the_hub_have_these_columns(data, encoder, backgrounds):
    from datasets import Dataset, DatasetDict

    chosen = rows(data)[:6]
    task = MultilabelVideoTask(labels=backgrounds)
    task.dataset = DatasetDict(
        test=Dataset.from_dict(
            dict(
                video=[str(data / 'videos' / row['video']) for row in chosen],
                label=[[v for v in row['labels'] if v in backgrounds] for row in chosen],
            )
        )
    )
    task.data_loaded = True
    assert run(encoder, task)['map'] > 0.5
    task.labels = backgrounds[:1]
    with pytest.raises(DataError, match='which is no candidate; give it in labels'):
        task.targets(task.dataset['test'])
    with pytest.raises(DataError, match='has no data'):
        MultilabelVideoTask().load_data()


def test_unknown_labels_do_not_count_and_halves_calibrate_each_other():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(400, 4, generator=generator)
    truth = (torch.rand(400, 4, generator=generator) < logits.sigmoid()).long()
    far = (2 * logits + 3).sigmoid()
    scores = multilabel_scores(logits, truth, far)
    assert scores['ece_calibrated'] < 0.05 < 0.1 < scores['ece']
    hidden = truth.clone()
    hidden[:, 3] = -1
    assert multilabel_scores(logits, hidden, far)['num_labels'] == 3
    mixed = cross_calibrated(far, truth)
    assert mixed.shape == far.shape and not torch.equal(mixed, far)
    wrong = cross_calibrated(1 - far, truth)  # they fall where the truth rises
    torch.testing.assert_close(wrong[::2], truth[1::2].float().mean().expand(200, 4))
    with pytest.raises(DataError, match='nothing to rank'):
        multilabel_scores(logits, torch.zeros_like(truth))


@pytest.mark.slow
def test_the_tool(data, tmp_path, capsys, repository):
    import importlib.util

    path = repository / 'tools' / 'analysis_tools' / 'run_mteb.py'
    spec = importlib.util.spec_from_file_location('run_mteb', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    out = tmp_path / 'scores.json'
    tool.main(
        tool.parse_args(
            ['--model', 'motionshapes', '--device', 'cpu', '--out', str(out), '--annotations',
             str(data / 'annotations' / 'test.jsonl'), '--videos', str(data / 'videos')]
        )
    )  # fmt: skip
    found = json.loads(out.read_text())
    assert found['tasks'][0]['scores']['test'][0]['map'] > 0
    assert found['model'] == 'ovmlv/motionshapes' and 'map' in capsys.readouterr().out
