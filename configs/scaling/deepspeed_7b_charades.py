"""A frozen LLM of seven billion weights, spread over the GPUs of a machine by DeepSpeed (ZeRO 3).

pip install deepspeed
bash tools/dist_train.sh configs/scaling/deepspeed_7b_charades.py 8
"""

_base_ = ['../ovmlv_charades.py']

model = dict(
    head=dict(llm=dict(name='Qwen/Qwen2.5-7B'), llm_dtype='bfloat16'),
    scorer=dict(init_bias=-3.0),
    labels_per_step=None,
)

runner_type = 'FlexibleRunner'
strategy = dict(
    type='DeepSpeedStrategy',
    zero_optimization=dict(
        stage=3,
        # Small parameters stay whole: CLIP's are used outside of the modules that own them.
        stage3_param_persistence_threshold=2_000_000,
        # What of a step is in the memory of the CPU.
        overlap_comm=False,
    ),
    gradient_clipping=1.0,
    exclude_frozen_parameters=True,
)

optim_wrapper = dict(
    _delete_=True,
    type='DeepSpeedOptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, betas=(0.9, 0.98), weight_decay=0.05),
)
