"""Charades with what is quoted of the paper's figure, and nothing of ours beside it.

No bias in the score, one group of soft tokens, no disturbed labels, no regulariser of labels; the
prompting transformer reads the LLM's output sequence. Widths, numbers and losses are ours, since
they are not known.
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/charades.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    head=dict(
        # Our reading of the "output token sequence": one state of the last layer for each token.
        readout=dict(type='SequenceReadout', layer=-1),
        num_groups=1,
        noise=None,
    ),
    scorer=dict(init_bias=None),
    loss=dict(text_distill=0.0),
)

default_hooks = dict(checkpoint=dict(save_best='multilabel/mAP_charades', rule='greater'))
