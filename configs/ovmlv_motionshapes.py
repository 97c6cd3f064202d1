_base_ = [
    '_base_/models/ovmlv_motionshapes.py',
    '_base_/datasets/motionshapes.py',
    '_base_/default_runtime.py',
    '_base_/schedules/adamw_6e_two_cores.py',
]
