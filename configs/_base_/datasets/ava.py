"""AVA v2.2 as multi-label clips of 3 s; layout and sources: tools/data/ava/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(
    type='AVADataset',
    data_root='data/ava',
    class_file='annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt',
    # Films cut to minutes 15 to 30; to open a whole one for each clip of 3 s takes far longer.
    data_prefix=dict(video='videos_15min'),
    video_start=900,
)
test = dict(
    **dataset,
    ann_file='annotations/ava_val_v2.2.csv',
    exclude_file='annotations/ava_val_excluded_timestamps_v2.2.csv',
)
train_dataloader = dict(
    dataset=dict(
        **dataset,
        ann_file='annotations/ava_train_v2.2.csv',
        exclude_file='annotations/ava_train_excluded_timestamps_v2.2.csv',
    )
)
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

val_evaluator = dict(type='MultilabelMetric')
test_evaluator = dict(type='MultilabelMetric', per_class_file='ava_per_class.csv')
