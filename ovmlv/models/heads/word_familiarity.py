"""How well CLIP knows a label, by how often its captions held the label's words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.files import text_digest
from ovmlv.models.clip.architecture import SHIPPED
from ovmlv.schema import number, read_object, text

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


class WordFamiliarity(nn.Module):
    """Tells in how far a label is new to CLIP: ``half_count / (half_count + n)``.

    n is how often the label's rarest word was in CLIP's captions, so that one word that CLIP never
    read makes the label new (1), and a label whose words CLIP read thousands of times is known
    (about 0). This is ours, not the paper's.

    Args:
        frequencies: A JSON file ``{word: how often it was read}``, the name of a shipped CLIP
            (``toybox``), or such a mapping; words are compared in lower case. With None, words of
            ``known_labels`` are known for certain, and others are new.
        half_count: n at which a label counts as half new.
        known_labels: Labels that CLIP reads well.

    Raises:
        ConfigError: ``half_count`` is not positive.
        DataError: The file cannot be read, or holds something else.
    """

    def __init__(
        self,
        frequencies: str | Mapping[str, float] | None,
        half_count: float,
        known_labels: Collection[str] = (),
    ) -> None:
        super().__init__()
        if not half_count > 0:
            raise ConfigError(f'head.memory.half_count={half_count} must be positive')
        self.half_count = half_count
        if frequencies is None:
            known = {word: float('inf') for label in known_labels for word in words_of(label)}
        elif isinstance(frequencies, str):
            form = {text: _frequency}
            shipped = SHIPPED / f'{frequencies}.frequencies.json'
            frequencies = str(shipped) if shipped.is_file() else frequencies
            mend = 'give {"word": how often CLIP read it, ...}'
            known = read_object(frequencies, form, 'no file of word frequencies', mend)
        else:
            known = dict(frequencies)
        self._counts = {word.lower(): count for word, count in known.items()}
        #: What the counts are, under the argument's name: it is part of the encoder's identity.
        self.frequencies = text_digest(repr(sorted(self._counts.items())))[:16]

    def unknown_share(self, labels: Collection[str]) -> Tensor:
        """In how far each label is new, ``(C,)`` in [0, 1]; a label without letters is new."""
        rarest = [
            min((self._counts.get(word, 0.0) for word in words_of(label)), default=0.0)
            for label in labels
        ]
        return self.half_count / (self.half_count + torch.tensor(rarest, dtype=torch.float32))


def words_of(label: str) -> list[str]:
    """The words of a label in lower case, in any script."""
    return _WORD.findall(label.lower())


def _frequency(value: object) -> bool:
    return number(value) and value >= 0  # type: ignore[operator]  # a number
