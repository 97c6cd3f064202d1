"""PE-Core, SigLIP 2 and MobileCLIP 2 as video taggers, against open_clip's own model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

from ovmlv.apis import open_model
from ovmlv.apis.zero_shot import TEMPLATES, zero_shot_config
from ovmlv.datasets import ResizeFrames
from ovmlv.errors import VocabularyError
from ovmlv.models.clip.architecture import find_architecture
from ovmlv.models.heads import CoOpPromptHead, TemplatePromptHead
from ovmlv.models.heads.background import EVERYDAY, background_bias
from tests.test_models.test_clip.test_text_tower import local_tokenizer

LABELS = ['cat', 'riding a red bicycle', 'hello!']
HALF, NONE = ((0.5,) * 3, (0.5,) * 3), ((0.0,) * 3, (1.0,) * 3)
#: Name in open_clip -> tag, mean and deviation of pixels, tokens of a text.
FACTS = {
    'PE-Core-T-16-384': ('meta', HALF, 32),
    'PE-Core-B-16': ('meta', HALF, 32),
    'PE-Core-bigG-14-448': ('meta', HALF, 72),
    'ViT-B-16-SigLIP2': ('webli', HALF, 64),
    'ViT-SO400M-14-SigLIP2-378': ('webli', HALF, 64),
    'MobileCLIP2-S0': ('dfndr2b', NONE, 77),
    'MobileCLIP2-B': ('dfndr2b', NONE, 77),
}
#: The true image towers where they are small; SigLIP 2's own are not, so a tiny one of its form.
VISION = {'ViT-B-16-SigLIP2': dict(timm_model_name='test_vit3', image_size=160)}
SMALL = ['PE-Core-T-16-384', 'ViT-B-16-SigLIP2', 'MobileCLIP2-S0']


def test_what_is_known_of_their_weights():
    for name, (tag, pixels, length) in FACTS.items():
        architecture = find_architecture(name)
        assert architecture.tags == [tag] and architecture.normalization(tag) == pixels
        assert architecture.config['text_cfg']['context_length'] == length


@pytest.mark.parametrize(
    ('name', 'size'),
    [
        ('PE-Core-B-16/meta', [224, 224]),
        ('PE-Core-L-14-336/meta', [336, 336]),
        ('ViT-B-16-SigLIP2/webli', [224, 224]),
        ('ViT-B-16-SigLIP/webli', [224, 224]),
        ('MobileCLIP2-S0/dfndr2b', None),
        ('ViT-B-16/openai', None),
        ('motionshapes', None),
    ],
)
def test_frames_are_squashed_or_cropped_as_the_weights_pictures_were(name, size):
    steps = {step['type'].split('.')[-1]: step for step in zero_shot_config(name).test_pipeline}
    assert steps.get('ResizeFrames', {}).get('size') == size
    tag = name.partition('/')[2]
    if tag:
        config = open_clip.get_pretrained_cfg(name.partition('/')[0], tag)
        assert (config.get('resize_mode') == 'squash') == (size is not None)


def test_squashed_frames_are_those_of_open_clip():
    """A wide picture with an edge at its side, which a crop would not see."""
    picture = np.zeros((60, 160, 3), np.uint8)
    picture[:, 140:] = (250, 120, 30)
    config = open_clip.get_pretrained_cfg('PE-Core-B-16', 'meta')
    transform = open_clip.image_transform(
        64, is_train=False, mean=(0, 0, 0), std=(1, 1, 1),
        resize_mode=config['resize_mode'], interpolation='bicubic',
    )  # fmt: skip
    expected = transform(Image.fromarray(picture)).permute(1, 2, 0).numpy() * 255
    found = ResizeFrames(size=64)(dict(imgs=[picture]))['imgs'][0]
    assert np.abs(found.astype(float) - expected).max() <= 1.5


def write(name: str, folder: Any, whole: bool) -> tuple[str, str, Any, Any]:
    """JSON and weights of random numbers, and open_clip's model and tokenizer of these."""
    config = json.loads(json.dumps(open_clip.get_model_config(name)))
    if not whole:
        config['text_cfg'].update(width=32, heads=2, layers=2)
        if name in VISION:
            config['vision_cfg'].update(VISION[name])
            config['embed_dim'] = 96
    mean, std = FACTS[name][1]
    if config['text_cfg'].get('hf_tokenizer_name'):
        tokenizer = local_tokenizer(config['text_cfg'], folder)
        config['text_cfg']['hf_tokenizer_name'] = 'tokenizer'
    else:
        tokenizer = open_clip.SimpleTokenizer(context_length=FACTS[name][2])
    path, weights = folder / 'clip.json', folder / 'clip.safetensors'
    path.write_text(json.dumps({**config, 'preprocess_cfg': dict(mean=mean, std=std)}))
    config.pop('custom_text')
    torch.manual_seed(0)
    model = open_clip.model.CustomTextCLIP(**config).eval()
    with torch.no_grad():
        model.text.token_embedding.weight.normal_(std=0.3)
        model.text.positional_embedding.normal_(std=0.3)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, weights)
    return str(path), str(weights), model, tokenizer


def check(name: str, folder: Any, whole: bool) -> None:
    """Probabilities of an opened model equal those that open_clip's own functions give."""
    path, weights, theirs, tokenizer = write(name, folder, whole)
    ours = open_model(path, weights, 'cpu')
    size = ours.backbone.image_size
    assert size == theirs.visual.image_size
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (1, 3, 2, *size), dtype=torch.uint8, generator=generator)
    mean, std = (torch.tensor(v)[:, None, None, None] for v in FACTS[name][1])

    def encode(texts: Any) -> torch.Tensor:
        rows = [tokenizer([t.format(text) for t in TEMPLATES]) for text in texts]
        parts = [theirs.encode_text(row, normalize=True).mean(0) for row in rows]
        return F.normalize(torch.stack(parts), dim=-1)

    with torch.no_grad():
        images = ((frames.float() / 255 - mean) / std)[0].transpose(0, 1)
        video = F.normalize(theirs.encode_image(images).mean(0, keepdim=True), dim=-1)
        scale, text, bias = float(theirs.logit_scale.exp()), encode(LABELS), theirs.logit_bias
        if bias is None:
            background = encode(EVERYDAY)
            text = text - background.mean(0)
            bias = background_bias(background, scale)
        wanted = (scale * video @ text.T + bias).sigmoid()
    found = ours.predict_labels(frames[:, None], LABELS)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    assert float(wanted.max() - wanted.min()) > 1e-6, 'labels must differ, or nothing is compared'
    assert type(ours.head) is TemplatePromptHead
    assert ours.head.text_tower.context_length == FACTS[name][2]


@pytest.mark.parametrize('name', SMALL)
def test_probabilities_are_those_of_open_clip(name, tmp_path):
    check(name, tmp_path, whole=False)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['PE-Core-T-16-384', 'MobileCLIP2-S0'])
def test_whole_architectures_as_well(name, tmp_path):
    check(name, tmp_path, whole=True)


def test_labels_beyond_the_32_tokens_of_pe_core(tmp_path):
    """A start and an end take two, learned tokens take theirs, and nothing is cut in silence."""
    path, weights, theirs, tokenizer = write('PE-Core-T-16-384', tmp_path, whole=False)
    head = TemplatePromptHead(path, weights, templates=['a video of {}'])
    fits, long = ' '.join(['red'] * 27), ' '.join(['red'] * 28)
    with torch.no_grad():
        text = theirs.encode_text(tokenizer([f'a video of {fits}']), normalize=True)
    torch.testing.assert_close(head([fits]), text, atol=1e-5, rtol=0)
    with pytest.raises(VocabularyError, match=r'needs 31 tokens, .* has room for 30') as caught:
        head.check([long])
    assert '\n' not in str(caught.value)
    cut = TemplatePromptHead(path, weights, templates=['a video of {}'], truncate=True)
    with pytest.warns(UserWarning, match='from 31 to 30 tokens'):
        shortened = cut([long])
    torch.testing.assert_close(shortened, head([fits]), atol=1e-5, rtol=0)
    learned = CoOpPromptHead(path, weights, template='a video that shows {} in it')
    with pytest.raises(VocabularyError, match='needs 25 tokens, .* has room for 24'):
        learned.check([' '.join(['red'] * 25)])
    assert learned([' '.join(['red'] * 24)]).shape == (1, theirs.text.output_dim)
