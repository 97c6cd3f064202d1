"""As naive finetuning, with video distillation: what the regulariser keeps."""

_base_ = ['naive_finetuning_motionshapes.py']

# As strong as the rate asks for; the full method, which leaves CLIP's blocks frozen, needs less.
model = dict(loss=dict(video_distill=0.1))
