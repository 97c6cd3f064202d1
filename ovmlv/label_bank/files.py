"""Label banks on disk: a folder with ``bank.json`` and .safetensors files of some labels each.

A file is named by its checksum and never written again, and ``bank.json`` is replaced as a whole.
Therefore a kill at any time leaves a complete bank, and programs that have it open go on.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ovmlv.errors import DataError
from ovmlv.files import file_digest, parse_json, whole_file, write_json
from ovmlv.schema import count, fits, is_plain_path, label, positive, read_object, text

from .identity import EncoderIdentity

FORMAT = 'ovmlv label bank 1'
INDEX = 'bank.json'
TENSOR = 'embeddings'
_MEND = 'perhaps cut short; build the bank again'
_HASH = functools.partial(hashlib.blake2b, digest_size=16)
#: What the index must have.
_FIELDS: dict[str, Any] = dict(
    format=text,
    checksum=text,
    encoder=dict(type=text, fingerprint=text, settings=dict, embed_dim=positive, unit_length=bool),
    chunks=[dict(file=text, labels=count, bytes=count, checksum=text)],
)


@dataclass(frozen=True, eq=False)
class LabelBlock:
    """Labels and embeddings that are kept together.

    Attributes:
        labels: n labels.
        tensor: Embeddings ``(n, E)``, if they are in memory.
        path: The .safetensors file with the embeddings, if they are not in memory.
        rows: Rows of the file that belong to the labels; None takes all of them.
        digest: Checksum of the file.
    """

    labels: tuple[str, ...]
    tensor: Tensor | None = None
    path: Path | None = None
    rows: Tensor | None = None
    digest: str = ''

    def __len__(self) -> int:
        return len(self.labels)

    def embeddings(self) -> Tensor:
        """Embeddings, float32 ``(n, E)``; a file is only mapped, as long as the tensor lives."""
        if self.tensor is not None:
            return self.tensor
        try:
            with safe_open(self.path, 'pt') as file:
                found = file.get_tensor(TENSOR)
        except (OSError, SafetensorError) as error:
            raise DataError(
                f'{self.path} of a label bank is gone or changed ({type(error).__name__}); load '
                'the bank again'
            ) from error
        return found if self.rows is None else found[self.rows]

    def keep(self, rows: Sequence[int]) -> LabelBlock:
        """The block with only these of its rows."""
        labels = tuple(self.labels[i] for i in rows)
        index = torch.tensor(rows, dtype=torch.long)
        if self.tensor is not None:
            return LabelBlock(labels, self.tensor[index])
        return LabelBlock(
            labels, path=self.path, rows=index if self.rows is None else self.rows[index]
        )


def write_bank(
    folder: Path, encoder: EncoderIdentity, blocks: Sequence[LabelBlock]
) -> list[LabelBlock]:
    """Write what is not in the folder yet, then the index; return the blocks as they are in it."""
    blocks = [
        b
        if b.path is not None and b.rows is None and b.path.parent == folder
        else _write(folder, b)
        for b in blocks
    ]
    paths = [b.path for b in blocks if b.path is not None]  # all have one now
    content = dict(
        format=FORMAT,
        encoder=encoder.to_dict(),
        num_labels=sum(map(len, blocks)),
        chunks=[
            dict(file=path.name, labels=len(b), bytes=path.stat().st_size, checksum=b.digest)
            for b, path in zip(blocks, paths, strict=True)
        ],
    )
    write_json(folder / INDEX, dict(content, checksum=_checksum(content)), indent=1)
    names = {path.name for path in paths}
    for old in (*folder.glob('chunk-*.safetensors'), *folder.glob('.chunk-*')):
        if old.name not in names:
            old.unlink()
    return blocks


def read_index(folder: Path) -> tuple[EncoderIdentity, list[dict[str, Any]]]:
    """The encoder that made a bank, and its list of files."""
    path = folder / INDEX
    if not path.is_file():
        raise FileNotFoundError(
            f'there is no label bank in {folder} (no {INDEX}); make one by LabelBank.build'
        )
    content = read_object(path, _FIELDS, 'no index of a label bank', _MEND)
    if content['format'] != FORMAT:
        raise DataError(f'{path} is of format {content["format"]!r}, not {FORMAT!r}')
    checksum = content.pop('checksum')
    if checksum != _checksum(content):
        raise DataError(f'{path} was altered (its checksum differs); build the bank again')
    chunks = content['chunks']
    if not all(is_plain_path(c['file']) and '/' not in c['file'] for c in chunks):
        raise DataError(f'{path} names files outside its folder; build the bank again')
    encoder = {name: content['encoder'][name] for name in _FIELDS['encoder']}
    return EncoderIdentity(**encoder), chunks


def read_block(folder: Path, entry: dict[str, Any], verify: bool, embed_dim: int) -> LabelBlock:
    """One file of a bank, after it was checked against the index."""
    path = folder / entry['file']
    if not path.is_file():
        raise DataError(
            f'{path} of the label bank is missing; copy the whole folder, or build again'
        )
    size = path.stat().st_size
    if size != entry['bytes']:
        raise DataError(
            f'{path} has {size} bytes instead of {entry["bytes"]}, perhaps cut short; copy it '
            'again, or build the bank again'
        )
    if verify and file_digest(path, _HASH) != entry['checksum']:
        raise DataError(f'{path} was altered (its checksum differs); build the bank again')
    try:
        with safe_open(path, 'pt') as file:
            labels = parse_json(file.metadata()['labels'], str(path))
            rows = file.get_slice(TENSOR)
            shape, kind = rows.get_shape(), rows.get_dtype()
            finite = not verify or bool(torch.isfinite(file.get_tensor(TENSOR)).all())
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f'{path} is no part of a label bank ({type(error).__name__}); build the bank again'
        ) from None
    if not (fits(labels, [label]) and kind == 'F32' and finite and len(shape) == 2):
        raise DataError(
            f'{path} is no part of a label bank (labels are texts, embeddings numbers); build the '
            'bank again'
        )
    if not len(labels) == shape[0] == entry['labels'] or shape[1] != embed_dim:
        raise DataError(
            f'{path} has {shape[0]} embeddings of {len(labels)} labels; build the bank again'
        )
    return LabelBlock(tuple(labels), path=path, digest=entry['checksum'])


def _write(folder: Path, block: LabelBlock) -> LabelBlock:
    labels = json.dumps(block.labels)
    data = save({TENSOR: block.embeddings().cpu().contiguous()}, metadata=dict(labels=labels))
    digest = _HASH(data).hexdigest()
    path = folder / f'chunk-{digest}.safetensors'
    with whole_file(path) as scratch:
        scratch.write_bytes(data)
    return LabelBlock(block.labels, path=path, digest=digest)


def _checksum(content: dict[str, Any]) -> str:
    data = json.dumps(content, sort_keys=True).encode()
    return _HASH(data).hexdigest()
