"""The full method with soft tokens that the LLM generates one after the other."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(
    head=dict(
        readout=dict(
            type='GenerateReadout',
            num_tokens=8,
            init_text='In other words, a video shows a',
            num_steps=3,
            feedback='projection',
        ),
    ),
    labels_per_step=48,
)

# Gradients through the LLM take most of a step: fewer labels a step, and fewer steps in the time.
train_cfg = dict(max_epochs=2, val_interval=2)
