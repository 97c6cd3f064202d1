"""The full method with our reading of the paper's prefixes: learnable tokens before the label.

Memory, gate, adapter and doubt compare the states of a fixed sentence, so there is none of them.
"""

_base_ = ['../ovmlv_toybox.py']

model = dict(
    head=dict(
        readout=dict(
            _delete_=True,
            type='PrefixReadout',
            num_tokens=8,
            init_text='In other words, a picture shows a',
        ),
        memory=None,
        knowledge_gate=None,
        state_adapter_width=0,
        label_doubt=None,
    ),
    labels_per_step=48,
)

# Gradients through the LLM take most of a step: fewer labels a step, and fewer steps in the time.
train_cfg = dict(max_epochs=6, val_interval=6)
