"""CLIP as it is (Radford et al., ICML 2021): mean of its frames, an ensemble of templates."""

_base_ = ['../zeroshot_toybox.py']

model = dict(
    head=dict(
        # What the tiny CLIP's captions looked like.
        templates=[
            '{}',
            'a photo of {}',
            'a video of {}',
            'a picture of {}',
            'there is {} here',
        ],
    ),
)
