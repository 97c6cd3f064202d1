"""HVU, all six categories; layout and sources: tools/data/hvu/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no tag here says left or right

dataset = dict(
    type='HVUDataset',
    data_root='data/hvu',
    class_file='annotations/HVU_Tags_Categories_V1.0.csv',
)
test = dict(
    **dataset, ann_file='annotations/HVU_Val_V1.0.csv', data_prefix=dict(video='videos_val')
)
train_dataloader = dict(
    dataset=dict(
        **dataset,
        ann_file='annotations/HVU_Train_V1.0.csv',
        data_prefix=dict(video='videos_train'),
    )
)
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

# mAP_object, mAP_action, ... beside the mean over all tags
val_evaluator = dict(type='MultilabelMetric', axes=['category'])
test_evaluator = dict(
    type='MultilabelMetric', axes=['category'], per_class_file='hvu_per_class.csv'
)
