"""A vision-language model as a tagger of Charades: p(yes) of a question for each label.

Nothing trains. To calibrate it like any other model:

    python tools/test.py configs/baselines/vlm_tagger_charades.py --dump charades.safetensors
    ovmlv calibrate charades.safetensors --out calibration.json
"""

_base_ = ['../_base_/datasets/charades.py', '../_base_/default_runtime.py']

model = dict(
    type='VisionLanguageTagger',
    vlm='Qwen/Qwen3-VL-2B-Instruct',  # any image-text-to-text model: hub name or folder
    vlm_dtype='bfloat16',
    questions_per_pass=64,
)

# One view of 16 frames: each label of each view costs a pass through the language model.
test_dataloader = dict(batch_size=1, dataset=dict(pipeline={{_base_.val_pipeline}}))
test_cfg = dict(type='TestLoop')
train_dataloader = val_dataloader = val_evaluator = None
