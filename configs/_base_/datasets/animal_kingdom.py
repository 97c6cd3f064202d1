"""Animal Kingdom, action recognition; layout: tools/data/animal_kingdom/README.md."""

_base_ = ['../loaders/clips_16x224.py']  # flips included: no label here says left or right

dataset = dict(
    type='AnimalKingdomDataset',
    data_root='data/animal_kingdom',
    ann_file='annotations/AR_metadata.xlsx',
    frequency_file='annotations/df_action.xlsx',
    data_prefix=dict(video='video'),
)
test = dict(**dataset, subset='test')
train_dataloader = dict(dataset=dict(**dataset, subset='train'))
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

# mAP_head, mAP_middle and mAP_tail beside the mean over all actions, as its authors report them
val_evaluator = dict(type='MultilabelMetric', axes=['frequency'])
test_evaluator = val_evaluator
