"""The addresses of a video index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from anyio import to_thread
from fastapi import FastAPI, Path, Request, Response

from . import schemas
from .service_error import ServiceError
from .work_queue import WorkQueue

if TYPE_CHECKING:
    from .index_service import IndexService

INDEX = '/api/index'
IndexedVideoId = Annotated[str, Path(description='Id of a video, from a hit', max_length=64)]


def add_index_routes(app: FastAPI, service: IndexService | None, queue: WorkQueue) -> None:
    """Add the addresses, which tell how to get an index where there is none.

    Args:
        app: The application.
        service: The index.
        queue: Where questions wait for their turn: labels are encoded in this thread alone.
    """

    def index() -> IndexService:
        if service is None:
            raise ServiceError(
                'no_index', 'This server has no index; start it with ovmlv serve --index FOLDER.'
            )
        return service

    @app.get(INDEX, summary='What the index holds')
    async def get_index() -> schemas.Index:
        found = index()
        with queue.reserve() as place:
            return await place.run(found.describe)

    @app.post(INDEX + '/find', summary='Find parts of the videos of the index')
    async def find_in_index(wanted: schemas.IndexQuery) -> schemas.IndexHits:
        """The same as ovmlv index find, of the index as it is now. Nothing is decoded."""
        found = index()
        with queue.reserve() as place:
            return await place.run(lambda: found.find(wanted))

    @app.get(
        INDEX + '/videos/{video}/windows/{number}.jpg',
        summary='A window as a small picture',
        response_class=Response,
        responses={200: {'content': {'image/jpeg': {}}}},
    )
    async def get_window_picture(
        video: IndexedVideoId, number: Annotated[int, Path(ge=0, le=2**53)]
    ) -> Response:
        found = index()
        content = found.kept_picture(video, number)
        if content is None:
            with queue.reserve() as place:
                content = await place.run(lambda: found.picture(video, number))
        headers = {'Cache-Control': 'private, max-age=3600'}
        return Response(content, media_type='image/jpeg', headers=headers)

    async def get_video_file(video: IndexedVideoId, request: Request) -> Response:
        """Also in parts (the header Range), so that a player can go anywhere."""
        from .video_file import answer_with, open_video_file

        row = index().video(video)
        opened = await to_thread.run_sync(open_video_file, row)
        headers = request.headers
        return answer_with(opened, request.method, headers.get('range'), headers.get('if-range'))

    address = INDEX + '/videos/{video}/file'
    app.head(address, include_in_schema=False)(get_video_file)
    app.get(
        address,
        summary='The file of a video of the index',
        response_class=Response,
        responses={
            200: {'content': {'video/*': {}}},
            206: {'content': {'video/*': {}}, 'description': 'The part that was asked for'},
        },
    )(get_video_file)
