"""What the server does with a video index, apart from HTTP."""

from __future__ import annotations

import bisect
import hashlib
import hmac
import logging
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from ovmlv.apis import OVMLVInferencer
from ovmlv.errors import CheckpointError, DataError, OvmlvError, VocabularyError
from ovmlv.index import FindResult, Hit, Query, VideoIndex
from ovmlv.index.lance_tables import require
from ovmlv.index.query import read_query
from ovmlv.index.video_rows import VideoRow

from . import schemas
from .limits import ServingLimits
from .service_error import ServiceError, sentence
from .typed_labels import check_typed_labels

LOG = logging.getLogger('ovmlv.serving')
#: Pictures that are kept in memory: those of an answer are asked for at once, one by one.
_PICTURES = 4096
_KEY = re.compile(r'([0-9a-f]{1,16})-([0-9a-f]{24})')
T = TypeVar('T')


class IndexService:
    """Answers questions to an index. One thread at a time may ask, while others look up videos.

    A video is known to clients by an id that only this process can make, so that no request names
    a file. Each question is asked of the index as it is by then.

    Args:
        index: The index, or its folder.
        inferencer: The model of the server.
        limits: Limits of what is taken.

    Raises:
        DependencyError: LanceDB is missing.
        FileNotFoundError: There is no index.
        CheckpointError: The index was made by another model.
    """

    def __init__(
        self, index: VideoIndex | str | Path, inferencer: OVMLVInferencer, limits: ServingLimits
    ) -> None:
        require()
        self.inferencer, self.limits = inferencer, limits
        self._secret = secrets.token_bytes(32)
        self._pictures: OrderedDict[tuple[str, int], bytes | None] = OrderedDict()
        self._memory = index.memory if isinstance(index, VideoIndex) else 2_000_000_000
        self.folder = Path(index.folder if isinstance(index, VideoIndex) else index).expanduser()
        self._open()

    def describe(self) -> schemas.Index:
        """What clients are told about the index."""
        return self._ask(self._describe)

    def find(self, wanted: schemas.IndexQuery) -> schemas.IndexHits:
        """The hits of a question; no video is decoded."""
        if not wanted.query.strip():
            raise ServiceError('invalid_query', 'Write what to look for.')
        try:
            query = read_query(wanted.query, wanted.negative)
        except VocabularyError as error:
            raise _invalid(error) from error
        check_typed_labels(query.labels, self.limits)
        return self._ask(lambda index: self._find(index, query, wanted))

    def kept_picture(self, key: str, number: int) -> bytes | None:
        """A picture of a recent answer, without asking the index; None if it is not kept."""
        return self._pictures.get((key, number))

    def picture(self, key: str, number: int) -> bytes:
        """The picture of a window, by the id of its video and its place in it."""
        return self._ask(lambda index: self._picture(index, key, number))

    def video(self, key: str) -> VideoRow:
        """The file of an id, as it was when the index was last asked."""
        match = _KEY.fullmatch(key)
        videos = self._videos
        if match is not None:
            at = bisect.bisect_left(videos, int(match[1], 16), key=lambda row: row.id)
            if at < len(videos) and hmac.compare_digest(key, self._key(videos[at])):
                return videos[at]
        raise ServiceError('unknown_video', 'The index has no such video any more; ask again.')

    def _ask(self, question: Callable[[VideoIndex], T]) -> T:
        """Ask the index as it is now, and once more if its files were tidied up meanwhile."""
        try:
            try:
                if not self._index.snapshot.is_current():
                    self._open()
                return question(self._index)
            except DataError:
                self._open()
                return question(self._index)
        except ServiceError:
            raise
        except VocabularyError as error:  # of a label encoder that cannot take a label
            raise _invalid(error) from error
        except (OvmlvError, OSError) as error:
            # The message names folders, which visitors need not know; the log has it.
            LOG.error('the index cannot be read: %s', error)
            other = 'The index was made anew by another model; restart the server with that one.'
            message = other if isinstance(error, CheckpointError) else ''
            raise ServiceError('index_unreadable', message) from error

    def _describe(self, index: VideoIndex) -> schemas.Index:
        snapshot = index.snapshot
        return schemas.Index(
            videos=len(snapshot.videos),
            windows=len(snapshot),
            seconds=sum(row.duration or 0.0 for row in snapshot.videos),
            unread=len(snapshot.rows) - len(snapshot.videos),
            window=index.settings.reading.window,
            calibrated=self.inferencer.calibration is not None,
        )

    def _find(
        self, index: VideoIndex, query: Query, wanted: schemas.IndexQuery
    ) -> schemas.IndexHits:
        result = index.find(
            query,
            min(wanted.top, self.limits.hits),
            threshold='calibrated' if wanted.present else wanted.threshold,
            per=wanted.per,
            after=wanted.after,
            before=wanted.before,
            within=wanted.within or None,
        )
        hits = [self._hit(index, result, hit) for hit in result]
        for hit, picture in zip(hits, result.thumbnails(), strict=True):
            self._keep(hit.id, hit.number, picture)
            hit.picture = hit.picture if picture is not None else None
        return schemas.IndexHits(
            query=result.query,
            labels=list(query.labels),
            videos=len(index.snapshot.videos),
            windows=len(index.snapshot),
            hits=hits,
        )

    def _picture(self, index: VideoIndex, key: str, number: int) -> bytes:
        row, snapshot = self.video(key), index.snapshot
        windows = snapshot.windows_of(snapshot.place[row.path])
        if number >= len(windows):
            raise ServiceError('not_found', f'This video has windows 0 to {len(windows) - 1}.')
        (found,) = snapshot.thumbnails(windows[number : number + 1])
        self._keep(key, number, found)
        if found is None:
            raise ServiceError('not_found', 'The index was made without pictures.')
        return found

    def _hit(self, index: VideoIndex, result: FindResult, hit: Hit) -> schemas.IndexHit:
        snapshot = index.snapshot
        position = int(snapshot.video[hit.number])
        number = int(np.flatnonzero(snapshot.windows_of(position) == hit.number)[0])
        key = self._key(snapshot.videos[position])
        alone = FindResult(result.query, (hit,))
        return schemas.IndexHit(
            **hit.to_dict(),
            id=key,
            number=number,
            name=Path(hit.video).name,
            file=f'api/index/videos/{key}/file',
            picture=f'api/index/videos/{key}/windows/{number}.jpg',
            csv=alone.to_csv(header=False),
            jsonl=alone.to_json(),
        )

    def _key(self, row: VideoRow) -> str:
        """Number and signature: a video that moves keeps it, with other content it gets another."""
        known = f'{row.id} {row.digest}'.encode()
        signature = hashlib.blake2b(known, key=self._secret, digest_size=12).hexdigest()
        return f'{row.id:x}-{signature}'

    def _keep(self, key: str, number: int, picture: bytes | None) -> None:
        self._pictures[key, number] = picture
        while len(self._pictures) > _PICTURES:
            self._pictures.popitem(last=False)

    def _open(self) -> None:
        index = VideoIndex.open(self.folder, self.inferencer, memory=self._memory)
        self._videos: Sequence[VideoRow] = index.snapshot.videos
        self._index = index


def _invalid(error: VocabularyError) -> ServiceError:
    text = str(error)
    return ServiceError(
        'invalid_query', f'The query {text}' if text[0] in '\'"' else sentence(text)
    )
