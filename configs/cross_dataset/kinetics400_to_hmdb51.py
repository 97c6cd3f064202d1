"""Trained on Kinetics-400, tested on the 51 actions of HMDB51: the mean of its three test splits.

bash tools/dist_train.sh configs/cross_dataset/kinetics400_to_hmdb51.py 8
python tools/analysis_tools/run_splits.py configs/cross_dataset/kinetics400_to_hmdb51.py work_dirs/kinetics400_to_hmdb51/epoch_10.pth
"""

_base_ = [
    '../_base_/models/ovmlv_vit_b16.py',
    '../_base_/datasets/kinetics400.py',
    '../_base_/schedules/adamw_10e.py',
    '../_base_/default_runtime.py',
]

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='HMDB51Dataset',
        data_root='data/hmdb51',
        ann_file='testTrainMulti_7030_splits',
        data_prefix=dict(video='videos'),
        subset='test',
        split=1,
        pipeline={{_base_.test_pipeline}},
        test_mode=True,
    )
)
test_evaluator = dict(_delete_=True, type='SingleLabelMetric')
# The protocol: the mean over these, each of them a test of its own.
test_splits = dict(
    split1={'test_dataloader.dataset.split': 1},
    split2={'test_dataloader.dataset.split': 2},
    split3={'test_dataloader.dataset.split': 3},
)

default_hooks = dict(checkpoint=dict(save_best='acc/top1', rule='greater'))
