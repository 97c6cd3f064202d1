"""What a part must have, what it may leave to its base class, and how a wrong one is refused."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

import ovmlv
from ovmlv.errors import ConfigError
from ovmlv.models import contracts
from ovmlv.models.backbones import BaseVideoEncoder, FeatureBackbone, TemporalCLIPBackbone
from ovmlv.models.contracts import lacking
from ovmlv.models.heads import BaseLabelEncoder, BasePromptHead, LLMPromptHead, TemplatePromptHead
from ovmlv.models.losses import BaseCriterion, RegularizedMultilabelLoss
from ovmlv.models.recognizers import OpenVocabRecognizer
from ovmlv.models.scorers import BaseScorer, SigmoidScorer

LABELS = ['a dog', 'running', 'a cat']


class Mean(BaseVideoEncoder):
    """The least that a video encoder must have: the mean colours of a video."""

    embed_dim = 3

    def forward(self, x):
        return x.mean((2, 3, 4))


class Letters(BaseLabelEncoder):
    """The least that a label encoder must have: three of its letters."""

    embed_dim = 3

    def forward(self, labels):
        rows = torch.tensor([[ord(c) for c in label[-3:]] for label in labels]).float()
        return nn.functional.normalize(rows, dim=-1)


class Times(BaseScorer):
    """The least that a scorer must have."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([3.0]))

    def forward(self, similarities, text=None):
        return self.factor * similarities**3


class Squares(BaseCriterion):
    """The least that a criterion must have."""

    def forward(self, logits, targets, **kwargs):
        return dict(loss_cls=(logits.sigmoid() - targets).square().mean())


def build(**parts):
    given = dict(
        backbone=Mean(),
        head=Letters(),
        scorer=Times(),
        data_preprocessor=dict(mean=[0.5] * 3, std=[0.2] * 3),
    )
    return OpenVocabRecognizer(**{**given, **parts})


def samples(targets):
    from mmaction.structures import ActionDataSample

    return [ActionDataSample().set_gt_label(row) for row in targets]


@pytest.mark.parametrize('loss', [Squares(), nn.BCEWithLogitsLoss(), None])
def test_parts_that_give_the_least_train_and_tag(loss):
    model = build(loss=loss)
    model.set_vocabulary(LABELS)
    video, targets = torch.rand(2, 1, 3, 4, 5, 5), torch.tensor([[1, 0, 0], [0, 1, 0]])
    losses = model.loss(video, samples(targets))
    # A scorer that is not linear names no scale and no bias, so that none is logged.
    assert set(losses) == {'loss_cls'}
    sum(losses.values()).backward()
    assert model.scorer.factor.grad is not None
    model.eval()
    assert model.predict_labels(video, LABELS).shape == (2, 3)
    frames = model.backbone.encode_frames(video[:, 0])
    torch.testing.assert_close(frames, video[:, 0].mean((3, 4)).transpose(1, 2))
    with pytest.raises(ConfigError, match='Mean has no frozen CLIP'):
        model.backbone.forward_with_reference(video[:, 0])
    with pytest.raises(ConfigError, match='Letters has no frozen CLIP'):
        model.head.reference(LABELS)


def test_a_scorer_that_is_not_linear_is_not_exported():
    from ovmlv.export.export_folder import make_label_set

    with pytest.raises(ConfigError, match='Times has no scale and bias'):
        make_label_set(build().eval(), LABELS)


WRONG = {
    'backbone': (
        contracts.VideoEncoder,
        'drop_training_parts, embed_dim, encode_frames, forward_with_reference, image_size, '
        'learn_known, mean, num_frames, pretrained_parameter_names, std, takes_bytes, temporal',
        'BaseVideoEncoder',
    ),
    'head': (
        contracts.LabelEncoder,
        'check, embed_dim, forward_with_noise, learn_known, logit_bias, logit_scale, noise, '
        'pretrained_parameter_names, reference, template, unit_length',
        'BaseLabelEncoder',
    ),
    'scorer': (
        contracts.Scorer,
        'bias, calibrate, label_bias, scale, start_from_clip, wants_calibration',
        'BaseScorer',
    ),
}


@pytest.mark.parametrize('part', WRONG)
def test_a_wrong_part_is_told_all_that_it_lacks(part):
    contract, names, base = WRONG[part]
    assert lacking(nn.Identity(), contract) == names.split(', ')
    with pytest.raises(ConfigError) as caught:
        build(**{part: nn.Identity()})
    assert str(caught.value).startswith(f'OpenVocabRecognizer.{part}: Identity lacks {names};')
    assert base in str(caught.value)


def test_a_criterion_without_its_methods_is_no_base_loss():
    """One that says what it needs is meant as a criterion, and is not wrapped as a base loss."""
    wrong = nn.BCEWithLogitsLoss()
    wrong.needs = frozenset({'text_ref'})
    with pytest.raises(ConfigError, match='criterion: BCEWithLogitsLoss lacks set_embed_dim'):
        build(loss=wrong)


def test_an_encoder_that_forgets_its_size_is_refused():
    class Sizeless(BaseVideoEncoder):
        def forward(self, x):
            return x.mean((2, 3, 4))

    with pytest.raises(ConfigError, match='backbone: Sizeless lacks embed_dim;'):
        build(backbone=Sizeless())


@pytest.mark.parametrize(
    ('kind', 'contract', 'base'),
    [
        (TemporalCLIPBackbone, contracts.VideoEncoder, BaseVideoEncoder),
        (FeatureBackbone, contracts.VideoEncoder, BaseVideoEncoder),
        (LLMPromptHead, contracts.LabelEncoder, BasePromptHead),
        (TemplatePromptHead, contracts.LabelEncoder, BaseLabelEncoder),
        (SigmoidScorer, contracts.Scorer, BaseScorer),
        (RegularizedMultilabelLoss, contracts.Criterion, BaseCriterion),
        (OpenVocabRecognizer, contracts.Recognizer, object),
    ],
)
def test_our_own_parts_have_their_contracts_methods(kind, contract, base):
    assert issubclass(kind, base)
    methods = [n for n in lacking(object(), contract) if callable(getattr(contract, n, None))]
    assert methods
    assert not [name for name in methods if not hasattr(kind, name)]


def test_no_default_hides_a_submodule():
    """A default on a class would win over a submodule or parameter of its name."""
    backbone = Mean()
    backbone.temporal = nn.Linear(2, 2)
    assert isinstance(backbone.temporal, nn.Linear)
    scorer = Times()
    scorer.bias = nn.Parameter(torch.ones(1))
    scorer.label_bias = nn.Parameter(torch.ones(3))
    assert scorer.bias.requires_grad and scorer.label_bias.requires_grad


PARTS = {'backbone', 'head', 'scorer', 'criterion', 'data_preprocessor', 'temporal', 'model'}


def test_no_part_is_asked_what_it_has():
    """Contracts say what a part has; where code asks, some part was allowed to have less."""
    package = Path(ovmlv.__file__).parent
    asked = [
        f'{file.relative_to(package)}:{node.lineno} {ast.unparse(node)}'
        for file in package.rglob('*.py')
        if file.relative_to(package).parts[:2] not in FOREIGN
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and _asks_a_part(node)
    ]
    assert not asked


def _asks_a_part(call: ast.Call) -> bool:
    """Such as ``hasattr(model.head, 'noise')``."""
    return (
        ast.unparse(call.func) in ('hasattr', 'getattr')
        and isinstance(call.args[1], ast.Constant)
        and ast.unparse(call.args[0]).split('.')[-1] in PARTS
    )


#: Folders whose models are open_clip's or transformers' own.
FOREIGN = {('models', 'clip'), ('models', 'llm')}
