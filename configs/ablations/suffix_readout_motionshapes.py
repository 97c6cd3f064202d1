"""The full method with learnable tokens behind the label."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(
    head=dict(
        readout=dict(type='SuffixReadout', num_tokens=5, init_text=' In other words, it shows'),
    ),
    labels_per_step=48,
)

# Gradients through the LLM take most of a step: fewer videos, and so fewer labels, a step.
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_epochs=1, val_interval=1)
auto_scale_lr = dict(base_batch_size=8)
