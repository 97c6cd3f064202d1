"""Embeddings of labels by frozen models, to find synonyms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from ovmlv.models.heads import TemplatePromptHead
from ovmlv.models.llm import CausalLLM


def clip_embedder(
    model_name: str, pretrained: str | None = None, template: str = 'a video of {}'
) -> Callable[[list[str]], np.ndarray]:
    """Function from labels to unit vectors of CLIP's text tower.

    Args:
        model_name: Architecture of open_clip, or a JSON file of ours.
        pretrained: Its weights: a tag, or a local file.
        template: Sentence around each label.
    """
    head = TemplatePromptHead(model_name, pretrained, templates=[template])
    return lambda labels: head.reference(labels).float().cpu().numpy()


def llm_embedder(
    name: str = 'smollm2', context: str = 'A video of'
) -> Callable[[list[str]], np.ndarray]:
    """Function from labels to unit vectors of a language model.

    A vector is the mean of the middle layer over the label's tokens, minus the mean over all
    labels, since all states of a language model point in one direction. The context takes the first
    place of the text, since the state there says nothing about its word.

    Args:
        name: See :class:`~ovmlv.models.llm.CausalLLM`.
        context: Words before each label.
    """
    llm = CausalLLM(name)
    llm.select_layer(None)

    @torch.no_grad()
    def embed(labels: list[str]) -> np.ndarray:
        head = llm.tokenize([context])[0]
        rows = []
        for ids in llm.tokenize([f' {label}' for label in labels]):
            states = llm(llm.embed(torch.tensor([head + ids]))).states
            rows.append(states[0, len(head) :].mean(0).float())
        vectors = torch.stack(rows)
        return F.normalize(vectors - vectors.mean(0), dim=-1).numpy()

    return embed
