"""The terms of RegularizedMultilabelLoss, one by one and together."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from ovmlv.errors import ConfigError
from ovmlv.models.losses import MultilabelBCELoss, RegularizedMultilabelLoss
from ovmlv.models.losses.distances import ranking_distance, structure_distance
from ovmlv.registry import MODELS


def unit(*shape):
    return torch.nn.functional.normalize(torch.randn(*shape, dtype=torch.float64), dim=-1)


@pytest.fixture
def inputs():
    torch.manual_seed(0)
    return dict(
        video=unit(4, 6),
        video_ref=unit(4, 6),
        text=unit(5, 6),
        text_ref=unit(5, 6),
        reference_vocab=unit(8, 6),
        drift=torch.tensor(3.5, dtype=torch.float64),
    )


@pytest.fixture
def batch():
    torch.manual_seed(1)
    return torch.randn(4, 5, dtype=torch.float64), torch.randint(-1, 2, (4, 5))


def cosine(u, v):
    u, v = u.numpy(), v.numpy()
    return (u * v).sum(-1) / np.linalg.norm(u, axis=-1) / np.linalg.norm(v, axis=-1)


def test_without_regularisers_it_is_the_base_loss(batch):
    loss = RegularizedMultilabelLoss()
    out = loss(*batch)
    assert loss.needs == frozenset() and list(out) == ['loss_cls']
    assert torch.equal(out['loss_cls'], MultilabelBCELoss()(*batch))


@pytest.mark.parametrize(
    'base', ['MultilabelBCELoss', 'AsymmetricLoss', 'MultilabelFocalLoss', 'TwoWayLoss']
)
def test_all_base_losses_by_config(base, batch):
    expected = MODELS.build(dict(type=base))(*batch)
    out = MODELS.build(dict(type='RegularizedMultilabelLoss', base=dict(type=base), loss_weight=2))(
        *batch
    )
    assert torch.allclose(out['loss_cls'], 2 * expected)


def test_base_settings_reach_the_base_loss_without_a_type(batch):
    assert (
        RegularizedMultilabelLoss(base=dict(reduction='sum_per_sample')).base.reduction
        == 'sum_per_sample'
    )


@pytest.mark.parametrize(
    ('distance', 'closed'),
    [
        ('cosine', lambda u, v: (1 - cosine(u, v)).mean()),
        ('l2', lambda u, v: (np.linalg.norm(u.numpy() - v.numpy(), axis=1) ** 2).mean()),
        ('l1', lambda u, v: np.abs(u.numpy() - v.numpy()).sum(1).mean()),
    ],
)
def test_embedding_terms(distance, closed, batch, inputs):
    loss = RegularizedMultilabelLoss(video_distill=0.3, text_distill=0.7, distance=distance)
    assert loss.needs == {'video_ref', 'text_ref'}
    out = loss(*batch, **inputs)
    assert out['loss_video_distill'].item() == pytest.approx(
        0.3 * closed(inputs['video'], inputs['video_ref'])
    )
    assert out['loss_text_distill'].item() == pytest.approx(
        0.7 * closed(inputs['text'], inputs['text_ref'])
    )
    assert out['video_distill'].item() == pytest.approx(
        closed(inputs['video'], inputs['video_ref'])
    )


def test_similarity_term_is_scipys_relative_entropy(batch, inputs):
    loss = RegularizedMultilabelLoss(similarity_distill=2.0, temperature=0.1)
    assert loss.needs == {'video_ref', 'reference_vocab'}
    out = loss(*batch, **inputs)

    def softmax(videos):
        z = np.exp(videos.numpy() @ inputs['reference_vocab'].numpy().T / 0.1)
        return z / z.sum(1, keepdims=True)

    expected = entropy(softmax(inputs['video_ref']), softmax(inputs['video']), axis=1).mean()
    assert out['loss_similarity_distill'].item() == pytest.approx(2 * expected)
    mse = RegularizedMultilabelLoss(similarity_distill=2.0, temperature=0.1, similarity='mse')
    gap = (
        (inputs['video'] - inputs['video_ref']).numpy() @ inputs['reference_vocab'].numpy().T / 0.1
    )
    assert mse(*batch, **inputs)['loss_similarity_distill'].item() == pytest.approx(
        2 * (gap**2).mean()
    )


def test_correlation_term_is_numpys(batch, inputs):
    vocabulary = inputs['reference_vocab'].numpy().T
    pairs = zip(inputs['video'].numpy() @ vocabulary, inputs['video_ref'].numpy() @ vocabulary)
    expected = np.mean([1 - np.corrcoef(*pair)[0, 1] for pair in pairs])
    assert 0.1 < expected < 1.9
    for temperature in (0.01, 1.0):
        loss = RegularizedMultilabelLoss(
            similarity_distill=2.0, temperature=temperature, similarity='correlation'
        )
        out = loss(*batch, **inputs)
        assert out['similarity_distill'].item() == pytest.approx(expected, rel=1e-5)
        same = loss(*batch, **{**inputs, 'video_ref': inputs['video']})
        assert same['similarity_distill'].item() == pytest.approx(0, abs=1e-6)


def test_ranking_term_is_numpys_correlation_over_videos(batch, inputs):
    """What a video adds to all its similarities is seen here, and within a video is not."""
    vocabulary = inputs['reference_vocab'].numpy().T
    pairs = list(
        zip((inputs['video'].numpy() @ vocabulary).T, (inputs['video_ref'].numpy() @ vocabulary).T)
    )
    each = np.array([1 - np.corrcoef(*pair)[0, 1] for pair in pairs])
    known = np.linspace(0, 1, len(each))
    assert each.min() > 0.01
    loss = RegularizedMultilabelLoss(ranking_distill=2.0)
    assert loss.needs == {'video_ref', 'reference_vocab'}
    out = loss(*batch, **inputs)
    assert out['ranking_distill'].item() == pytest.approx(each.mean(), rel=1e-5)
    assert out['loss_ranking_distill'].item() == pytest.approx(2 * each.mean(), rel=1e-5)
    weighed = loss(*batch, **inputs, reference_known=torch.tensor(known))
    expected = (known * each).sum() / known.sum()
    assert weighed['ranking_distill'].item() == pytest.approx(expected, rel=1e-5)
    same = loss(*batch, **{**inputs, 'video_ref': inputs['video']})
    assert same['ranking_distill'].item() == pytest.approx(0, abs=1e-6)


def test_one_video_and_unknown_labels_rank_nothing(inputs):
    one = {name: inputs[name][:1].clone() for name in ('video', 'video_ref')}
    one['video'].requires_grad_()
    alone = ranking_distance(**one, vocab=inputs['reference_vocab'])
    alone.backward()
    assert alone.item() == 0 and not one['video'].grad.any()
    nothing = torch.zeros(len(inputs['reference_vocab']))
    video, reference = inputs['video'], inputs['video_ref']
    assert ranking_distance(video, reference, inputs['reference_vocab'], nothing).item() == 0


def softmax(z):
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def test_structure_distance_is_scipys_relative_entropy_of_relations(inputs):
    v, v_ref, t, t_ref = (inputs[k] for k in ('video', 'video_ref', 'text', 'text_ref'))
    anchors = unit(7, 6)

    def relations(videos, labels):
        found = np.zeros((len(videos), len(labels)))
        for b, video in enumerate(videos.numpy()):
            for c, label in enumerate(labels.numpy()):
                found[b, c] = sum((video @ o) * (o @ label) for o in anchors.numpy())
        return softmax(found / 0.1)

    expected = entropy(relations(v_ref, t_ref), relations(v, t), axis=1).mean()
    got = structure_distance(3 * v, 2 * v_ref, 5 * t, t_ref, anchors, 0.1)  # lengths do not matter
    assert got.item() == pytest.approx(expected)


def test_structure_distance_of_a_basis_compares_cosines(inputs):
    """Any rotation of the whole space is no distance; a rotation of the videos alone is one."""
    v, v_ref, t, t_ref = (inputs[k] for k in ('video', 'video_ref', 'text', 'text_ref'))
    basis = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64)).Q
    expected = entropy(
        softmax(v_ref.numpy() @ t_ref.numpy().T / 0.1),
        softmax(v.numpy() @ t.numpy().T / 0.1),
        axis=1,
    ).mean()
    assert structure_distance(v, v_ref, t, t_ref, basis, 0.1).item() == pytest.approx(expected)
    turn = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64)).Q
    both = structure_distance(v_ref @ turn, v_ref, t_ref @ turn, t_ref, basis, 0.1)
    assert both.item() == pytest.approx(0, abs=1e-9)
    assert structure_distance(v_ref @ turn, v_ref, t_ref, t_ref, basis, 0.1) > 0.1


def test_structure_term_draws_its_anchors_in_each_step(batch, inputs):
    loss = RegularizedMultilabelLoss(structure_distill=0.4, temperature=0.1, num_anchors=9)
    assert loss.needs == {'video_ref', 'text_ref'}
    torch.manual_seed(3)
    first, second = loss(*batch, **inputs), loss(*batch, **inputs)
    assert first['structure_distill'] != second['structure_distill']
    torch.manual_seed(3)
    again = loss(*batch, **inputs)['loss_structure_distill']
    torch.manual_seed(3)
    anchors = torch.nn.functional.normalize(torch.randn(9, 6).double(), dim=-1)
    names = ('video', 'video_ref', 'text', 'text_ref')
    expected = structure_distance(*(inputs[name] for name in names), anchors, 0.1)
    assert (
        again.item()
        == pytest.approx(0.4 * expected.item())
        == first['loss_structure_distill'].item()
    )
    with pytest.raises(ConfigError, match='structure_distill=0.4 needs text='):
        loss(*batch, **{**inputs, 'text': None})


def test_weight_term(batch, inputs):
    loss = RegularizedMultilabelLoss(weight_l2=0.1)
    assert loss.needs == {'drift'}
    assert loss(*batch, drift=inputs['drift'])['loss_weight_l2'].item() == pytest.approx(0.35)


@pytest.mark.parametrize(
    'config',
    [
        dict(video_distill=1.0),
        dict(text_distill=1.0, distance='l2'),
        dict(video_distill=1.0, distance='l1'),
        dict(similarity_distill=1.0, temperature=0.2),
        dict(similarity_distill=1.0, similarity='mse', temperature=0.5),
        dict(structure_distill=1.0, temperature=0.2),
    ],
)
def test_gradients_equal_finite_differences_and_spare_the_references(config, batch, inputs):
    loss = RegularizedMultilabelLoss(**config)
    names = ('video', 'text')
    trained = [inputs[name].clone().requires_grad_() for name in names]

    def total(*embeddings):
        torch.manual_seed(2)  # the same anchors each time
        out = loss(*batch, **{**inputs, **dict(zip(names, embeddings, strict=True))})
        return sum(value for key, value in out.items() if 'loss' in key)

    assert torch.autograd.gradcheck(total, trained)
    inputs = {name: value.requires_grad_() for name, value in inputs.items()}
    total(inputs['video'], inputs['text']).backward()
    references = ('video_ref', 'text_ref', 'reference_vocab')
    assert all(inputs[name].grad is None for name in references)


def test_no_distance_where_the_model_has_not_moved(batch, inputs):
    terms = ('video_distill', 'text_distill', 'similarity_distill', 'structure_distill')
    loss = RegularizedMultilabelLoss(**dict.fromkeys(terms, 1.0))
    inputs['video_ref'], inputs['text_ref'] = inputs['video'].clone(), inputs['text'].clone()
    inputs['video'].requires_grad_()
    out = loss(*batch, **inputs)
    for name in terms:
        assert abs(out[f'loss_{name}'].item()) < 1e-12
    out['loss_video_distill'].backward()
    assert inputs['video'].grad.abs().max() < 1e-12


def test_mmengine_adds_up_the_weighted_terms_only(batch, inputs):
    from mmengine.model import BaseModel

    class Model(BaseModel):
        def forward(self, inputs, data_samples=None, mode='tensor'):
            return None

    loss = RegularizedMultilabelLoss(
        video_distill=0.5, text_distill=0.5, similarity_distill=0.5, weight_l2=0.5
    )
    out = loss(*batch, **inputs)
    total, log = Model().parse_losses(out)
    weighted = [
        'loss_cls',
        'loss_video_distill',
        'loss_text_distill',
        'loss_similarity_distill',
        'loss_weight_l2',
    ]
    assert total.item() == pytest.approx(sum(out[name].item() for name in weighted))
    assert set(log) == {'loss', *weighted, *(name.removeprefix('loss_') for name in weighted[1:])}


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(video_distill=-1.0), 'video_distill=-1.0 must be a number >= 0'),
        (dict(weight_l2='big'), "weight_l2='big' must be a number"),
        (dict(distance='l3'), "distance='l3' is not one of cosine, l2, l1"),
        (dict(similarity='js'), "similarity='js' is not one of"),
        (dict(temperature=0), 'temperature=0 must be positive'),
        (dict(num_anchors=0), 'num_anchors=0 must be at least 1'),
    ],
)
def test_wrong_settings_are_named(config, message):
    with pytest.raises(ConfigError, match=message):
        RegularizedMultilabelLoss(**config)


def test_a_missing_input_is_named(batch):
    with pytest.raises(ValueError, match='video_distill=1.0 needs video_ref=...; pass it'):
        RegularizedMultilabelLoss(video_distill=1.0)(*batch, video=torch.ones(4, 2))


def test_foreign_base_losses_work_but_not_on_subsets(batch):
    logits, targets = batch
    loss = RegularizedMultilabelLoss(base=torch.nn.MultiLabelSoftMarginLoss())
    targets = targets.clamp(min=0)
    expected = MultilabelBCELoss()(logits, targets)  # the same formula where all is known
    assert torch.allclose(loss(logits, targets)['loss_cls'], expected)
    with pytest.raises(ConfigError, match='labels_per_step=None'):
        loss(logits, targets, columns=torch.arange(5))


def test_residual_adapter_stands_between_the_embeddings_and_the_frozen_ones():
    """FROSTER: d(z + 0.1 W_2 gelu(W_1 z), frozen z), where W_2 starts at zero."""
    torch.manual_seed(0)
    loss = RegularizedMultilabelLoss(
        video_distill=2.0, text_distill=1.0, distance='l2', residual_adapter=True
    )
    z, reference, labels = (unit(3, 8).float() for _ in range(3))
    inputs = dict(video=z, video_ref=reference, text=labels, text_ref=labels)
    logits, targets = torch.zeros(3, 3), torch.ones(3, 3)
    with pytest.raises(ValueError, match='set_embed_dim'):
        loss(logits, targets, **inputs)
    loss.set_embed_dim(8)
    assert set(loss.adapters) == {'video_distill', 'text_distill'}
    plain = RegularizedMultilabelLoss(video_distill=2.0, text_distill=1.0, distance='l2')
    expected = plain(logits, targets, **inputs)
    for name, value in loss(logits, targets, **inputs).items():
        torch.testing.assert_close(value, expected[name])
    adapter = loss.adapters['video_distill']
    adapter.outer.weight.data.normal_()
    inner = adapter.inner.weight @ z.T
    inner = 0.5 * inner * (1 + torch.erf(inner / 2**0.5))
    moved = torch.nn.functional.normalize(z + 0.1 * (adapter.outer.weight @ inner).T, dim=-1)
    out = loss(logits, targets, **inputs)
    expected = 2 * (moved - reference).square().sum(1).mean()
    torch.testing.assert_close(out['loss_video_distill'], expected)
    assert out['loss_text_distill'].item() == pytest.approx(0.0, abs=1e-6)
    out['loss_video_distill'].backward()
    assert adapter.inner.weight.grad.any() and adapter.outer.weight.grad.any()
