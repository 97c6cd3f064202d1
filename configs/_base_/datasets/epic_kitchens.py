"""EPIC-KITCHENS-100, verbs and nouns of segments; layout: tools/data/epic_kitchens/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(
    type='EPICKitchensDataset',
    data_root='data/epic_kitchens',
    verb_file='annotations/EPIC_100_verb_classes.csv',
    noun_file='annotations/EPIC_100_noun_classes.csv',
    info_file='annotations/EPIC_100_video_info.csv',
    data_prefix=dict(video='EPIC-KITCHENS'),
    units='segment',
)
test = dict(**dataset, ann_file='annotations/EPIC_100_validation.csv')
train_dataloader = dict(dataset=dict(**dataset, ann_file='annotations/EPIC_100_train.csv'))
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

# mAP_verb and mAP_noun beside the mean over all labels
val_evaluator = dict(type='MultilabelMetric', axes=['kind'])
test_evaluator = val_evaluator
