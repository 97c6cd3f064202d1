"""Kinetics-400 with generated labels beside its single one: our reading of the paper's method.

The generated labels are in ``annotations/synthetic_train.jsonl``, a row for each clip
(``{"video": "ID_000417_000427.mp4", "labels": [...], "negatives": [...]}``); see
:class:`BaseVideoDataset` and tools/data/generate_labels.py. Where a clip has no row, or its row
does not mention a label, that label is unknown. Validation is on the 400 actions.

    bash tools/dist_train.sh configs/ovmlv_kinetics400_synthetic.py 8
"""

_base_ = [
    '_base_/models/ovmlv_vit_b16.py',
    '_base_/datasets/kinetics400.py',
    '_base_/schedules/adamw_10e.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(synthetic_labels='annotations/synthetic_train.jsonl'))

default_hooks = dict(checkpoint=dict(save_best='acc/top1', rule='greater'))
