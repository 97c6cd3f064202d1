"""A model of ovmlv as mteb calls models."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ovmlv.apis import EncodedVideo, LoadedModel, OVMLVInferencer
from ovmlv.errors import DataError, DependencyError
from ovmlv.models.contracts import Recognizer

from .video_inputs import as_video_source


class MTEBEncoder:
    """Text and video embeddings for mteb's tasks (Enevoldsen et al., arXiv 2502.13595).

    It has mteb's ``EncoderProtocol``: ``mteb.evaluate(MTEBEncoder('ViT-B-16/openai'), tasks)``.
    Texts are encoded as labels are, and videos as the model's own test pipeline reads them, so the
    figures are those of the tagger. Similarities are dot products: of unit vectors they are
    cosines, and where a head measures labels from a background they rank as its logits do.

    Args:
        model: Whatever :func:`~ovmlv.apis.open_model` takes, or an :class:`OVMLVInferencer`.
        revision: Branch, tag or commit of a model of the hub.
        weights: See :func:`~ovmlv.apis.open_model`.
        device: Such as ``cuda:0``; None takes a GPU where there is one.
        prompt: Words that tasks put before a label and that are taken away, since heads put the
            label into templates of their own. This is ours; with an empty text nothing is taken.
        num_frames: Frames of a video, instead of the pipeline's.
        name: Name of the model in results; by default it is made of ``model``.
        **kwargs: Further arguments of :class:`OVMLVInferencer`.

    Examples:
        >>> import numpy as np
        >>> encoder = MTEBEncoder('motionshapes', device='cpu')
        >>> texts = encoder.encode([{'text': ['a video of red circle', 'star']}])
        >>> videos = encoder.encode([{'video': [np.zeros((8, 64, 64, 3), np.uint8)]}])
        >>> encoder.similarity(videos, texts).shape
        (1, 2)
        >>> encoder.probabilities(videos, texts).shape
        (1, 2)
    """

    def __init__(
        self,
        model: str | Path | Recognizer | LoadedModel | OVMLVInferencer,
        revision: str | None = None,
        *,
        weights: str | Path | None = None,
        device: str | None = None,
        prompt: str = 'a video of ',
        num_frames: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if revision is not None:
            model = f'{model}@{revision}'
        if not isinstance(model, OVMLVInferencer):
            name = name or (str(model) if isinstance(model, (str, Path)) else None)
            model = OVMLVInferencer(model, weights, device, **kwargs)
        self.inferencer: OVMLVInferencer = model
        self.prompt = prompt
        self.num_frames = num_frames
        self.name = _with_owner(name or 'model')

    def encode(self, inputs: Iterable[Mapping[str, Any]], **kwargs: Any) -> np.ndarray:  # noqa: ARG002
        """Embeddings of texts, videos or pictures.

        Args:
            inputs: Batches: ``text`` (a list of texts), ``video`` (mteb's decoders, frames
                ``(T, C, H, W)``, arrays ``(T, H, W, C)``, paths, or what ``datasets.Video`` gives
                without decoding), ``image`` (PIL). A row of several is their sum, as in mteb's own
                models.
            **kwargs: What mteb tells of the task; nothing depends on it.

        Returns:
            float32 ``(N, E)``; unit vectors but for sums and for heads with a background.

        Raises:
            DataError: A batch has none of these, or a video cannot be read.
        """
        found = [self._encode_batch(batch) for batch in inputs]
        size = int(self.inferencer.model.head.embed_dim)
        return np.concatenate(found) if found else np.zeros((0, size), np.float32)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """Dot products ``(N, M)`` of embeddings ``(N, E)`` and ``(M, E)``."""
        return _matrix(embeddings1) @ _matrix(embeddings2).T

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """Dot products ``(N,)`` of embeddings ``(N, E)`` and ``(N, E)``, row by row."""
        return (_matrix(embeddings1) * _matrix(embeddings2)).sum(1)

    @torch.no_grad()
    def probabilities(self, videos: Any, texts: Any) -> np.ndarray:
        """The model's own probabilities, calibrated where the model has a calibration.

        Args:
            videos: ``(N, E)`` from :meth:`encode`.
            texts: ``(C, E)`` likewise.

        Returns:
            float32 ``(N, C)``, each label for itself.
        """
        model = self.inferencer.model
        device = next(model.parameters()).device
        views, labels = (torch.from_numpy(_matrix(v)).float().to(device) for v in (videos, texts))
        scores = model.score_views(views[:, None], labels).float().cpu()
        if self.inferencer.calibration is not None:
            scores = self.inferencer.calibration.apply(scores)
        return scores.numpy()

    @functools.cached_property
    def mteb_model_meta(self) -> Any:
        """What mteb writes beside results: name, fingerprint, sizes.

        Raises:
            DependencyError: mteb is not installed.
        """
        try:
            from mteb.models.model_meta import ModelMeta, ScoringFunction
        except ImportError as error:
            raise DependencyError('mteb is not installed: pip install "ovmlv[mteb]"') from error
        model = self.inferencer.model
        about = dict(
            name=self.name,
            revision=self.inferencer.fingerprint,
            n_parameters=sum(p.numel() for p in model.parameters()),
            embed_dim=int(model.head.embed_dim),
            modalities=['video', 'text', 'image'],
            similarity_fn_name=ScoringFunction.DOT_PRODUCT,
            framework=['PyTorch'],
            use_instructions=False,
        )
        return ModelMeta.create_empty(overwrites=about)

    def _encode_batch(self, batch: Mapping[str, Any]) -> np.ndarray:
        parts = []
        if batch.get('text') is not None:
            parts.append(self._encode_texts(list(batch['text'])))
        pictures = [batch[kind] for kind in ('video', 'image') if batch.get(kind) is not None]
        parts += [self._encode_videos(list(videos)) for videos in pictures]
        if not parts:
            names = ', '.join(map(str, batch)) or 'nothing'
            raise DataError(
                f'a batch of mteb has {names}, and models of ovmlv take text, video and image; '
                'choose another task'
            )
        return np.stack(parts).sum(0) if len(parts) > 1 else parts[0]

    @torch.no_grad()
    def _encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        labels = [text.removeprefix(self.prompt) if self.prompt else text for text in texts]
        places = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        found = self.inferencer.model.encode_labels(list(places)).float().cpu().numpy()
        return found[[places[label] for label in labels]]

    def _encode_videos(self, videos: Sequence[Any]) -> np.ndarray:
        frames = self.num_frames or int(self.inferencer.model.backbone.num_frames)
        sources = [as_video_source(video, frames) for video in videos]
        views = []
        for video in self.inferencer.iterate_encoded(sources, num_frames=self.num_frames):
            assert isinstance(video, EncodedVideo)  # what is unread raises
            views.append(torch.from_numpy(video.embeddings[0]).mean(0))
        return F.normalize(torch.stack(views).float(), dim=-1).numpy()


def _matrix(embeddings: Any) -> np.ndarray:
    if isinstance(embeddings, Tensor):
        embeddings = embeddings.detach().cpu().float().numpy()
    return np.atleast_2d(np.asarray(embeddings, np.float32))


def _with_owner(name: str) -> str:
    """A name in mteb's form, ``owner/name``."""
    name = name.removeprefix('hf-hub:')
    return name if name.count('/') == 1 and not name.startswith('/') else f'ovmlv/{Path(name).name}'
