"""The shipped tiny CLIP of Toybox: what it has read, and what it sees."""

import numpy as np
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

from ovmlv.datasets.toybox.assets import concepts
from ovmlv.datasets.toybox.render import render
from ovmlv.datasets.toybox.scene import sample_image
from ovmlv.datasets.toybox.words import all_labels, words_of
from ovmlv.files import read_json
from ovmlv.models.clip.architecture import SHIPPED
from ovmlv.models.clip.loading import load_clip
from ovmlv.models.heads import TemplatePromptHead


def test_no_novel_word_was_in_a_caption_and_every_known_one_was():
    read = set(read_json(SHIPPED / 'toybox.frequencies.json'))
    known = [label for label in all_labels() if label.split != 'novel']
    words = set().union(*(words_of(label.text) for label in known if label.kind == 'entity'))
    assert words <= read
    for label in all_labels():
        if label.split == 'novel':
            assert not words_of(label.text) <= read, label.text


@torch.no_grad()
def test_it_names_what_it_was_shown():
    """Of 307 names, that of a single thing is among the first ten more often than not."""
    rng = np.random.default_rng(0)
    known = {label.text for label in all_labels() if label.split != 'novel'}
    names = [c.name if c.name in known else f'an unread {i}' for i, c in enumerate(concepts())]
    images, truth = [], []
    while len(images) < 48:
        scene = sample_image(rng, extent=64, counts=(1.0,))
        if names[scene.actors[0].thing] in known:
            images.append(render(scene, rng)[0])
            truth.append(scene.actors[0].thing)
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))
    visual = load_clip('toybox', 'toybox', part='vision').visual.eval()
    head = TemplatePromptHead('toybox', 'toybox', templates=['a video of {}'])
    scores = torch.nn.functional.normalize(visual((pixels - mean) / std), dim=-1) @ head(names).T
    ranks = (scores > scores.gather(1, torch.tensor(truth)[:, None])).sum(1)
    assert (ranks < 10).float().mean() > 0.5
