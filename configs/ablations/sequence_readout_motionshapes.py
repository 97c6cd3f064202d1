"""The full method with the LLM's output for every token, those of the prefix included."""

_base_ = ['../ovmlv_motionshapes.py']

model = dict(
    head=dict(
        readout=dict(
            _delete_=True,
            type='SequenceReadout',
            num_tokens=8,
            init_text='In other words, a video shows a',
        ),
    ),
    labels_per_step=48,
)

# Gradients through the LLM take most of a step: fewer labels a step, and fewer steps in the time.
train_cfg = dict(max_epochs=2, val_interval=2)
