"""Simple classifiers that are told the truth of Toybox's training videos."""

import importlib.util

import pytest
import torch

from ovmlv.apis import init_recognizer
from ovmlv.datasets.toybox.generate import annotation_of, generate, scene_of
from ovmlv.utils.configs import load_config


@pytest.fixture(scope='module')
def tool(repository):
    path = repository / 'tools' / 'data' / 'toybox' / 'measure_bounds.py'
    spec = importlib.util.spec_from_file_location('measure_bounds', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_find_what_can_be_separated(tool):
    generator = torch.Generator().manual_seed(0)
    truth = (torch.rand(300, 3, generator=generator) < 0.3).to(torch.int8)
    ways = torch.randn(3, 16, generator=generator)
    features = truth.float() @ ways * 4 + torch.randn(300, 16, generator=generator)
    features = features - features.mean(0)
    unknown = truth.clone()
    unknown[:50] = -1
    means = tool.class_means(features, unknown)
    expected = torch.stack([features[50:][truth[50:, c] == 1].mean(0) for c in range(3)], 1)
    cosines = torch.nn.functional.cosine_similarity(means[:-1], expected, dim=0)
    assert cosines == pytest.approx(1, abs=1e-5) and not means[-1].any()
    for weights in (means, tool.linear_classifiers(features, unknown, 1e-5)):
        assert tool._precisions(weights, features, truth).min() > 0.8
    swapped = tool.linear_classifiers(features, truth[torch.randperm(300)], 1e-5)
    assert tool._precisions(swapped, features, truth).mean() < 0.6


def test_all_labels_of_training_are_told(tool, repository, tmp_path):
    generate(tmp_path, dict(train=4, test_held_out=1), {}, num_workers=1)
    cfg = load_config(str(repository / 'configs' / 'zeroshot_toybox.py'))
    cfg.data_root = cfg.test_dataloader.dataset.data_root = str(tmp_path)
    (features, truth), labels, attributes = tool.features_of(
        cfg, init_recognizer(cfg, None, 'cpu'), 'train'
    )
    assert features.shape == (4, 128) and truth.shape == (4, len(labels))
    told = annotation_of(scene_of(0, 'train', 2)[0], 'test')
    assert {labels[i] for i in truth[2].eq(1).nonzero().flatten()} == set(told['labels'])
    assert {labels[i] for i in truth[2].eq(-1).nonzero().flatten()} == set(told['unknown'])
    splits = {attributes['split'][i] for i in truth.eq(1).any(0).nonzero().flatten()}
    assert splits == {'seen', 'unseen', 'novel'}
