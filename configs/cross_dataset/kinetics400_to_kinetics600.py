"""Trained on Kinetics-400, tested on classes that Kinetics-600 added: the mean of three splits of 160
of its 220 new classes (Chen and Huang, ICCV 2021). Lists and class files are those of the ViFi-CLIP
repository (``labels/ZS_split1_K600.csv``, ``datasets_splits/k600_splits/ZS_split1_K600_eval.txt``).

    bash tools/dist_train.sh configs/cross_dataset/kinetics400_to_kinetics600.py 8
    python tools/analysis_tools/run_splits.py configs/cross_dataset/kinetics400_to_kinetics600.py work_dirs/kinetics400_to_kinetics600/epoch_10.pth
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
        type='KineticsDataset',
        data_root='data/kinetics600',
        ann_file='annotations/ZS_split1_K600_eval.txt',
        class_file='annotations/ZS_split1_K600.csv',
        data_prefix=dict(video=''),  # the lists have paths such as train/ID_000055_000065.mp4
        pipeline={{_base_.test_pipeline}},
        test_mode=True,
    )
)
test_evaluator = dict(_delete_=True, type='SingleLabelMetric')
# The protocol: the mean over these, each of them a test of its own.
test_splits = dict(
    split1={
        'test_dataloader.dataset.ann_file': 'annotations/ZS_split1_K600_eval.txt',
        'test_dataloader.dataset.class_file': 'annotations/ZS_split1_K600.csv',
    },
    split2={
        'test_dataloader.dataset.ann_file': 'annotations/ZS_split2_K600_eval.txt',
        'test_dataloader.dataset.class_file': 'annotations/ZS_split2_K600.csv',
    },
    split3={
        'test_dataloader.dataset.ann_file': 'annotations/ZS_split3_K600_eval.txt',
        'test_dataloader.dataset.class_file': 'annotations/ZS_split3_K600.csv',
    },
)

default_hooks = dict(checkpoint=dict(save_best='acc/top1', rule='greater'))
