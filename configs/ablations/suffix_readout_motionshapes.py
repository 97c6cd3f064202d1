"""The full method with learnable tokens behind the label."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(
    head=dict(
        readout=dict(type='SuffixReadout', num_tokens=5, init_text=' In other words, it shows'),
    ),
    labels_per_step=48,
)

# Gradients through the LLM take most of a step: fewer labels a step, and fewer steps in the time.
train_cfg = dict(max_epochs=2, val_interval=2)
