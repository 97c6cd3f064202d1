"""The method on the tiny CLIP of Toybox, with what is affordable on two cores."""

clip = dict(model_name='toybox', pretrained='toybox')

model = dict(
    type='OpenVocabRecognizer',
    backbone=dict(
        type='TemporalCLIPBackbone',
        **clip,
        num_frames=8,
        # Nothing inside the tower changes: motion is read beside it, from where it still knows places.
        # It writes where the names of things are not.
        temporal=dict(type='GridFrameTransformer', dropout=0.2, kept_share=0.975),
        trainable='temporal',
        # The tower is frozen: compute it once a video.
        prefix_cache=2048,
    ),
    head=dict(
        type='LLMPromptHead',
        **clip,
        template='a video of {}',
        llm=dict(name='smollm2'),
        # The state behind this sentence is the one whose neighbours look alike.
        readout=dict(type='StaticReadout', context='A picture of a {}. It shows a', layer=-6),
        prompter=dict(width=128, num_layers=2, residual_scale=8.0),
        # Things that CLIP knows stay; what it cannot tell in training videos moves.
        knowledge_gate=dict(),
        kept_share=0.975,
        state_adapter_width=128,
        # Of labels that training did not have, less is certain.
        label_doubt=dict(),
        memory=dict(
            known_words='data/toybox/annotations/classes.json',
            known_splits=['seen', 'unseen'],
            frequencies='toybox',
        ),
    ),
    # The tiny CLIP was trained with a sigmoid loss, so it comes with a bias that fits.
    scorer=dict(type='SigmoidScorer', init_bias='clip', label_bias=True),
    # Videos keep their places among what CLIP knows; labels that it does not know move to them.
    loss=dict(
        type='RegularizedMultilabelLoss',
        similarity_distill=1.0,
        similarity='correlation',
        ranking_distill=1.0,
    ),
    reference_vocabulary='training',
    # A step sees the labels that are true of its videos, and some of the other thousand.
    labels_per_step=192,
)
