"""The HTTP API and the page."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

from anyio import create_task_group, sleep
from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from ovmlv.version import __version__

from . import schemas
from .access_log import AccessLog
from .api_page import api_page
from .arrivals import Arrivals
from .fork_server import FORK_SERVER
from .guard import Guard
from .health import Health
from .index_routes import add_index_routes
from .limits import ServingLimits
from .media_types import media_type
from .metrics_page import ADDRESS, MetricsPage
from .observer import Observer, Watch
from .open_requests import OpenRequests
from .samples import Samples
from .server_state import ServerState, state_of
from .service import TaggingService
from .service_error import CODES, ServiceError
from .uploads import linger, received
from .video_store import VideoStore
from .windows import LEAST, MOST
from .work_queue import WorkQueue

if TYPE_CHECKING:
    from .index_service import IndexService

UPLOAD = '/api/videos'
_STATIC = FilePath(__file__).parent / 'static'
#: All that is ever read of this disk: no address holds a path.
_FILES = {
    '/': ('index.html', 'text/html; charset=utf-8'),
    '/page.css': ('page.css', 'text/css; charset=utf-8'),
    '/page.js': ('page.js', 'text/javascript; charset=utf-8'),
    '/find.css': ('find.css', 'text/css; charset=utf-8'),
    '/timeline.js': ('timeline.js', 'text/javascript; charset=utf-8'),
    '/tabs.js': ('tabs.js', 'text/javascript; charset=utf-8'),
    '/player.js': ('player.js', 'text/javascript; charset=utf-8'),
    '/find.js': ('find.js', 'text/javascript; charset=utf-8'),
    '/icon.svg': ('icon.svg', 'image/svg+xml'),
}
_SWEEP = 30.0
VideoId = Annotated[str, Path(description='Id of an uploaded video', max_length=64)]


def _seconds(meaning: str) -> Any:
    return Query(description=meaning, ge=LEAST, le=MOST, allow_inf_nan=False)


def build_app(
    service: TaggingService,
    limits: ServingLimits,
    hosts: Collection[str] | None,
    access_log: AccessLog | None = None,
    index: IndexService | None = None,
    samples: Sequence[str | FilePath] = (),
) -> FastAPI:
    """See :func:`~ovmlv.serving.create_app`."""
    monitor = service.monitor
    offered = Samples(samples, limits.upload_bytes)
    store = VideoStore(limits.videos, limits.keep_seconds)
    waits = monitor.wait
    looking = WorkQueue(
        'ovmlv-videos', limits.queue, 'videos', lambda seconds: waits.add(seconds, 'videos')
    )
    scoring = WorkQueue(
        'ovmlv-labels', limits.score_queue, 'requests', lambda seconds: waits.add(seconds, 'labels')
    )
    uploads = Arrivals(limits.queue, limits.upload_bytes, limits)
    requests = OpenRequests()
    health = Health(FORK_SERVER, lambda: requests.stopping, service.start)

    def state() -> ServerState:
        queues = {'videos': looking, 'labels': scoring}
        return state_of(service, store, queues, len(uploads), health.is_ready)

    def stop() -> None:
        requests.stop()
        service.close()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async def sweep() -> None:
            while True:
                await sleep(_SWEEP)
                store.expire()

        service.start()
        async with create_task_group() as tasks:
            tasks.start_soon(sweep)
            yield
            tasks.cancel_scope.cancel()
        stop()
        looking.close()
        scoring.close()

    app = FastAPI(
        title='ovmlv',
        version=__version__,
        description='Upload a video once, then ask for the probability of any labels.',
        docs_url=None,
        redoc_url=None,
        openapi_url='/api/openapi.json',
        lifespan=lifespan,
        redirect_slashes=False,
        responses={'4XX': {'model': schemas.Error}, '5XX': {'model': schemas.Error}},
    )
    app.state.start, app.state.stop = service.start, stop
    app.state.watch = watch = Watch(monitor, health, access_log)
    app.add_middleware(
        Guard,
        limits=limits,
        hosts=hosts,
        decoded=lambda: service.videos_decoded,
        upload_path=UPLOAD,
        requests=requests,
        uploads=uploads,
    )
    app.add_middleware(Observer, watch=watch, routes=lambda: app.routes)  # around the guard
    _add_errors(app)
    _add_files(app)
    _add_metrics(app, MetricsPage(monitor, state))
    add_index_routes(app, index, scoring)

    @app.post(
        UPLOAD,
        status_code=201,
        summary='Upload a video',
        openapi_extra={
            'requestBody': {
                'required': True,
                'description': 'The bytes of the file',
                'content': {'video/*': {'schema': {'type': 'string', 'format': 'binary'}}},
            }
        },
    )
    async def upload_video(
        request: Request,
        name: Annotated[str, Query(description='Name of the video', max_length=255)] = 'The video',
        window: Annotated[float | None, _seconds('Seconds of a window')] = None,
        stride: Annotated[float | None, _seconds('Seconds from window to window')] = None,
    ) -> schemas.Video:
        """The file is decoded once and dropped. Its embeddings and some small pictures are kept."""
        try:
            looking.check()
        except ServiceError:
            await linger(request)
            raise
        # A place in the queue is for a file that is there.
        async with received(request, plain_name(name), limits) as upload:
            with looking.reserve() as place:
                video = await place.run(
                    lambda: service.look(upload, window, stride), request.is_disconnected
                )
        store.add(video)
        return service.describe(video)

    @app.get(UPLOAD + '/{video}', summary='What is known of a video')
    async def get_video(video: VideoId) -> schemas.Video:
        return service.describe(store.get(video))

    @app.delete(UPLOAD + '/{video}', status_code=204, summary='Forget a video')
    async def delete_video(video: VideoId) -> Response:
        store.remove(video)
        return Response(status_code=204)

    @app.post(UPLOAD + '/{video}/tags', summary='Score labels')
    async def tag_video(video: VideoId, wanted: schemas.TagRequest) -> schemas.Tags:
        """Nothing is decoded, so that labels can be changed as often as one likes."""
        stored = store.get(video)
        with scoring.reserve() as place:
            return await place.run(
                lambda: service.tag(stored, wanted.labels, wanted.bank, wanted.top_k)
            )

    @app.get(UPLOAD + '/{video}/frames', summary='Frames that speak for a label')
    async def get_frames(
        video: VideoId,
        label: Annotated[str, Query(description='Any text', max_length=10_000)],
        count: Annotated[int, Query(ge=1, le=1000, description='Largest number of frames')] = 6,
    ) -> schemas.Frames:
        stored = store.get(video)
        with scoring.reserve() as place:
            return await place.run(lambda: service.frames(stored, label, count))

    @app.get(
        UPLOAD + '/{video}/frames/{number}.jpg',
        summary='A frame as a small picture',
        response_class=Response,
        responses={200: {'content': {'image/jpeg': {}}}},
    )
    async def get_picture(video: VideoId, number: Annotated[int, Path(ge=0)]) -> Response:
        pictures = store.get(video).pictures
        if number >= len(pictures):
            raise ServiceError('not_found', f'This video has frames 0 to {len(pictures) - 1}.')
        headers = {'Cache-Control': 'private, max-age=3600'}
        return Response(pictures[number], media_type='image/jpeg', headers=headers)

    @app.get(
        '/api/samples/{number}',
        summary='A sample video',
        response_class=Response,
        responses={200: {'content': {'video/*': {}}}},
    )
    async def get_sample(number: Annotated[int, Path(ge=0)]) -> Response:
        if number >= len(offered.contents):
            raise ServiceError('not_found', f'There are {len(offered.contents)} sample videos.')
        kind = media_type(offered.names[number])
        headers = {'Cache-Control': 'private, max-age=3600'}
        return Response(offered.contents[number], media_type=kind, headers=headers)

    @app.get('/api/status', summary='What the server is and does')
    async def get_status() -> schemas.Status:
        return schemas.Status(
            version=__version__,
            model=service.model_name,
            videos=len(store),
            videos_decoded=service.videos_decoded,
            queue=schemas.Waiting(videos=len(uploads) + looking.reserved, labels=scoring.reserved),
            banks=service.offered_banks(),
            default_labels=list(service.default_labels),
            index=index is not None,
            samples=offered.names,
            limits=vars(limits),
        )

    return app


def plain_name(name: str) -> str:
    """A client's name of a file as text for a message; it is never used as a path."""
    name = re.split(r'[\\/]', name)[-1]
    name = ''.join(c for c in name if c.isprintable()).strip()
    return name[:120] or 'The video'


def _add_files(app: FastAPI) -> None:
    def add(path: str, content: bytes, kind: str) -> None:
        @app.get(path, include_in_schema=False)
        async def get_file() -> Response:
            return Response(content, media_type=kind, headers={'Cache-Control': 'no-cache'})

    for path, (name, kind) in _FILES.items():
        add(path, (_STATIC / name).read_bytes(), kind)

    @app.get('/docs', include_in_schema=False)
    async def get_docs() -> Response:
        return Response(api_page(app.openapi(), CODES), media_type='text/html; charset=utf-8')


def _add_metrics(app: FastAPI, page: MetricsPage) -> None:
    @app.get(ADDRESS, include_in_schema=False)
    async def get_metrics(request: Request) -> Response:
        content, kind = page.render(request.headers.get('accept', ''))
        return Response(content, headers={'Content-Type': kind})


def _add_errors(app: FastAPI) -> None:
    def respond(error: ServiceError, headers: dict[str, str] | None = None) -> Response:
        return Response(error.body(), error.status, {**error.headers, **(headers or {})})

    @app.exception_handler(ServiceError)
    async def on_service_error(_: Request, error: ServiceError) -> Response:
        return respond(error)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> Response:
        return respond(ServiceError('invalid_request', _first_problem(error)))

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            allowed = {'Allow': (error.headers or {}).get('Allow', '')}
            message = f'{request.method} is not for this address; see docs.'
            return respond(ServiceError('method_not_allowed', message), allowed)
        return respond(ServiceError('not_found' if error.status_code == 404 else 'invalid_request'))


def _first_problem(error: RequestValidationError) -> str:
    problem = error.errors()[0]
    if problem['type'] == 'json_invalid':
        return 'The body is not JSON.'
    where = '.'.join(str(part) for part in problem['loc'][1:]) or 'the body'
    return f'{where}: {problem["msg"][:1].lower()}{problem["msg"][1:]}.'
