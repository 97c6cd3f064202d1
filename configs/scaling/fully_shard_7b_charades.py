"""A frozen LLM of seven billion weights, spread over the GPUs of a machine (FSDP2).

    bash tools/dist_train.sh configs/scaling/fully_shard_7b_charades.py 8
    bash tools/dist_test.sh configs/scaling/fully_shard_7b_charades.py work_dirs/.../epoch_30.pth 8

With one process the same config trains on one device. docs/large_models.md has the memory that it
takes, by formula. It was not run on GPUs by us; a tiny variant of it is trained in the tests.
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/charades.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

default_hooks = dict(
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,  # epochs
        max_keep_ckpts=3,
        save_best='multilabel/mAP_charades',  # kept beside the last three
        rule='greater',
    ),
)

model = dict(
    backbone=dict(prefix_cache=0.0),  # what one process keeps the others would compute
    head=dict(
        # The middle layer is read: 14 of 28 blocks run, and the others are not kept.
        llm=dict(name='Qwen/Qwen2.5-7B'),
        llm_dtype='bfloat16',
    ),
    # Each of 8 GPUs encodes 12 of the 96 labels of a step.
    shard_labels=True,
)

runner_type = 'FlexibleRunner'
strategy = dict(type='FullyShardStrategy')

optim_wrapper = dict(
    _delete_=True,
    # bfloat16 needs no scaling of the loss, and sharded gradients would need another scaler.
    type='AutocastOptimWrapper',
    dtype='auto',
    optimizer=dict(type='AdamW', lr=2e-4, betas=(0.9, 0.98), weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={
            'head.readout': dict(lr_mult=5.0, decay_mult=0.0),
            'scorer': dict(lr_mult=10.0, decay_mult=0.0),
        },
    ),
    clip_grad=dict(max_norm=1.0),
)
