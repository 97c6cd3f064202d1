"""A vision-language model as a tagger: p(yes) of a question for each label, whose scale and bias are
trained as those of all other models.
"""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(
    _delete_=True,
    type='VisionLanguageTagger',
    vlm='Qwen/Qwen3-VL-2B-Instruct',  # any image-text-to-text model: hub name or folder
    questions_per_pass=64,
    labels_per_step=32,
)

# Two numbers need few videos, and each step asks 32 questions about each of them.
train_dataloader = dict(batch_size=8)
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=50, val_interval=50)
