"""Trained on Kinetics-400, tested on the 101 actions of UCF101: the mean of its three test splits.

bash tools/dist_train.sh configs/cross_dataset/kinetics400_to_ucf101.py 8
python tools/analysis_tools/run_splits.py configs/cross_dataset/kinetics400_to_ucf101.py work_dirs/kinetics400_to_ucf101/epoch_10.pth
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
        type='UCF101Dataset',
        data_root='data/ucf101',
        ann_file='ucfTrainTestlist/testlist01.txt',
        data_prefix=dict(video='UCF-101'),
        pipeline={{_base_.test_pipeline}},
        test_mode=True,
    )
)
test_evaluator = dict(_delete_=True, type='SingleLabelMetric')
# The protocol: the mean over these, each of them a test of its own.
test_splits = dict(
    split1={'test_dataloader.dataset.ann_file': 'ucfTrainTestlist/testlist01.txt'},
    split2={'test_dataloader.dataset.ann_file': 'ucfTrainTestlist/testlist02.txt'},
    split3={'test_dataloader.dataset.ann_file': 'ucfTrainTestlist/testlist03.txt'},
)

default_hooks = dict(checkpoint=dict(save_best='acc/top1', rule='greater'))
