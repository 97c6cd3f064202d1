"""OpenVocabRecognizer on small encoders: loss, prediction, vocabularies, errors."""

import copy
import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce, normalize

from ovmlv.errors import ConfigError, DataError, VocabularyError
from ovmlv.models.heads.label_noise import LabelNoise
from ovmlv.models.losses import AsymmetricLoss, MultilabelBCELoss, RegularizedMultilabelLoss
from ovmlv.models.losses.distances import ranking_distance, similarity_distance


def logits_by_hand(model, inputs, labels):
    video = normalize(model.backbone(inputs.flatten(0, 1)), dim=-1)
    return video @ model.head(labels).T * model.scorer.log_scale.exp() + model.scorer.bias


def test_loss_is_the_formula(make_model, make_batch, labels):
    model = make_model(scorer=dict(init_bias=-2.0))
    model.set_vocabulary(dict(classes=labels))
    inputs, samples = make_batch()
    losses = model(inputs, samples, mode='loss')
    targets = torch.stack([s.gt_label for s in samples])
    known = targets >= 0
    expected = bce(logits_by_hand(model, inputs, labels)[known], targets[known].float())
    assert losses['loss_cls'].item() == pytest.approx(expected.item(), rel=1e-5)
    assert losses['scale'].item() == pytest.approx(20) and losses['bias'].item() == -2


def test_views_are_trained_on_as_videos(make_model, make_batch, labels):
    model = make_model(scorer=dict(init_bias=0.0))
    model.set_vocabulary(labels)
    inputs, samples = make_batch(views=3)
    several = model(inputs, samples, mode='loss')['loss_cls']
    each = [model(inputs[:, i : i + 1], samples, mode='loss')['loss_cls'] for i in range(3)]
    assert several.item() == pytest.approx(torch.stack(each).mean().item(), rel=1e-5)


def test_all_regularisers_get_what_they_need(make_model, make_batch, labels):
    loss = dict(video_distill=1.0, text_distill=1.0, similarity_distill=1.0, weight_l2=1.0)
    model = make_model(loss=loss, reference_vocabulary=['House', 'DOG', 'tree', 'river'])
    model.set_vocabulary(labels)
    inputs, samples = make_batch()
    out = model(inputs, samples, mode='loss')
    assert {k for k in out if 'loss' in k} == {
        'loss_cls',
        'loss_video_distill',
        'loss_text_distill',
        'loss_similarity_distill',
        'loss_weight_l2',
    }
    assert out['loss_weight_l2'].item() == 0
    with torch.no_grad():
        model.backbone.layer.weight += 0.5
    assert model(inputs, samples, mode='loss')['loss_weight_l2'].item() == pytest.approx(64 * 0.25)
    video, video_ref = model.backbone.forward_with_reference(inputs.flatten(0, 1))
    criterion = RegularizedMultilabelLoss(**loss)
    expected = criterion(
        torch.zeros(4, 6),
        torch.zeros(4, 6),
        video=video,
        video_ref=video_ref,
        text=model.head(labels),
        text_ref=model.head.reference(labels),
        reference_vocab=model.head.reference(['House', 'tree', 'river']),
        drift=torch.zeros(()),
    )
    for name in ('video_distill', 'text_distill', 'similarity_distill'):
        assert model(inputs, samples, mode='loss')[name].item() == pytest.approx(
            expected[name].item(), rel=1e-4
        )


def test_disturbed_labels_shall_keep_their_embedding(make_model, make_batch, labels):
    model, (inputs, samples) = make_model(scorer=dict(init_bias=0.0)), make_batch()
    model.set_vocabulary(labels)
    plain = model(inputs, samples, mode='loss')
    head = model.head
    clean = head(labels).detach().requires_grad_()
    index = torch.tensor([2, 0])
    noisy = torch.nn.functional.normalize(torch.randn(2, clean.shape[1]), dim=1).requires_grad_()
    head.noise = LabelNoise(weight=0.5)
    head.forward_with_noise = lambda asked: (clean, index, noisy)
    losses = model(inputs, samples, mode='loss')
    distance = 1 - (noisy * clean[index]).sum(1)
    torch.testing.assert_close(losses['loss_label_consistency'], 0.5 * distance.mean())
    torch.testing.assert_close(losses['loss_cls'], plain['loss_cls'])
    losses['loss_label_consistency'].backward()
    assert clean.grad is None and noisy.grad.abs().min() > 0


def test_nothing_is_computed_for_terms_that_are_off(make_model, make_batch, labels, monkeypatch):
    model = make_model()
    model.set_vocabulary(labels)
    for part, name in ((model.backbone, 'forward_with_reference'), (model.head, 'reference')):
        monkeypatch.setattr(part, name, None)  # calling it would fail
    assert model.start_weights is None
    assert [k for k in model(*make_batch(), mode='loss') if 'loss' in k] == ['loss_cls']


def test_start_weights_are_in_no_checkpoint(make_model):
    model = make_model(loss=dict(weight_l2=0.1))
    assert model.start_weights.names == ('layer.weight', 'layer.bias')
    assert not any('start' in key for key in model.state_dict())


def test_start_weights_stay_when_the_runner_initialises_again(make_model):
    model = make_model(loss=dict(weight_l2=0.1))
    model.init_weights()
    with torch.no_grad():
        model.backbone.layer.weight += 0.5
    model.init_weights()
    assert model.start_weights.drift(model.backbone).item() == pytest.approx(64 * 0.25)


def test_the_first_bias_puts_the_mean_probability_at_the_prior(make_model, make_batch, labels):
    model = make_model()
    prior = [0.1, 0.3, math.nan, 0.2, 0.1, 0.3]
    model.set_vocabulary(dict(classes=labels, label_prior=prior))
    inputs, samples = make_batch()
    model(inputs, samples, mode='loss')
    known = torch.stack([s.gt_label for s in samples]) >= 0
    assert logits_by_hand(model, inputs, labels).sigmoid()[known].mean().item() == pytest.approx(
        0.2, rel=1e-4
    )


def test_without_a_prior_the_batch_stands_in(make_model, make_batch, labels):
    model = make_model()
    model.set_vocabulary(labels)
    inputs, samples = make_batch()
    model(inputs, samples, mode='loss')
    targets = torch.stack([s.gt_label for s in samples])
    mean = logits_by_hand(model, inputs, labels).sigmoid()[targets >= 0].mean().item()
    assert mean == pytest.approx(targets[targets >= 0].float().mean().item(), rel=1e-4)


def test_a_base_loss_alone_will_do(make_model, make_batch, labels):
    model = make_model(loss=dict(type='AsymmetricLoss', clip=0.1), scorer=dict(init_bias=0.0))
    model.set_vocabulary(labels)
    inputs, samples = make_batch()
    expected = AsymmetricLoss(clip=0.1)(
        logits_by_hand(model, inputs, labels), torch.stack([s.gt_label for s in samples])
    )
    assert model(inputs, samples, mode='loss')['loss_cls'].item() == pytest.approx(
        expected.item(), rel=1e-5
    )


def test_label_subsets_hold_the_positives_and_follow_the_seed(make_model, make_batch):
    names = [f'label {i}' for i in range(50)]
    model = make_model(labels_per_step=8)
    model.set_vocabulary(dict(classes=names))
    inputs, samples = make_batch(classes=50)
    for sample in samples:
        sample.gt_label.clamp_(max=0)[::17] = 1
    positive = {names[i] for i in range(0, 50, 17)}
    batches = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        assert model(inputs, samples, mode='loss')['loss_cls'].isfinite()
        batches.append(model.head.batches[-1])
    assert batches[0] == batches[1] != batches[2]
    assert all(positive < set(batch) and len(batch) == 8 for batch in batches)
    model.eval()
    assert len(model(inputs, samples, mode='predict')[0].pred_score) == 50


@pytest.mark.parametrize('average', ['score', 'embedding', 'probability'])
@pytest.mark.parametrize('views_per_pass', [None, 5])
def test_views_are_averaged(average, views_per_pass, make_model, make_batch, labels):
    model = make_model(
        average_views=average, views_per_pass=views_per_pass, scorer=dict(init_bias=-1.0)
    ).eval()
    model.set_vocabulary(labels)
    inputs, samples = make_batch(views=3)
    with torch.no_grad():
        scores = torch.stack([s.pred_score for s in model(inputs, samples, mode='predict')])
        video = torch.stack([normalize(model.backbone(inputs[:, i]), dim=-1) for i in range(3)])
        if average == 'embedding':
            video = normalize(video.mean(0), dim=-1)[None]
        logits = video @ model.head(labels).T
        expected = {
            'score': lambda: (20 * logits.mean(0) - 1).sigmoid(),
            'embedding': lambda: (20 * logits[0] - 1).sigmoid(),
            'probability': lambda: (20 * logits - 1).sigmoid().mean(0),
        }[average]()
    assert torch.allclose(scores, expected, atol=1e-5)


def test_predictions_keep_the_samples_and_can_be_made_again(make_model, make_batch, labels):
    model = make_model().eval()
    inputs, samples = make_batch()
    for names in (labels, labels[:2]):
        model.set_vocabulary(names)
        out = model(inputs, samples, mode='predict')
        assert [s.sample_idx for s in out] == [0, 1, 2, 3]
        assert all(len(s.pred_score) == len(names) == s.num_classes for s in out)
        assert all(torch.equal(a.gt_label, b.gt_label) for a, b in zip(out, samples, strict=True))
    assert len(model(inputs, mode='predict')) == 4
    score = model(inputs, mode='predict')[0].pred_score
    assert score.device.type == 'cpu' and not score.requires_grad


def test_convenience_functions_agree_with_prediction(make_model, make_batch, labels):
    model = make_model().eval()
    model.set_vocabulary(labels)
    inputs, samples = make_batch()
    expected = torch.stack([s.pred_score for s in model(inputs, samples, mode='predict')])
    assert torch.allclose(model.predict_labels(inputs, labels), expected, atol=1e-6)
    video, text = model.encode_videos(inputs), model.encode_labels(labels)
    assert torch.allclose(model.scorer(video @ text.T).sigmoid(), expected, atol=1e-5)
    assert torch.equal(model(inputs), video) and torch.allclose(video.norm(dim=1), torch.ones(4))
    pixels = torch.randint(0, 256, inputs.shape, dtype=torch.uint8)
    normalised = model.data_preprocessor(dict(inputs=pixels))['inputs']
    assert torch.equal(model.encode_videos(pixels), model.encode_videos(normalised))
    assert torch.equal(model.predict_labels(pixels, ['x']), model.predict_labels(normalised, ['x']))


def test_given_label_embeddings_replace_the_head(make_model, make_batch, labels):
    model = make_model().eval()
    inputs, _ = make_batch()
    expected = model.predict_labels(inputs, labels)
    embeddings = model.encode_labels(labels)
    model.head.batches.clear()
    model.set_vocabulary(labels, embeddings=embeddings)
    scores = torch.stack([s.pred_score for s in model(inputs, mode='predict')])
    assert torch.allclose(scores, expected, atol=1e-6) and not model.head.batches


def test_the_preprocessor_takes_the_backbones_statistics(make_model):
    assert make_model().data_preprocessor.mean.flatten().tolist() == pytest.approx([0.5, 0.4, 0.3])
    own = make_model(data_preprocessor=dict(mean=[0.1] * 3, std=[0.2] * 3))
    assert own.data_preprocessor.mean.flatten().tolist() == pytest.approx([0.1] * 3)


def test_loss_on_other_weights_by_functional_call(make_model, make_batch, labels):
    """What interpolated-weight regularisation needs: gradients reach the weights it mixes."""
    model = make_model(loss=dict(weight_l2=1.0), scorer=dict(init_bias=0.0))
    model.set_vocabulary(labels)
    inputs, samples = make_batch()
    start = {n: p.detach().clone() for n, p in model.named_parameters()}
    mixed = {n: 0.3 * start[n] + 0.7 * (p + 0.1) for n, p in model.named_parameters()}
    out = torch.func.functional_call(model, mixed, (inputs, samples), dict(mode='loss'))
    other = copy.deepcopy(model)
    other.load_state_dict({**other.state_dict(), **{n: p.detach() for n, p in mixed.items()}})
    expected = other(inputs, samples, mode='loss')
    assert out['loss_cls'].item() == pytest.approx(expected['loss_cls'].item(), rel=1e-5)
    assert out['weight_l2'].item() == pytest.approx(72 * 0.07**2, rel=1e-3)
    (out['loss_cls'] + out['loss_weight_l2']).backward()
    (expected['loss_cls'] + expected['loss_weight_l2']).backward()
    theirs = dict(other.named_parameters())
    for name, p in model.named_parameters():
        if p.requires_grad:
            assert torch.allclose(p.grad, 0.7 * theirs[name].grad, atol=1e-5), name


def test_autocast_keeps_scores_in_float32(make_model, make_batch, labels):
    model = make_model()
    model.set_vocabulary(labels)
    inputs, samples = make_batch()
    plain = model(inputs, samples, mode='loss')['loss_cls']
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = model(inputs, samples, mode='loss')['loss_cls']
        scores = model.eval()(inputs, samples, mode='predict')[0].pred_score
    assert mixed.dtype == scores.dtype == torch.float32
    assert mixed.item() == pytest.approx(plain.item(), rel=0.05)
    mixed.backward()


def test_unprefixed_names_are_ours_in_another_projects_scope(make_model):
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('mmaction'):
        model = make_model(
            loss=dict(type='RegularizedMultilabelLoss', base=dict(type='MultilabelBCELoss'))
        )
    assert isinstance(model.criterion.base, MultilabelBCELoss)


def test_the_vocabulary_must_be_set(make_model, make_batch):
    for mode in ('loss', 'predict'):
        with pytest.raises(VocabularyError, match='no vocabulary is set; add custom_hooks'):
            make_model()(*make_batch(), mode=mode)


def test_targets_must_fit_the_vocabulary(make_model, make_batch, labels):
    model = make_model()
    model.set_vocabulary(labels[:4])
    with pytest.raises(
        VocabularyError, match='0.mp4 has gt_label of 6 labels but the vocabulary has 4'
    ):
        model(*make_batch(), mode='loss')
    inputs, samples = make_batch()
    del samples[1].gt_label
    model.set_vocabulary(labels)
    with pytest.raises(VocabularyError, match='1.mp4 has no gt_label'):
        model(inputs, samples, mode='loss')


@pytest.mark.parametrize(
    ('metainfo', 'message'),
    [
        (dict(), "no 'classes'"),
        ([], 'is empty'),
        ('dog', r"write \['dog'\]"),
        (['dog', ' '], 'entry 2'),
        (['dog', 3], 'entry 2'),
        (['dog', 'cat', 'dog'], "'dog' occurs twice"),
    ],
)
def test_wrong_vocabularies_are_named(metainfo, message, make_model):
    with pytest.raises(VocabularyError, match=message) as error:
        make_model().set_vocabulary(metainfo)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(labels_per_step=0), 'labels_per_step=0'),
        (dict(average_views='max'), "average_views='max' is not one of"),
        (dict(loss=dict(similarity_distill=1.0)), 'need reference_vocabulary'),
        (dict(loss=dict(similarity_distill=1.0), reference_vocabulary=['one']), 'has 1 labels'),
    ],
)
def test_wrong_settings_are_named(config, message, make_model):
    with pytest.raises(ConfigError, match=message):
        make_model(**config)


def test_encoders_of_different_clips_are_refused(make_model):
    model = make_model()
    model.head.embed_dim = 512
    with pytest.raises(ConfigError, match='embeddings of 8 and the head of 512'):
        type(model)(model.backbone, model.head)


def test_weight_l2_needs_finetuned_weights(make_model):
    model = make_model()
    model.backbone.layer.requires_grad_(False)
    with pytest.raises(ConfigError, match='no pretrained weight is finetuned'):
        type(model)(model.backbone, model.head, loss=dict(weight_l2=1.0))


def test_a_reference_vocabulary_of_training_labels_is_refused(make_model, make_batch, labels):
    model = make_model(
        loss=dict(similarity_distill=1.0), reference_vocabulary=['Dog', 'CAT ', 'river']
    )
    model.set_vocabulary(labels)
    with pytest.raises(ConfigError, match='1 of 3 labels are no training labels'):
        model(*make_batch(), mode='loss')


def test_training_labels_as_reference_vocabulary(make_model, make_batch, labels):
    """As the frozen CLIP embeds them; other labels are other references."""
    model = make_model(loss=dict(similarity_distill=1.0), reference_vocabulary='training')
    inputs, samples = make_batch()
    video, video_ref = model.backbone.forward_with_reference(inputs.flatten(0, 1))
    found = []
    for training in (labels, [f'{label} again' for label in labels]):
        model.set_vocabulary(training)
        expected = similarity_distance(video, video_ref, model.head.reference(training), 'kl', 0.01)
        found.append(model(inputs, samples, mode='loss')['similarity_distill'].item())
        assert found[-1] == pytest.approx(expected.item(), rel=1e-5)
    assert found[0] > 0 and found[1] != pytest.approx(found[0], rel=1e-3)


def test_labels_count_in_the_ranking_as_they_are_known(make_model, make_batch, labels):
    """Where the reference vocabulary is other labels, nothing is known of them."""
    inputs, samples = make_batch()
    known = torch.linspace(0, 1, len(labels))
    known[0], heard = torch.nan, known.clone()
    heard[0] = known[1:].mean()
    others = ['river', 'house', 'mountain']
    for reference, words, weight in (('training', labels, heard), (others, others, None)):
        model = make_model(loss=dict(ranking_distill=1.0), reference_vocabulary=reference)
        model.set_vocabulary(labels)
        model.learn_known(known)
        video, video_ref = model.backbone.forward_with_reference(inputs.flatten(0, 1))
        expected = ranking_distance(video, video_ref, model.head.reference(words), weight)
        found = model(inputs, samples, mode='loss')['ranking_distill']
        assert found.item() == pytest.approx(expected.item(), rel=1e-5) and found > 0.01


def test_a_reference_vocabulary_from_a_file(make_model, tmp_path):
    file = tmp_path / 'words.txt'
    file.write_text('river\n\nhouse\n', encoding='utf-8-sig')
    model = make_model(loss=dict(similarity_distill=1.0), reference_vocabulary=str(file))
    assert model.reference_vocabulary == ('river', 'house')
    file.write_text('river\n\nhouse\nriver\n', encoding='utf-8')
    with pytest.raises(VocabularyError, match="words.txt: label 'river' occurs twice"):
        make_model(loss=dict(similarity_distill=1.0), reference_vocabulary=str(file))
    with pytest.raises(DataError, match='none.txt not found'):
        make_model(
            loss=dict(similarity_distill=1.0), reference_vocabulary=str(tmp_path / 'none.txt')
        )
