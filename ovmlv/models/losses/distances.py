"""Distances between a model in training and the frozen CLIP that it started from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ovmlv.errors import ConfigError

DISTANCES = ('cosine', 'l2', 'l1')
SIMILARITIES = ('kl', 'mse', 'correlation')


def embedding_distance(embeddings: Tensor, reference: Tensor, kind: str) -> Tensor:
    """Mean distance of embeddings from their references.

    Args:
        embeddings: ``(N, E)`` embeddings; they are brought to unit length.
        reference: ``(N, E)`` references; they are brought to unit length and get no gradient.
        kind: Distance: ``cosine`` is ``1 - u.v``; ``l2`` is ``|u - v|^2`` (twice that); ``l1`` is
            ``sum |u - v|``.

    Returns:
        A scalar.
    """
    u = F.normalize(_at_least_float32(embeddings), dim=-1)
    v = F.normalize(_at_least_float32(reference.detach()), dim=-1)
    if kind == 'cosine':
        return (1 - (u * v).sum(-1)).mean()
    if kind == 'l2':
        return (u - v).square().sum(-1).mean()
    if kind == 'l1':
        return (u - v).abs().sum(-1).mean()
    raise ConfigError(f'distance={kind!r} is not one of {", ".join(DISTANCES)}')


def similarity_distance(
    video: Tensor, video_ref: Tensor, vocab: Tensor, kind: str, temperature: float
) -> Tensor:
    """How far a video's similarities to a reference vocabulary are from the frozen model's.

    Args:
        video: ``(B, E)`` embeddings of videos; they are brought to unit length.
        video_ref: ``(B, E)`` embeddings of the frozen model; they get no gradient.
        vocab: ``(R, E)`` label embeddings of the frozen model; they get no gradient.
        kind: Distance: ``kl`` is the Kullback-Leibler divergence of the softmax of
            ``similarity / temperature`` over the vocabulary from the frozen model's, as a mean over
            videos; ``mse`` is the mean squared difference of ``similarity / temperature``;
            ``correlation`` is one minus Pearson's correlation of a video's similarities with the
            frozen model's, as a mean over videos: it holds the order and the relative gaps, and
            knows no temperature.
        temperature: Softmax temperature; CLIP's own is 0.01.

    Returns:
        A scalar.
    """
    student, teacher = (x / temperature for x in _similarities(video, video_ref, vocab))
    if kind == 'kl':
        return F.kl_div(
            student.log_softmax(-1), teacher.log_softmax(-1), reduction='batchmean', log_target=True
        )
    if kind == 'mse':
        return (student - teacher).square().mean()
    if kind == 'correlation':
        return (1 - _correlation(student, teacher, dim=1)).mean()
    raise ConfigError(f'similarity={kind!r} is not one of {", ".join(SIMILARITIES)}')


def ranking_distance(
    video: Tensor, video_ref: Tensor, vocab: Tensor, weight: Tensor | None = None
) -> Tensor:
    """How far a label's similarities to the videos of a batch are from the frozen model's.

    One minus Pearson's correlation over the videos, as a mean over labels. Average precision asks
    in which order a label puts the videos; what a video adds to all its similarities disturbs that,
    and no distance within the video sees it. This is ours, not the paper's.

    Args:
        video: ``(B, E)`` embeddings of videos; they are brought to unit length. One alone has no
            order: its distance is 0.
        video_ref: ``(B, E)`` embeddings of the frozen model; they get no gradient.
        vocab: ``(R, E)`` label embeddings of the frozen model; they get no gradient.
        weight: Weights of the mean over labels, ``(R,)``, at least 0.

    Returns:
        A scalar.
    """
    student, teacher = _similarities(video, video_ref, vocab)
    if len(student) < 2:
        return student.sum() * 0
    each = 1 - _correlation(student, teacher, dim=0)
    if weight is None:
        return each.mean()
    weight = weight.to(each)
    return (weight * each).sum() / weight.sum().clamp(min=1e-6)


def _similarities(video: Tensor, video_ref: Tensor, vocab: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines ``(B, R)`` of the videos, and those of the frozen model without gradient."""
    v, reference, t = (
        F.normalize(_at_least_float32(x), dim=-1)
        for x in (video, video_ref.detach(), vocab.detach())
    )
    return v @ t.T, reference @ t.T


def _correlation(first: Tensor, second: Tensor, dim: int) -> Tensor:
    """Pearson's correlation along a dimension."""
    first, second = (x - x.mean(dim, keepdim=True) for x in (first, second))
    return F.cosine_similarity(first, second, dim=dim)


def structure_distance(
    video: Tensor,
    video_ref: Tensor,
    text: Tensor,
    text_ref: Tensor,
    anchors: Tensor,
    temperature: float,
) -> Tensor:
    """How far videos and labels are from their places relative to each other in the frozen model.

    A video and a label are compared through the anchors ``o_k``, unit vectors that belong to no
    training label: ``r(v, l) = sum_k (v.o_k)(o_k.l)``. The distance is the Kullback-Leibler
    divergence of ``softmax_l(r / temperature)`` from the frozen model's, as a mean over videos. For
    anchors that are an orthonormal basis, ``r`` is the cosine.

    This is relative structure distillation of TACO (Zhu et al., arXiv 2606.25478), after the code
    that its authors published, where the anchors are 200 random directions of each step.

    Args:
        video: ``(B, E)`` embeddings of videos; they are brought to unit length, as all others.
        video_ref: ``(B, E)`` embeddings of the frozen model; they get no gradient.
        text: ``(C, E)`` embeddings of labels.
        text_ref: ``(C, E)`` embeddings of the frozen model; they get no gradient.
        anchors: ``(K, E)``.
        temperature: Softmax temperature; CLIP's own is 0.01.

    Returns:
        A scalar.
    """
    o = F.normalize(_at_least_float32(anchors.detach()), dim=-1)

    def relations(videos: Tensor, labels: Tensor) -> Tensor:
        v = F.normalize(_at_least_float32(videos), dim=-1)
        t = F.normalize(_at_least_float32(labels), dim=-1)
        return ((v @ o.T) @ (o @ t.T) / temperature).log_softmax(-1)

    teacher = relations(video_ref.detach(), text_ref.detach())
    return F.kl_div(relations(video, text), teacher, reduction='batchmean', log_target=True)


def random_anchors(count: int, like: Tensor) -> Tensor:
    """Random unit vectors ``(count, E)`` of torch's global stream, for embeddings ``(B, E)``."""
    drawn = torch.randn(count, like.shape[-1], device=like.device, dtype=torch.float32)
    return F.normalize(drawn.to(torch.promote_types(like.dtype, torch.float32)), dim=-1)


def _at_least_float32(x: Tensor) -> Tensor:
    return x if x.itemsize >= 4 else x.float()
