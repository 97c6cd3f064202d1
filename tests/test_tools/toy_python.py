"""toy_config.py in mmengine's pure Python style: classes in place of names."""

from mmengine.dataset import DefaultSampler, pseudo_collate
from mmengine.hooks import CheckpointHook
from torch.optim import AdamW
from toy_parts import ToyDataset, ToyModel

from ovmlv.engine.hooks import StepSeedHook

model = dict(type=ToyModel)
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    dataset=dict(type=ToyDataset),
    sampler=dict(type=DefaultSampler, shuffle=True),
    collate_fn=dict(type=pseudo_collate),
)
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(optimizer=dict(type=AdamW, lr=0.01))
default_hooks = dict(checkpoint=dict(type=CheckpointHook, interval=1))
custom_hooks = [dict(type=StepSeedHook)]
