"""Labels that consist of others: "a dog running" of "dog" and "running"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from mmengine.logging import MMLogger
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.labels import clean_label, unique_labels
from ovmlv.schema import label, read_object, text

_FORM = {text: [label]}
_MEND = 'write {"a dog running": ["dog", "running"]}, say'


class LabelParts:
    """Which labels consist of which others, and what that says of their probabilities.

    A video that shows a dog running shows a dog, and it shows running. One vector for a video
    cannot say who does what, so that "a person running" may seem more probable than "running",
    where training never showed the two together. With parts m of a label l, and theirs, its
    probability is ``p(l) prod_m p(m)``, which is at most that of each part: its own probability
    only says whether the parts belong together. This is ours, not the paper's.

    Args:
        parts: Label -> labels that it consists of: a mapping, or a JSON file of one. None: no label
            has parts.

    Raises:
        ConfigError: A label is a part of itself, or the mapping has another form.
        DataError: The file has another form.

    Examples:
        >>> parts = LabelParts({'a dog running': ['dog', 'running']})
        >>> parts.complete(['a dog running', 'dog'])
        ['a dog running', 'dog', 'running']
        >>> parts.join(['a dog running', 'dog'], torch.tensor([[0.9, 0.5, 0.8]]))  # all of them
        tensor([[0.3600, 0.5000]])
    """

    def __init__(self, parts: str | Mapping[str, Sequence[str]] | None = None) -> None:
        if isinstance(parts, str):
            parts = read_object(parts, _FORM, 'no file of the parts of labels', _MEND)
        given = {} if parts is None else parts
        if not isinstance(given, Mapping) or any(isinstance(v, str) for v in given.values()):
            found = str(given)[:80]
            raise ConfigError(f'label_parts={found} is no mapping of labels to lists; {_MEND}')
        self._direct = {
            clean_label(whole): unique_labels(own, f'label_parts of {whole!r}')
            for whole, own in given.items()
        }
        self._warned: set[str] = set()
        self._all = {found: self._walk(found, ()) for found in self._direct}

    def _walk(self, found: str, above: tuple[str, ...]) -> tuple[str, ...]:
        """The parts of a label and their parts, each once."""
        if found in above:
            raise ConfigError(f'label_parts: {found!r} is a part of itself; take it out of there')
        below = self._direct.get(found, ())
        deeper = (more for part in below for more in self._walk(part, (*above, found)))
        return tuple(dict.fromkeys((*below, *deeper)))

    def complete(self, labels: Sequence[str]) -> list[str]:
        """Labels, and behind them the parts of theirs that are not among them."""
        more = (part for found in labels for part in self._all.get(found, ()))
        return list(dict.fromkeys((*labels, *more)))

    def of_any(self, labels: Sequence[str]) -> bool:
        """Whether any of some labels has parts."""
        return any(found in self._all for found in labels)

    def of(self, labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """All parts of those of some labels that have any."""
        return {found: self._all[found] for found in labels if found in self._all}

    def embed(
        self,
        labels: Sequence[str],
        encode: Callable[[list[str]], Tensor],
        given: Tensor | None = None,
    ) -> Tensor:
        """Embeddings ``(N, E)`` of the labels of :meth:`complete`.

        Args:
            labels: C labels.
            encode: Gives the embeddings of any labels.
            given: Those of the C labels ``(C, E)``, if they were computed before.
        """
        names = self.complete(labels)
        if given is None:
            return encode(names)
        more = names[len(given) :]
        return torch.cat([given, encode(more).to(given)]) if more else given

    def join(self, labels: Sequence[str], alone: Tensor) -> Tensor:
        """Probabilities ``(B, C)`` of labels.

        Args:
            labels: C labels.
            alone: Probabilities ``(B, N)`` of the labels of :meth:`complete`, each by itself.
        """
        if not self.of_any(labels):
            return alone
        place = {name: i for i, name in enumerate(self.complete(labels))}
        factors = [[place[name], *(place[p] for p in self._all.get(name, ()))] for name in labels]
        width = max(map(len, factors))
        one = len(place)  # a column of ones behind the last label
        index = torch.tensor([row + [one] * (width - len(row)) for row in factors])
        padded = torch.cat([alone, torch.ones_like(alone[:, :1])], 1)
        return padded[:, index.to(alone.device)].prod(-1)

    def warn_of(self, labels: Sequence[str], where: str) -> None:
        """Log, once, how many of some labels have parts, where each is scored by itself."""
        if where in self._warned:
            return
        count = sum(found in self._all for found in labels)
        if count:
            self._warned.add(where)
            MMLogger.get_current_instance().warning(
                f'{where} scores each label by itself: model.label_parts does nothing for the '
                f'{count} of its {len(labels)} labels that have parts'
            )
