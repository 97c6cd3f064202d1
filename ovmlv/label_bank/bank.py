"""Labels that were encoded once, to score videos against any number of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ovmlv.errors import ConfigError, DataError, VocabularyError
from ovmlv.labels import check_labels, unique_labels
from ovmlv.labels.likeness import Duplicate, Neighbour, find_duplicates, likeness
from ovmlv.models.contracts import Recognizer
from ovmlv.models.recognizers.batch import unit
from ovmlv.results import LabelScore

from .files import INDEX, LabelBlock, read_block, read_index, write_bank
from .identity import EncoderIdentity

#: Labels that are scored at once: 16,384 x 512 floats are 32 MB.
_CHUNK = 16384


class LabelBank:
    """Labels with their embeddings by one label encoder.

    Probabilities are those of ``model.predict_labels``, since the model's scorer makes them. A
    loaded bank stays in its files, which are mapped into memory one part at a time, so a bank may
    be larger than the memory.

    Args:
        encoder: Identity of the label encoder that made the embeddings.
        blocks: Labels with embeddings; no label may occur twice.

    Examples:
        >>> from ovmlv.apis import open_model
        >>> model = open_model('motionshapes', device='cpu')
        >>> bank = LabelBank.build(model, ['red circle', 'blue square'])
        >>> bank.add(['red circle', 'green star'], model)
        ('green star',)
        >>> bank.labels, bank.embeddings().shape
        (('red circle', 'blue square', 'green star'), torch.Size([3, 128]))
    """

    def __init__(self, encoder: EncoderIdentity, blocks: Iterable[LabelBlock] = ()) -> None:
        self.encoder = encoder
        self.revision = 0
        self._blocks: list[LabelBlock] = []
        self._row: dict[str, int] = {}
        for block in blocks:
            self._append(block)

    @classmethod
    def build(
        cls,
        model: Recognizer,
        labels: Iterable[str],
        folder: str | Path | None = None,
        chunk_size: int = 4096,
        progress: bool = False,
    ) -> LabelBank:
        """Encode labels, none of them twice.

        Args:
            model: A model from :func:`~ovmlv.apis.init_recognizer`.
            labels: Any texts.
            folder: Folder in which the bank is saved after every chunk. If a build was interrupted,
                the same call encodes only the missing labels.
            chunk_size: Number of labels in a chunk.
            progress: Whether to show a bar, if this is a terminal.
        """
        names = _names(labels)
        bank = cls(EncoderIdentity.of(model))
        if folder is not None and (Path(folder) / INDEX).is_file():
            bank = cls.load(folder, model)
            wanted = set(names)
            other = next((label for label in bank.labels if label not in wanted), None)
            if other is not None:
                raise DataError(
                    f'{folder} has a label bank with {other!r}, which is none of the labels; give '
                    'another folder, or load it and add to it'
                )
        bank.add(names, model, folder, chunk_size, progress)
        return bank

    @classmethod
    def load(
        cls, folder: str | Path, model: Recognizer | None = None, verify: bool = True
    ) -> LabelBank:
        """Open a bank that was saved.

        Args:
            folder: Folder of the bank.
            model: Model whose label encoder must be that of the bank; a bank of another one is
                refused.
            verify: Whether to compare the checksums of all files, which takes 2 s for a million
                labels of 512 numbers.

        Raises:
            CheckpointError: Another label encoder made it.
            DataError: A file is missing, cut short or altered.
        """
        folder = Path(folder)
        encoder, chunks = read_index(folder)
        if model is not None:
            encoder.check(EncoderIdentity.of(model), f'label bank {folder}')
        size = encoder.embed_dim
        return cls(encoder, (read_block(folder, entry, verify, size) for entry in chunks))

    def save(self, folder: str | Path) -> Path:
        """Write the bank into a folder; an earlier bank there is replaced as a whole."""
        written = write_bank(Path(folder), self.encoder, self._blocks)
        # Files of an earlier bank in this folder are gone; all else stays where it is.
        self._blocks = [
            new if old.path is not None and not old.path.exists() else old
            for old, new in zip(self._blocks, written, strict=True)
        ]
        return Path(folder)

    def __len__(self) -> int:
        return len(self._row)

    def __contains__(self, label: object) -> bool:
        return label in self._row

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of the columns of :meth:`probabilities`."""
        return tuple(self._row)

    @property
    def blocks(self) -> tuple[LabelBlock, ...]:
        """The labels as they are kept, in order."""
        return tuple(self._blocks)

    def embeddings(self, labels: Sequence[str] | None = None) -> Tensor:
        """Embeddings ``(C, E)`` of labels of the bank; None takes all of them."""
        if labels is None:
            parts = [block.embeddings() for block in self._blocks]
            return torch.cat(parts) if parts else torch.empty(0, self.encoder.embed_dim)
        missing = [label for label in labels if label not in self._row]
        if missing:
            raise VocabularyError(f'label {missing[0]!r} is not in the bank; add it')
        return self.rows(torch.tensor([self._row[label] for label in labels], dtype=torch.long))

    def rows(self, rows: Tensor) -> Tensor:
        """Embeddings ``(n, E)`` of labels by their numbers ``(n,)``."""
        found = torch.empty(len(rows), self.encoder.embed_dim)
        start = 0
        for block in self._blocks:
            inside = (rows >= start) & (rows < start + len(block))
            if inside.any():
                found[inside] = block.embeddings()[rows[inside] - start]
            start += len(block)
        return found

    def chunks(self, size: int = _CHUNK) -> Iterator[Tensor]:
        """All embeddings in parts ``(n, E)`` of at most ``size`` labels."""
        for block in self._blocks:
            yield from block.embeddings().split(size)

    def check(self, model: Recognizer) -> None:
        """Raise a ``CheckpointError`` unless the model encodes labels as the bank's maker did."""
        self.encoder.check(EncoderIdentity.of(model), 'the label bank')

    def add(
        self,
        labels: Iterable[str],
        model: Recognizer,
        folder: str | Path | None = None,
        chunk_size: int = 4096,
        progress: bool = False,
    ) -> tuple[str, ...]:
        """Encode those labels that are not in the bank, and return them; see :meth:`build`."""
        if chunk_size < 1:
            raise ConfigError(f'chunk_size={chunk_size} must be at least 1')
        self.check(model)
        new = [name for name in _names(labels) if name not in self._row]
        with tqdm(
            total=len(new), unit='label', disable=None if progress else True, desc='label bank'
        ) as bar:
            for start in range(0, len(new), chunk_size):
                part = new[start : start + chunk_size]
                rows = []
                for piece in _pieces(part, model.labels_per_pass):
                    rows.append(_encode(model, piece))
                    bar.update(len(piece))
                self._append(LabelBlock(tuple(part), torch.cat(rows)), chunk_size)
                if folder is not None:
                    self._blocks = write_bank(Path(folder), self.encoder, self._blocks)
        if folder is not None and not new:
            self._blocks = write_bank(Path(folder), self.encoder, self._blocks)
        return tuple(new)

    def remove(self, labels: Sequence[str]) -> None:
        """Take labels out.

        Raises:
            VocabularyError: A label is not in the bank; then no label is removed.
        """
        gone = set(check_labels(labels))
        missing = [label for label in gone if label not in self._row]
        if missing:
            raise VocabularyError(f'label {missing[0]!r} is not in the bank; leave it out')
        self._keep(lambda label: label not in gone)

    def merge(self, other: LabelBank) -> None:
        """Take in the labels of another bank that are not in this one."""
        other.encoder.check(self.encoder, 'the other label bank')
        for block in other._blocks:
            rows = [i for i, label in enumerate(block.labels) if label not in self._row]
            if rows:
                self._append(block if len(rows) == len(block) else block.keep(rows))

    @torch.no_grad()
    def search(
        self, queries: Sequence[str], k: int = 10, model: Recognizer | None = None
    ) -> list[list[Neighbour]]:
        """Find the nearest labels of each query, and mark those that are the query in another form.

        Args:
            queries: Any texts.
            k: Number of labels.
            model: Model that encodes the queries that are not in the bank.
        """
        queries = check_labels(queries)
        unknown = [query for query in dict.fromkeys(queries) if query not in self._row]
        if unknown and model is None:
            raise VocabularyError(f'{unknown[0]!r} is not in the bank; pass the model to encode it')
        found = dict.fromkeys(queries, torch.empty(0))
        if unknown:
            assert model is not None
            self.check(model)
            found.update(zip(unknown, _encode(model, unknown), strict=True))
        known = [query for query in found if query in self._row]
        found.update(zip(known, self.embeddings(known), strict=True))
        vectors = unit(torch.stack([found[query] for query in queries]))
        values, rows = self._best(lambda text: vectors @ unit(text).T, len(queries), k)
        values = values.clamp(-1, 1)  # float32 makes 1.0000001 of a label and itself
        labels = self.labels
        return [
            [Neighbour(labels[i], float(v), likeness(query, labels[i])) for v, i in zip(*pair)]
            for query, *pair in zip(queries, values.tolist(), rows.tolist(), strict=True)
        ]

    def duplicates(self) -> list[Duplicate]:
        """Labels that are an earlier one in another spelling or form ("running", "runs")."""
        return find_duplicates(self._row)

    @torch.no_grad()
    def probabilities(self, model: Recognizer, inputs: Tensor) -> Tensor:
        """Probabilities ``(B, C)`` of all labels, those of ``model.predict_labels``.

        Args:
            model: Model with the label encoder that made the bank.
            inputs: Videos, see ``OpenVocabRecognizer.encode_videos``.
        """
        self.check(model)
        return self.score_views(model, model.encode_views(inputs))

    @torch.no_grad()
    def score_views(self, model: Recognizer, views: Tensor) -> Tensor:
        """Probabilities ``(B, C)`` of all labels for views ``(B, M, E)`` of videos.

        The model is not checked; see :meth:`check`.
        """
        scores = [model.score_views(views, text) for text in self.chunks()]
        if not scores:
            return views.new_empty(len(views), 0)
        labels = self.labels
        more = model.label_parts.complete(labels)[len(labels) :]  # parts that are not in the bank
        if more:
            scores.append(model.score_views(views, model.encode_labels(more)))
        return model.label_parts.join(labels, torch.cat(scores, 1))

    @torch.no_grad()
    def top_k(self, model: Recognizer, inputs: Tensor, k: int = 20) -> list[list[LabelScore]]:
        """The k most probable labels of each video, best first.

        Args:
            model: See :meth:`probabilities`.
            inputs: B videos.
            k: Number of labels.
        """
        self.check(model)
        views = model.encode_views(inputs)
        if model.label_parts.of_any(self.labels):
            check_count(k)
            found = self.score_views(model, views).float().cpu()
            values, rows = found.topk(min(k, len(self)))
            return self.named(values.logit(), rows)
        values, rows = self._best(lambda t: model.view_logits(views, t), len(views), k)
        return self.named(values, rows)

    def named(self, logits: Tensor, rows: Tensor) -> list[list[LabelScore]]:
        """Labels with probabilities, from logits and label numbers ``(B, k)``; -1 is no label."""
        labels = self.labels
        return [
            [LabelScore(labels[i], p) for p, i in zip(*pair) if i >= 0]
            for pair in zip(logits.sigmoid().tolist(), rows.tolist(), strict=True)
        ]

    def _best(self, score: Callable[[Tensor], Tensor], size: int, k: int) -> tuple[Tensor, Tensor]:
        """The k best scores ``(B, k)`` and the numbers of their labels, one part at a time."""
        check_count(k)
        values, rows, start = torch.empty(size, 0), torch.empty(size, 0, dtype=torch.long), 0
        for text in self.chunks():
            best, at = score(text).float().cpu().topk(min(k, len(text)))
            values, rows = torch.cat([values, best], 1), torch.cat([rows, at + start], 1)
            values, order = values.topk(min(k, values.shape[1]))
            rows = rows.gather(1, order)
            start += len(text)
        return values, rows

    def _append(self, block: LabelBlock, chunk_size: int = 0) -> None:
        """Take in new labels; they join the last block if it is in memory and has room."""
        for number, label in enumerate(block.labels, len(self._row)):
            if self._row.setdefault(label, number) != number:
                raise DataError(f'label {label!r} is twice in the bank; build it again')
        last = self._blocks[-1] if self._blocks else None
        if (
            last is not None
            and last.tensor is not None
            and block.tensor is not None
            and len(last) + len(block) <= chunk_size
        ):
            joined = torch.cat([last.tensor, block.tensor])
            block = LabelBlock(last.labels + block.labels, joined)
            self._blocks.pop()
        self._blocks.append(block)
        self.revision += 1

    def _keep(self, wanted: Callable[[str], bool]) -> None:
        blocks, self._blocks, self._row = self._blocks, [], {}
        self.revision += 1
        for block in blocks:
            rows = [i for i, label in enumerate(block.labels) if wanted(label)]
            if rows:
                self._append(block if len(rows) == len(block) else block.keep(rows))


def _names(labels: Iterable[str]) -> list[str]:
    return list(unique_labels(labels))


def _pieces(labels: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Labels in parts for the passes through the model, so that a bar can move between them."""
    for start in range(0, len(labels), size):
        yield labels[start : start + size]


@torch.no_grad()
def _encode(model: Recognizer, labels: Sequence[str]) -> Tensor:
    if model.training:
        raise ConfigError('the model is in training mode; call model.eval() first')
    return model.encode_labels(labels).float().cpu()


def check_count(k: int) -> None:
    """Refuse to look for fewer than one label."""
    if k < 1:
        raise ConfigError(f'k={k} must be at least 1')
