import math

import pytest
import torch

from ovmlv.errors import ConfigError
from ovmlv.label_bank.identity import EncoderIdentity
from ovmlv.models.heads import TemplatePromptHead
from ovmlv.models.heads.background import EVERYDAY, background_bias
from ovmlv.registry import MODELS
from tests.test_apis.conftest import write_softmax_clip

SHIPPED = dict(model_name='motionshapes', pretrained='motionshapes')


@pytest.fixture(scope='module')
def softmax(tmp_path_factory):
    paths = write_softmax_clip(tmp_path_factory.mktemp('clip'))
    return dict(model_name=str(paths[0]), pretrained=str(paths[1]))


def test_the_bias_by_hand():
    """Two captions at a right angle: each is the other's only rival, ``-share * scale / 2`` off."""
    assert background_bias(torch.eye(2), 10.0) == pytest.approx(0.4 * 10 / 2)
    # Captions that are all alike: the others are K - 1 equal shares.
    assert background_bias(torch.ones(9, 1), 50.0) == pytest.approx(-math.log(8))


def test_embeddings_are_measured_from_the_mean(softmax):
    plain = TemplatePromptHead(**softmax, templates=['{}', 'a photo of {}'])
    head = TemplatePromptHead(**softmax, templates=plain.templates, background=['a dog', 'the sea'])
    mean = plain(['a dog', 'the sea']).mean(0)
    torch.testing.assert_close(head(['red']), plain(['red']) - mean)
    torch.testing.assert_close(head.reference(['red']), plain(['red']))
    assert plain.logit_bias is None and plain.unit_length and not head.unit_length
    assert head.logit_bias == background_bias(plain(['a dog', 'the sea']), head.logit_scale)


def test_weights_with_a_bias_need_none():
    plain = TemplatePromptHead(**SHIPPED)
    head = TemplatePromptHead(**SHIPPED, background='everyday')
    assert head.background is None and head.unit_length and head.logit_bias == plain.logit_bias
    torch.testing.assert_close(head(['red']), plain(['red']))


def test_label_banks_tell_backgrounds_apart(softmax):
    def identity(**kwargs):
        head = TemplatePromptHead(**softmax, **kwargs)
        backbone = dict(type='TemporalCLIPBackbone', **softmax, temporal=None)
        model = dict(type='OpenVocabRecognizer', backbone=backbone, head=head)
        return EncoderIdentity.of(MODELS.build(model))

    assert identity(background='everyday') == identity(background=list(EVERYDAY))
    others = [identity(), identity(background='everyday'), identity(background=['a', 'b'])]
    assert others[0] != others[1] != others[2] != others[0]


@pytest.mark.parametrize('background', ['nothing', [], ['one']])
def test_what_is_no_background(softmax, background):
    with pytest.raises(ConfigError, match="must be 'everyday', None or a list"):
        TemplatePromptHead(**softmax, background=background)
