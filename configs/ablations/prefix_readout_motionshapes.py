"""The full method with our reading of the paper's prefixes: learnable tokens before the label."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(
    head=dict(
        readout=dict(
            type='PrefixReadout', num_tokens=8, init_text='In other words, a video shows a'
        ),
    ),
    labels_per_step=48,
)

# Gradients through the LLM take most of a step: fewer labels a step, and fewer steps in the time.
train_cfg = dict(max_epochs=2, val_interval=2)
