"""Weights of labels by what the frozen CLIP knows: closed forms, scikit-learn, a real Runner."""

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import BaseDataset
from mmengine.runner import Runner
from sklearn.metrics import roc_auc_score

from ovmlv.engine.hooks.label_weight_hook import LabelWeightHook, known_labels, label_weights
from ovmlv.errors import ConfigError
from ovmlv.models.backbones import TemporalCLIPBackbone
from ovmlv.models.heads import TemplatePromptHead
from ovmlv.models.recognizers import OpenVocabRecognizer

CLIP = dict(model_name='motionshapes', pretrained='motionshapes')
CLASSES = ['a red circle', 'moving left', 'a blue star']


def test_weights_follow_the_area_under_the_curve():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(200, 4, generator=generator).mul(10).round()  # with ties
    targets = torch.randint(-1, 2, (200, 4), generator=generator)
    scores[:, 1] += 4 * targets[:, 1]
    targets[:, 3] = 0
    found = label_weights(known_labels(scores, targets, 5), 10.0)
    expected = []
    for c in range(3):
        known = targets[:, c] >= 0
        area = roc_auc_score(targets[known, c], scores[known, c])
        expected.append(1 + 9 * (1 - max(0.0, 2 * area - 1)))
    expected.append(sum(expected) / 3)  # no positives
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=0)


def test_both_ends():
    targets = torch.tensor([[1, 1], [1, 1], [0, 0], [0, 0]])
    scores = torch.tensor([[3.0, 0.0], [2.0, 1.0], [1.0, 2.0], [0.0, 3.0]])
    assert label_weights(known_labels(scores, targets, 1), 10.0).tolist() == [
        1.0,
        10.0,
    ]  # right, wrong way round
    assert label_weights(known_labels(scores, targets, 3), 10.0).tolist() == [
        1.0,
        1.0,
    ]  # nothing is known


class Listening(TemplatePromptHead):
    """Keeps what it is told."""

    def learn_known(self, labels, known):
        self.heard = list(labels), known


class Videos(BaseDataset):
    def load_data_list(self):
        self._metainfo['classes'] = CLASSES
        return [dict(index=i) for i in range(10)]

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        video = torch.randint(0, 256, (1, 3, 2, 64, 64), generator=generator, dtype=torch.uint8)
        label = torch.tensor([index % 2, (index + 1) % 3 == 0, -1]).long()
        return dict(inputs=video, data_samples=ActionDataSample().set_gt_label(label))


@pytest.mark.parametrize('averaged', [False, True])
def test_in_a_run_the_loss_is_weighed_by_the_frozen_clip(tmp_path, averaged):
    torch.manual_seed(0)
    # As in Open-VCLIP, where what the weights started from comes behind the loss.
    kwargs = dict(interpolation=dict(type='InterpolatedWeights', weight=0.5)) if averaged else {}
    backbone = TemporalCLIPBackbone(**CLIP, num_frames=2, trainable=1)
    model = OpenVocabRecognizer(backbone, Listening(**CLIP), **kwargs)
    loader = dict(
        dataset=Videos(), batch_size=5, sampler=dict(type='DefaultSampler', shuffle=False)
    )
    runner = Runner(
        model=model, work_dir=str(tmp_path), train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        custom_hooks=[
            dict(type='ovmlv.VocabularyHook'),
            dict(type='ovmlv.LabelWeightHook', max_weight=5.0, min_positives=2, num_videos=8),
            *([dict(type='EMAHook')] if averaged else []),  # copies the model before it is weighed
        ],
        default_hooks=dict(checkpoint=None), log_level='WARNING',
    )  # fmt: skip
    runner.train()
    chosen = [Videos()[i] for i in (0, 1, 3, 4, 5, 6, 8, 9)]
    data = model.data_preprocessor(
        dict(
            inputs=[sample['inputs'] for sample in chosen],
            data_samples=[sample['data_samples'] for sample in chosen],
        )
    )
    model.eval()
    with torch.no_grad():
        video = torch.nn.functional.normalize(model.backbone(data['inputs'].flatten(0, 1)), dim=-1)
        scores = video @ model.head.reference(CLASSES).T
    targets = torch.stack([sample['data_samples'].gt_label for sample in chosen])
    weight = model.criterion.label_weight
    known = known_labels(scores, targets, 2)
    torch.testing.assert_close(weight, label_weights(known, 5.0), atol=1e-5, rtol=0)
    assert weight[0] != weight[1]
    assert model.head.heard[0] == CLASSES
    torch.testing.assert_close(model.head.heard[1], known, equal_nan=True)


@pytest.mark.parametrize('wrong', [dict(max_weight=0.5), dict(num_videos=0)])
def test_settings_that_cannot_work(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        LabelWeightHook(**wrong)


def test_a_loss_that_is_no_sum_over_labels_says_so():
    loss = dict(type='AsymmetricLoss')
    model = OpenVocabRecognizer(
        TemporalCLIPBackbone(**CLIP, num_frames=2), TemplatePromptHead(**CLIP), loss
    )
    model.criterion.weigh_labels(torch.ones(3))  # elementwise: it can
    model = OpenVocabRecognizer(
        TemporalCLIPBackbone(**CLIP, num_frames=2),
        TemplatePromptHead(**CLIP),
        dict(type='TwoWayLoss'),
    )
    with pytest.raises(ConfigError, match='takes no weights of labels'):
        model.criterion.weigh_labels(torch.ones(3))
