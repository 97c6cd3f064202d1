"""Training, validation, checkpoints and testing under mmengine's Runner, on real mp4 files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner

from tests.test_integration.tiny import (
    LABELS,
    UNSEEN,
    build_model,
    data_loader,
    make_batch,
    model_config,
    total,
    write_clip,
    write_videos,
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    write_videos(folder)
    return folder


def make_runner(folder: Path, work: Path, model: Any, epochs: int = 2, **kwargs: Any) -> Runner:
    test = data_loader(folder, True, batch_size=5)
    return Runner(
        model=model,
        work_dir=str(work),
        experiment_name=f'{work.parent.name}_{work.name}',
        default_scope='ovmlv',
        train_dataloader=data_loader(folder, False),
        val_dataloader=test,
        test_dataloader=kwargs.pop('test_dataloader', test),
        train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=epochs),
        val_cfg=dict(),
        test_cfg=dict(),
        val_evaluator=dict(type='MultilabelMetric'),
        test_evaluator=dict(type='MultilabelMetric'),
        optim_wrapper=kwargs.pop('optim_wrapper', dict(optimizer=dict(type='AdamW', lr=5e-3))),
        custom_hooks=[dict(type='VocabularyHook'), *kwargs.pop('hooks', [])],
        randomness=dict(seed=0),
        log_level=logging.WARNING,
        **kwargs,
    )


def test_train_save_load_and_test(folder, tmp_path):
    config = model_config(write_clip(tmp_path), loss=dict(video_distill=0.1, text_distill=0.1))
    runner = make_runner(folder, tmp_path / 'a', build_model(config), epochs=16)
    before = runner.val()
    runner.train()
    trained = runner.test()
    assert trained['multilabel/num_samples'] == 12
    assert trained['multilabel/mAP'] > before['multilabel/mAP'] + 0.1  # it learns
    scalars = runner.message_hub.log_scalars
    for name in ('loss_cls', 'loss_video_distill', 'loss_text_distill', 'scale', 'bias'):
        assert f'train/{name}' in scalars, name

    checkpoint = tmp_path / 'a' / 'epoch_16.pth'
    state = torch.load(checkpoint, weights_only=False)['state_dict']
    frozen = {n for n, p in runner.model.named_parameters() if not p.requires_grad}
    assert len(frozen) > 20 and not frozen & set(state)

    # Other seed, same frozen weights: all that was learned comes from the checkpoint.
    other = build_model(config)
    with torch.no_grad():
        for p in other.parameters():
            if p.requires_grad:
                p.add_(0.3)
    again = make_runner(folder, tmp_path / 'b', other, load_from=str(checkpoint)).test()
    assert again == pytest.approx(trained, abs=1e-6, nan_ok=True)


def test_a_test_set_with_other_labels(folder, tmp_path):
    loader = data_loader(folder, True, classes=LABELS + UNSEEN, label_set='all')
    model = build_model(model_config(write_clip(tmp_path)))
    runner = make_runner(folder, tmp_path / 'a', model, epochs=1, test_dataloader=loader)
    runner.train()
    assert runner.test()['multilabel/num_samples'] == 12
    assert model.vocabulary.labels == (*LABELS, *UNSEEN)


def test_averaged_weights_are_tested_with_their_own_label_embeddings(folder, tmp_path):
    """EMAHook swaps weights in ways that version counters do not see."""
    model = build_model(model_config(write_clip(tmp_path)))
    hooks = [dict(type='EMAHook', momentum=0.5)]
    runner = make_runner(folder, tmp_path / 'a', model, epochs=1, hooks=hooks)
    model.eval().encode_labels(LABELS)  # embeddings of the start are in the cache
    seen = []
    model.head.register_forward_hook(lambda module, args, out: seen.append(out.detach()))
    runner.train()
    averaged = seen[-1]  # of the validation at the end
    ema = next(h for h in runner.hooks if type(h).__name__ == 'EMAHook').ema_model.module
    with torch.no_grad():
        torch.testing.assert_close(averaged, ema.eval().head(LABELS), atol=1e-6, rtol=1e-5)
        assert not torch.allclose(averaged, model.eval().head(LABELS), atol=1e-6)


def test_gradient_accumulation_on_label_subsets(folder, tmp_path):
    wrapper = dict(
        accumulative_counts=2,
        clip_grad=dict(max_norm=1.0),
        optimizer=dict(type='AdamW', lr=1e-3),
    )
    model = build_model(model_config(write_clip(tmp_path), labels_per_step=3))
    runner = make_runner(folder, tmp_path / 'a', model, epochs=1, optim_wrapper=wrapper)
    runner.train()
    assert all(p.isfinite().all() for p in model.parameters())


def test_mixed_precision(tmp_path):
    """mmengine's AmpOptimWrapper needs an accelerator; this is its autocast context."""
    model = build_model(model_config(write_clip(tmp_path), loss=dict(video_distill=1.0)))
    model.set_vocabulary(LABELS)
    data = model.data_preprocessor(make_batch(3))
    exact = model(**data, mode='loss')
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(**data, mode='loss')
        scores = model.eval()(**data, mode='predict')[0].pred_score
    assert scores.dtype == torch.float32
    for name in ('loss_cls', 'loss_video_distill'):
        assert losses[name].dtype == torch.float32
        assert losses[name].item() == pytest.approx(exact[name].item(), rel=0.1, abs=0.02)
    total(losses).backward()
    for name, p in model.named_parameters():
        assert not p.requires_grad or (p.grad.dtype == p.dtype and p.grad.isfinite().all()), name


def test_several_clips_a_video(folder, tmp_path):
    loader = data_loader(folder, True)
    loader['dataset']['pipeline'][1]['num_clips'] = 3
    model = build_model(model_config(write_clip(tmp_path), views_per_pass=4))
    runner = make_runner(folder, tmp_path / 'a', model, test_dataloader=loader)
    assert runner.test()['multilabel/num_samples'] == 12
