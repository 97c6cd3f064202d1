"""Encoded videos in files that wait to be committed: what a worker leaves for the writer."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ovmlv.errors import DataError, OutputError, reason_of
from ovmlv.files import whole_file, write_text

from .fragment import EncodedWindows, Fragment
from .lance_tables import arrow
from .settings import IndexSettings
from .video_rows import VideoRow

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = '.fragments'
_SUFFIX = '.arrow'
_FORMAT = b'ovmlv fragment 1'
#: Seconds after which half a file is taken for that of a process that was killed.
_FORGOTTEN = 24 * 3600.0
_ROW = ('path', 'size', 'mtime_ns', 'digest', 'duration', 'fps', 'windows', 'error')


class FragmentFolder:
    """The files of fragments in the folder of an index.

    A file is named by the videos in it, as they were when they were read. So who does a part of the
    work again replaces a file by its like. Files are whole or not there. Any number of processes
    may write, on any machine that sees the folder; the one that holds the lock of the index commits
    what is there and removes the files.

    Args:
        index: Folder of the index.
        settings: Settings of the index. A fragment that was made with others is refused.

    Raises:
        OutputError: The folder cannot be made.
    """

    def __init__(self, index: Path, settings: IndexSettings) -> None:
        self.folder, self.embed_dim = index / FOLDER, settings.embed_dim
        same = [settings.encoder, asdict(settings.reading), settings.thumbnail]
        text = json.dumps(same, sort_keys=True)
        self.key = hashlib.sha256(text.encode()).hexdigest().encode()

    def write(self, fragment: Fragment) -> Path:
        """Write the file of a fragment.

        Raises:
            OutputError: It cannot be written.
        """
        pa = arrow()
        path = self.path_of([video.row for video in fragment.videos])
        table = self._table(fragment)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f'{self.folder} cannot be made ({reason_of(error)}); give another index'
            ) from None
        with whole_file(path) as scratch, pa.ipc.new_file(str(scratch), table.schema) as writer:
            writer.write_table(table)
        return path

    def path_of(self, rows: Sequence[VideoRow]) -> Path:
        """The file that holds these videos, if somebody encoded them together."""
        names = [(row.path, row.size, row.mtime_ns) for row in rows]
        name = hashlib.blake2b(self.key + repr(names).encode(), digest_size=16).hexdigest()
        return self.folder / f'{name}{_SUFFIX}'

    def files(self) -> list[Path]:
        """The files that are there, in the order of their names."""
        try:
            names = sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return []
        return [self.folder / n for n in names if n.endswith(_SUFFIX) and not n.startswith('.')]

    def read(self, path: Path) -> Fragment:
        """The fragment of a file.

        Raises:
            FileNotFoundError: Another process committed it.
            DataError: The file is damaged, or of an index that was made otherwise.
        """
        return self._read(path, self._videos, None)

    def rows(self) -> dict[str, VideoRow]:
        """The videos of all files by their paths; of a good and a bad one, the good one."""
        found: dict[str, VideoRow] = {}
        for path in self.files():
            with suppress(FileNotFoundError):
                for row in self._read(path, _rows, len(_ROW)):
                    if row.error is None or row.path not in found:
                        found[row.path] = row
        return found

    @contextmanager
    def mark(self) -> Iterator[str]:
        """The name of a file by which others know the folder while the block runs."""
        path = self.folder / f'.mark-{secrets.token_hex(8)}'
        write_text(path, '')
        try:
            yield path.name
        finally:
            path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what killed processes left of files that they were writing, after a day."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.name.startswith('.') and path.stat().st_mtime < time.time() - _FORGOTTEN:
                    path.unlink()

    def _schema(self) -> pa.Schema:
        pa = arrow()
        text, whole, real = pa.string(), pa.int64(), pa.float64()
        types = (text, whole, whole, text, real, real, whole, text)
        # In the order of _ROW; embeddings are float16 (windows, E).
        fields = [pa.field(name, kind) for name, kind in zip(_ROW, types, strict=True)]
        fields += [pa.field(name, pa.list_(real)) for name in ('starts', 'ends')]
        fields += [pa.field('embeddings', pa.binary())]
        fields += [pa.field('thumbnails', pa.list_(pa.binary()))]
        return pa.schema(fields, metadata=dict(format=_FORMAT, key=self.key))

    def _table(self, fragment: Fragment) -> pa.Table:
        schema, videos = self._schema(), fragment.videos
        columns: list[list[Any]] = [[getattr(v.row, name) for v in videos] for name in _ROW]
        columns += [[v.starts.tolist() for v in videos], [v.ends.tolist() for v in videos]]
        columns += [[np.ascontiguousarray(v.embeddings, np.float16).tobytes() for v in videos]]
        columns += [[list(v.thumbnails) for v in videos]]
        pairs = zip(columns, schema, strict=True)
        return arrow().table([arrow().array(c, f.type) for c, f in pairs], schema=schema)

    def _read(self, path: Path, take: Callable[[pa.Table], Any], columns: int | None) -> Any:
        """What a function makes of a file, or of its first columns alone."""
        pa = arrow()
        mend = 'remove it, and its videos are encoded again'
        schema = self._schema()
        included = list(range(len(schema) if columns is None else columns))
        schema = pa.schema([schema.field(i) for i in included])
        options = pa.ipc.IpcReadOptions(included_fields=included)
        try:
            # Not mapped into memory: another machine may remove it meanwhile.
            with (
                pa.OSFile(str(path), 'rb') as file,
                pa.ipc.open_file(file, options=options) as reader,
            ):
                noted = reader.schema.metadata or {}
                if noted.get(b'format') != _FORMAT or not reader.schema.equals(schema):
                    raise DataError(f'{path} is no fragment of this version; {mend}')
                if noted.get(b'key') != self.key:
                    raise DataError(
                        f'{path} was encoded for an index of another model, window or thumbnail; '
                        f'{mend}'
                    )
                table = reader.read_all()
                table.validate(full=True)
                return take(table)
        except (FileNotFoundError, DataError):
            raise
        except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
            if getattr(error, 'errno', None) == errno.ESTALE or not path.exists():
                raise FileNotFoundError(errno.ENOENT, 'no such file', str(path)) from None
            raise DataError(f'{path} is damaged ({reason_of(error)}); {mend}') from None

    def _videos(self, table: pa.Table) -> Fragment:
        parts = table.select(['starts', 'ends', 'embeddings', 'thumbnails']).to_pylist()
        videos = []
        for row, part in zip(_rows(table), parts, strict=True):
            starts, ends = (np.array(part[name], np.float64) for name in ('starts', 'ends'))
            vectors = np.frombuffer(part['embeddings'], np.float16).reshape(-1, self.embed_dim)
            lengths = {len(v) for v in (starts, ends, vectors, part['thumbnails'])}
            if lengths != {row.windows}:
                raise ValueError(f'{row.windows} windows of {row.path} are not all there')
            videos.append(EncodedWindows(row, starts, ends, vectors, part['thumbnails']))
        return Fragment(tuple(videos))


def _rows(table: pa.Table) -> list[VideoRow]:
    return [VideoRow(**row) for row in table.select(list(_ROW)).to_pylist()]
