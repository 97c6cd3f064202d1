"""Label banks on disk: a folder with ``bank.json`` and .safetensors files of some labels each.

A file is named by its checksum and never written again, and ``bank.json`` is replaced as a whole.
So a kill at any time leaves a bank that is whole, and programs that have it open go on.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ovmlv.errors import DataError
from ovmlv.files import write_text

from .encoder_identity import EncoderIdentity
from .label_block import TENSOR, LabelBlock

FORMAT = 'ovmlv label bank 1'
INDEX = 'bank.json'
_PIECE = 1 << 24


def write_bank(
    folder: Path, encoder: EncoderIdentity, blocks: Sequence[LabelBlock]
) -> list[LabelBlock]:
    """Write what is not in the folder yet, then the index; give the blocks as they are in it."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [
        b
        if b.path is not None and b.rows is None and b.path.parent == folder
        else _write(folder, b)
        for b in blocks
    ]
    content = dict(
        format=FORMAT,
        encoder=encoder.to_dict(),
        num_labels=sum(map(len, blocks)),
        chunks=[
            dict(file=b.path.name, labels=len(b), bytes=b.path.stat().st_size, checksum=b.digest)
            for b in blocks
        ],
    )
    text = json.dumps(dict(content, checksum=_checksum(content)), indent=1)
    write_text(folder / INDEX, text + '\n')
    names = {b.path.name for b in blocks}
    for old in (*folder.glob('chunk-*.safetensors'), *folder.glob('.chunk-*.part')):
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
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        if content['format'] != FORMAT:
            raise DataError(f'{path} is of format {content["format"]!r}, not {FORMAT!r}')
        checksum = content.pop('checksum')
        if checksum != _checksum(content):
            raise DataError(f'{path} was altered (its checksum differs); build the bank again')
        chunks = content['chunks']
        if any(Path(c['file']).name != c['file'] for c in chunks):
            raise DataError(f'{path} names files outside its folder; build the bank again')
        return EncoderIdentity(**content['encoder']), chunks
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f'{path} is no index of a label bank ({type(error).__name__}), perhaps cut short; '
            'build the bank again'
        ) from None


def read_block(folder: Path, entry: dict[str, Any], verify: bool) -> LabelBlock:
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
    if verify and _file_digest(path) != entry['checksum']:
        raise DataError(f'{path} was altered (its checksum differs); build the bank again')
    try:
        with safe_open(path, 'pt') as file:
            labels = tuple(json.loads(file.metadata()['labels']))
            rows = file.get_slice(TENSOR).get_shape()[0]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f'{path} is no part of a label bank ({type(error).__name__}); build the bank again'
        ) from None
    if not len(labels) == rows == entry['labels']:
        raise DataError(
            f'{path} has {rows} embeddings of {len(labels)} labels; build the bank again'
        )
    return LabelBlock(labels, path=path, digest=entry['checksum'])


def _write(folder: Path, block: LabelBlock) -> LabelBlock:
    labels = json.dumps(block.labels)
    data = save({TENSOR: block.embeddings().cpu().contiguous()}, metadata=dict(labels=labels))
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    path = folder / f'chunk-{digest}.safetensors'
    part = folder / f'.chunk-{digest}.{os.getpid()}.part'
    part.write_bytes(data)
    os.replace(part, path)
    return LabelBlock(block.labels, path=path, digest=digest)


def _file_digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open('rb') as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
