"""Every method and every part of ours on MotionShapes, with the shipped tiny CLIP.

    python tools/data/motionshapes/generate_videos.py
    python tools/benchmark.py benchmarks/motionshapes.py --jobs 2

Each training has 600 steps at most (one row "given more time" 1,050), some 4 minutes of one core
for the full method and as much again for start and test. Where a step costs more there are fewer
epochs, so that none takes much longer; Open-VCLIP, whose interpolation computes every step twice,
takes twice that. What has nothing to train is tested once. Frames, and tokens of frozen blocks,
are kept on disk for all rows alike.
"""

reference = 'full'
cost_reference = 'vifi_clip'  # CLIP finetuned without further ado
seeds = [0, 1, 2]
options = {'model.backbone.prefix_cache_dir': 'work_dirs/benchmark/tokens'}
significance = [
    'mAP_seen_action', 'mAP_unseen_entity', 'mAP_unseen', 'mAP_novel', 'mAP_harmonic',
    'mAP_harmonic3', 'mAP',
]  # fmt: skip

_groups = {
    'not trained': [
        ('zero_shot', 'CLIP, one template', 'zeroshot'),
        ('zero_shot_ensemble', 'CLIP, ensemble of templates', 'baselines/zeroshot_ensemble'),
        ('llm_description', 'CLIP, hard LLM descriptions', 'baselines/llm_description'),
        ('llm_neighbors', 'CLIP, LLM neighbours', 'baselines/llm_neighbors'),
    ],
    'other methods': [
        ('vifi_clip', 'ViFi-CLIP', 'baselines/vifi_clip'),
        ('actionclip', 'ActionCLIP', 'baselines/actionclip'),
        ('xclip', 'X-CLIP', 'baselines/xclip'),
        ('open_vclip', 'Open-VCLIP', 'baselines/open_vclip'),
        ('froster', 'FROSTER-like distillation', 'baselines/froster'),
        ('coop', 'CoOp', 'baselines/coop'),
        ('dualcoop', 'DualCoOp', 'baselines/dualcoop'),
    ],
    'other losses': [
        ('asymmetric_loss', 'full method, asymmetric loss', 'baselines/asymmetric_loss'),
        ('two_way_loss', 'full method, two-way loss', 'baselines/two_way_loss'),
    ],
    'the method': [
        ('full', 'full method (static readout)', 'ovmlv'),
    ],
    'without its parts': [
        ('without_temporal', 'without temporal branch', 'ablations/without_temporal'),
        ('without_llm_template', 'template for the LLM', 'ablations/without_llm_template'),
        ('without_llm_coop', 'CoOp for the LLM', 'ablations/without_llm_coop'),
        ('random_llm', 'random weights of the LLM', 'ablations/random_llm'),
        ('without_gate', 'without gate on soft tokens', 'ablations/without_gate'),
        ('without_label_noise', 'without disturbed labels', 'ablations/without_label_noise'),
        ('without_label_bias', 'without bias of labels', 'ablations/without_label_bias'),
        ('without_video_distill', 'without video distillation', 'ablations/without_video_distill'),
        ('without_regularizers', 'without regularisers', 'ablations/without_regularizers'),
    ],
    'motion words weighing ten times': [
        ('motion_weight', 'full method', 'ovmlv'),
        ('motion_weight_distill', 'full method, distillation 0.1', 'ovmlv'),
        ('template_motion_weight', 'template for the LLM', 'ablations/without_llm_template'),
        (
            'template_motion_weight_distill',
            'template, distillation 0.1',
            'ablations/without_llm_template',
        ),
    ],
    'other regularisers': [
        ('with_text_distill', 'with text distillation', 'ablations/with_text_distill'),
        ('with_interpolation', 'with interpolated weights', 'ablations/with_interpolation'),
        ('with_patching', 'with patching at test', 'ablations/with_patching'),
    ],
    'other readouts of the LLM': [
        ('prefix_readout', 'prefix', 'ablations/prefix_readout'),
        ('suffix_readout', 'suffix', 'ablations/suffix_readout'),
        ('generate_readout', 'generate', 'ablations/generate_readout'),
    ],
    'finetuned spatial weights': [
        ('finetuned_last_block', 'last block of CLIP', 'ablations/finetuned_last_block'),
        ('finetuned', 'all blocks of CLIP', 'ablations/finetuned'),
    ],
    'given more time': [
        ('template_long', 'template for the LLM', 'ablations/without_llm_template'),
        ('actionclip_long', 'ActionCLIP', 'baselines/actionclip'),
        ('xclip_long', 'X-CLIP', 'baselines/xclip'),
        ('prefix_readout_long', 'prefix', 'ablations/prefix_readout'),
    ],
    'ViFi-CLIP at ten times the rate': [
        ('naive_finetuning', 'no regulariser', 'baselines/vifi_clip'),
        ('regularized_finetuning', 'video distillation', 'baselines/vifi_clip'),
    ],
}
# Epochs of 150 steps; an epoch of the full method takes a minute.
_epochs = dict(
    vifi_clip=2,
    actionclip=2,
    xclip=1,
    open_vclip=1,
    froster=1,
    prefix_readout=1,
    suffix_readout=1,
    generate_readout=1,
    with_interpolation=3,
    template_long=7,  # the full method's time
    finetuned_last_block=3,
    finetuned=1,
    naive_finetuning=2,
    regularized_finetuning=2,
)


_single = dict(actionclip_long=[0], xclip_long=[0], prefix_readout_long=[0])  # they take long
_after = dict(with_patching='full')  # the same weights, tested otherwise

# What naive finetuning forgets, and what a regulariser as strong as the rate asks for keeps.
_rate = {'optim_wrapper.paramwise_cfg.custom_keys': {'backbone.visual': dict(lr_mult=1.0)}}
# What keeps motions from being learnt is the loss of all other labels. Distillation of 0.1 in place
# of 0.015 keeps entities that the heavier motions would cost.
# Labels of training in their order: 98 entities, 12 motion words, 108 of a shape and its motion.
_motion_weight = {
    'model.loss.base': dict(
        type='MultilabelBCELoss', class_weight=[1.0] * 98 + [10.0] * 12 + [1.0] * 108
    )
}
_changes = dict(
    naive_finetuning=_rate,
    regularized_finetuning=_rate | {'model.loss.video_distill': 0.1},
    motion_weight=_motion_weight,
    motion_weight_distill=_motion_weight | {'model.loss.video_distill': 0.1},
    template_motion_weight=_motion_weight,
    template_motion_weight_distill=_motion_weight | {'model.loss.video_distill': 0.1},
)


def _options(name):
    epochs = _epochs.get(name, 4)
    length = {'train_cfg.max_epochs': epochs, 'train_cfg.val_interval': epochs}
    return length | _changes.get(name, {})


rows = [
    dict(
        name=name,
        title=title,
        group=group,
        config=f'configs/{path}_motionshapes.py',
        options={} if group == 'not trained' or name in _after else _options(name),
        after=_after.get(name, ''),
        seeds=_single.get(name, []),
    )
    for group, members in _groups.items()
    for name, title, path in members
]
