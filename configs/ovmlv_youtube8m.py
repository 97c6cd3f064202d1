"""YouTube-8M, 3,806 named entities: the label side of the method on the published features.

Videos by their ids: ``source='video'`` of :class:`YouTube8MDataset`, with the pipelines of
``_base_/loaders/clips_16x224.py``. One GPU, or several:

    python tools/train.py configs/ovmlv_youtube8m.py
"""

_base_ = [
    '_base_/models/ovmlv_youtube8m.py',
    '_base_/datasets/youtube8m.py',
    '_base_/schedules/adamw_10e.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(save_best='multilabel/GAP@20', rule='greater'))
auto_scale_lr = dict(enable=False, base_batch_size=128)
