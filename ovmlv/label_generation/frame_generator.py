"""Answers about frames by a multimodal language model of transformers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ovmlv.models.vlm import VisionLanguageModel

from .row_sampling import generate_rows
from .text_generator import check_sampling, derive_seed


class FrameGenerator:
    """Answers prompts about frames, with any model of ``AutoModelForImageTextToText``.

    The same frames, prompt, seed and draw give the same answer, in whatever order and batch they
    are asked, since each has a random stream of its own.

    Args:
        name: Hub name or local folder with model and processor.
        temperature: See :class:`TextGenerator`, as for the next three.
        top_p: See there.
        max_new_tokens: See there.
        seed: See there.
        device: Device such as ``cpu`` or ``cuda``.
        dtype: Number format of the weights, such as ``bfloat16``.
    """

    def __init__(
        self,
        name: str,
        temperature: float = 0.7,
        top_p: float = 0.9,
        max_new_tokens: int = 60,
        seed: int = 0,
        device: str = 'cpu',
        dtype: str = 'float32',
    ) -> None:
        check_sampling(temperature, top_p, max_new_tokens)
        self.temperature, self.top_p = temperature, top_p
        self.max_new_tokens, self.seed = max_new_tokens, seed
        self.vlm = VisionLanguageModel(name, dtype, key='--llm').to(device)

    def __call__(self, frames: np.ndarray, prompt: str, draw: int = 0) -> str:
        """Answer a prompt about frames.

        Args:
            frames: RGB uint8 ``(T, H, W, 3)``.
            prompt: The question.
            draw: Number of the answer.
        """
        return self.answers([frames], [prompt], [draw])[0]

    def answers(
        self, videos: Sequence[np.ndarray], prompts: Sequence[str], draws: Sequence[int]
    ) -> list[str]:
        """Answer a batch in one pass.

        Args:
            videos: B arrays of RGB uint8 frames ``(T, H, W, 3)``.
            prompts: The question about each.
            draws: Number of each answer.
        """
        seeds = [
            derive_seed(self.seed, draw, prompt, video.tobytes().hex())
            for video, prompt, draw in zip(videos, prompts, draws, strict=True)
        ]
        found = generate_rows(
            self.vlm.model,
            self.vlm.inputs(videos, prompts),
            seeds,
            self.temperature,
            self.top_p,
            self.max_new_tokens,
            self.vlm.pad_token_id,
        )
        decode = self.vlm.processor.tokenizer.decode
        return [decode(row.tolist(), skip_special_tokens=True).strip() for row in found]
