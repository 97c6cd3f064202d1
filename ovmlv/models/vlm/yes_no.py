"""The probability that a vision-language model answers a question about frames with yes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ovmlv.errors import ConfigError

from .vision_language_model import VisionLanguageModel


class AnswerWords:
    """The first tokens of the words that mean yes and of those that mean no.

    Each word is taken as it is, capitalised, in capitals, and each with a space before it.

    Args:
        tokenizer: Tokenizer of the model.
        yes: Words that mean yes.
        no: Words that mean no.

    Attributes:
        yes: Token ids.
        no: Token ids.

    Raises:
        ConfigError: All words of one kind have no token, or those of words of the other.

    Examples:
        >>> class Letters:  # a token for each letter
        ...     unk_token_id = None
        ...     def encode(self, text, add_special_tokens):
        ...         return [ord(letter) for letter in text.strip()]
        >>> words = AnswerWords(Letters(), yes=['yes'], no=['no'])
        >>> logits = torch.zeros(1, 128)
        >>> logits[0, [ord('y'), ord('Y')]] = 2.0
        >>> words.log_odds(logits)
        tensor([2.])
    """

    def __init__(self, tokenizer: Any, yes: Sequence[str], no: Sequence[str]) -> None:
        found = [_first_tokens(tokenizer, words) for words in (yes, no)]
        both = set(found[0]) & set(found[1])  # such as a token of the space alone
        self.yes, self.no = ([token for token in ids if token not in both] for ids in found)
        if not self.yes or not self.no:
            raise ConfigError(
                f'yes={list(yes)} and no={list(no)} do not begin with different tokens of this '
                'model; give other words'
            )

    def log_odds(self, logits: Tensor) -> Tensor:
        """``log p(yes) - log p(no)`` ``(C,)`` of next-token logits ``(C, V)``."""
        logits = logits.float()
        return logits[:, self.yes].logsumexp(-1) - logits[:, self.no].logsumexp(-1)


def _first_tokens(tokenizer: Any, words: Sequence[str]) -> list[int]:
    found: dict[int, None] = {}
    for word in words:
        for form in (word, word.capitalize(), word.upper()):
            for text in (form, f' {form}'):
                ids = tokenizer.encode(text, add_special_tokens=False)
                if ids and ids[0] != tokenizer.unk_token_id:
                    found[ids[0]] = None
    return list(found)


class YesNoReader:
    """Asks questions about frames. What all questions have in common is read once.

    The frames come first in a prompt, and the questions differ in their label alone. So keys and
    values of the frames and of the words before the label are computed once for a video, and each
    label costs its own tokens. The first video is read both ways; where a family of models does not
    give the same, it reads whole prompts from then on.

    Args:
        vlm: The model.
        words: What yes and no are.
        per_pass: Questions in each pass.

    Attributes:
        shares: Whether the beginning is read once; None before two questions were asked at once.

    Examples:
        >>> vlm = VisionLanguageModel('Qwen/Qwen3-VL-2B-Instruct')  # doctest: +SKIP
        >>> words = AnswerWords(vlm.processor.tokenizer, ['yes'], ['no'])  # doctest: +SKIP
        >>> frames = np.zeros((4, 224, 224, 3), np.uint8)
        >>> questions = ['Is it dark?', 'Is there a dog?']
        >>> YesNoReader(vlm, words)(frames, questions).shape  # doctest: +SKIP
        torch.Size([2])
    """

    def __init__(self, vlm: VisionLanguageModel, words: AnswerWords, per_pass: int = 16) -> None:
        self.vlm, self.words, self.per_pass = vlm, words, per_pass
        self.shares: bool | None = None

    @torch.no_grad()
    def __call__(self, frames: np.ndarray, questions: Sequence[str]) -> Tensor:
        """``log p(yes) - log p(no)`` ``(C,)`` of C questions about frames ``(T, H, W, 3)``."""
        if len(questions) == 1:  # nothing to share
            return self._whole(frames, questions)
        if self.shares is None:
            self.shares = self._sharing_is_right(frames, questions[:2])
        read = self._shared if self.shares else self._whole
        return read(frames, questions)

    def _sharing_is_right(self, frames: np.ndarray, questions: Sequence[str]) -> bool:
        try:
            got = self._shared(frames, questions)
        except Exception:  # of any kind: foreign code that knows no such use
            return False
        near = 1e-3 if self.vlm.model.dtype == torch.float32 else 0.25
        return torch.allclose(got, self._whole(frames, questions), atol=near, rtol=near)

    def _whole(self, frames: np.ndarray, questions: Sequence[str]) -> Tensor:
        parts = []
        for start in range(0, len(questions), self.per_pass):
            chunk = questions[start : start + self.per_pass]
            inputs = self.vlm.inputs([frames] * len(chunk), chunk)
            parts.append(self.words.log_odds(self.vlm.model(**inputs).logits[:, -1]))
        return torch.cat(parts)

    def _shared(self, frames: np.ndarray, questions: Sequence[str]) -> Tensor:
        tails = self._tails(questions, len(frames))
        inputs = self.vlm.inputs([frames], questions[:1])
        length = inputs['input_ids'].shape[1]
        end = length - len(tails[0])
        if inputs['input_ids'][0, end:].tolist() != tails[0]:
            raise ConfigError('the processor changes the tokens behind the frames')
        prefix = {
            name: value[:, :end] if value.shape == (1, length) else value
            for name, value in inputs.items()
        }
        past = self.vlm.model(**prefix, use_cache=True).past_key_values
        order = sorted(range(len(tails)), key=lambda i: len(tails[i]))  # like lengths together
        out = torch.empty(len(tails), device=self.vlm.device)
        for start in range(0, len(tails), self.per_pass):
            chosen = order[start : start + self.per_pass]
            rows = [torch.tensor(tails[i]) for i in chosen]
            cache = copy.deepcopy(past)
            cache.batch_repeat_interleave(len(rows))
            # Padding behind the last token is seen by no token: the decoder is causal.
            ids = pad_sequence(rows, batch_first=True).to(self.vlm.device)
            logits = self.vlm.model(input_ids=ids, past_key_values=cache, use_cache=True).logits
            ends = torch.tensor([len(row) - 1 for row in rows], device=logits.device)
            last = logits[torch.arange(len(rows), device=logits.device), ends]
            out[torch.tensor(chosen, device=out.device)] = self.words.log_odds(last)
        return out

    def _tails(self, questions: Sequence[str], num_frames: int) -> list[list[int]]:
        """Tokens of each prompt from the first on in which they differ; at least one of each."""
        texts = [self.vlm.text(question, num_frames) for question in questions]
        tokenizer = self.vlm.processor.tokenizer
        rows = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
        same, shortest = 0, min(map(len, rows)) - 1
        while same < shortest and len({row[same] for row in rows}) == 1:
            same += 1
        return [row[same:] for row in rows]
