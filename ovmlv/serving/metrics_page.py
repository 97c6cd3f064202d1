"""``/metrics``: what a server counted, in the format of Prometheus."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.version import __version__

from .monitor import Monitor
from .server_state import ServerState
from .service_error import ServiceError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

ADDRESS = '/metrics'


class MetricsPage:
    """The page, with a registry of its own: nothing goes into the global one.

    Args:
        monitor: The counts.
        state: Function that gives the state.
    """

    def __init__(self, monitor: Monitor, state: Callable[[], ServerState]) -> None:
        self.monitor, self.state = monitor, state
        self._registry: Any = None

    def render(self, accept: str = '') -> tuple[bytes, str]:
        """The page, and its type.

        Args:
            accept: What the client accepts: the text format, or that of OpenMetrics.

        Raises:
            ServiceError: prometheus_client is not installed.
        """
        try:
            from prometheus_client import CollectorRegistry, ProcessCollector
            from prometheus_client.exposition import choose_encoder
        except ModuleNotFoundError:
            raise ServiceError('no_metrics') from None
        if self._registry is None:
            self._registry = CollectorRegistry()
            self._registry.register(self)
            ProcessCollector(registry=self._registry)
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def collect(self) -> Iterator[Metric]:
        """All metrics, as a registry asks for them."""
        yield from _counts(self.monitor)
        yield from _states(self.state())


def _counts(monitor: Monitor) -> Iterator[Metric]:
    from prometheus_client.core import (
        CounterMetricFamily as Counter,
        GaugeMetricFamily as Gauge,
        HistogramMetricFamily as Histogram,
    )

    yield Gauge('ovmlv_http_requests_in_progress', 'Requests that are worked on.',
                monitor.in_progress)  # fmt: skip
    for name, meaning, labels, tally in (
        ('http_requests', 'Requests that were answered.', 'method route status', monitor.requests),
        ('http_errors', 'Errors, by the code of the answer.', 'code', monitor.errors),
        ('http_received_bytes', 'Bytes of the bodies of requests.', 'route', monitor.received),
        ('http_sent_bytes', 'Bytes of the bodies of answers.', 'route', monitor.sent),
        ('labels_scored', 'Labels that were scored for a video.', '', monitor.labels),
    ):
        counter = Counter(f'ovmlv_{name}', meaning, labels=labels.split())
        for values, total in tally.items() or ([((), 0)] if not labels else ()):
            counter.add_metric(values, total)
        yield counter
    for name, meaning, labels, distribution in (
        ('http_request_seconds', 'From the head of a request to the end of its answer.', 'route',
         monitor.answer),
        ('queue_wait_seconds', 'Waiting for its turn.', 'queue', monitor.wait),
        ('video_decode_seconds', 'Waiting for the frames of a video.', '', monitor.decode),
        ('video_encode_seconds', 'Work of the model on a video.', '', monitor.encode),
        ('video_length_seconds', 'Lengths of the videos that were looked at.', '', monitor.length),
        ('score_seconds', 'Scoring the labels of a request.', '', monitor.score),
    ):  # fmt: skip
        histogram = Histogram(f'ovmlv_{name}', meaning, labels=labels.split())
        for values, buckets, total in distribution.items():
            histogram.add_metric(values, buckets, total)
        yield histogram


def _states(state: ServerState) -> Iterator[Metric]:
    from prometheus_client.core import (
        CounterMetricFamily as Counter,
        GaugeMetricFamily as Gauge,
        InfoMetricFamily as Info,
    )

    yield Info('ovmlv', 'What runs.', dict(version=__version__, model=state.model))
    for name, meaning, value in (
        ('ready', '1 if the server is ready for videos, as /readyz says it.', state.ready),
        ('uploads_arriving', 'Uploads that arrive.', state.arriving),
        ('videos_held', 'Videos that are kept for further questions.', state.videos),
        ('videos_held_bytes', 'Bytes of their embeddings and pictures.', state.video_bytes),
        ('label_cache_labels', 'Labels whose embeddings are kept.', state.cache.get('labels', 0)),
        ('label_cache_bytes', 'Bytes of these embeddings.', state.cache.get('bytes', 0)),
        ('decoders', 'Processes that are at a video.', len(state.decoders)),
        ('decoder_resident_bytes', 'Memory of these processes and of the one they are copies of; '
         'pages that they share count for each.', _resident([*state.decoders, state.fork_server])),
    ):  # fmt: skip
        yield Gauge(f'ovmlv_{name}', meaning, float(value))
    for name, meaning, place in (
        ('queue_length', 'Requests that wait or are worked on.', 0),
        ('queue_limit', 'Most of them; further ones are refused.', 1),
    ):
        gauge = Gauge(f'ovmlv_{name}', meaning, labels=['queue'])
        for queue, values in state.queues.items():
            gauge.add_metric([queue], values[place])
        yield gauge
    yield Counter('ovmlv_videos_decoded', 'Videos that were decoded.', state.decoded)
    yield Counter('ovmlv_decoder_starts', 'Starts of the process that decoders are copies of.',
                  state.fork_server_starts)  # fmt: skip
    lookups = Counter('ovmlv_label_cache_lookups', 'Labels looked up.', labels=['result'])
    for result, name in (('hit', 'hits'), ('miss', 'misses')):
        lookups.add_metric([result], state.cache.get(name, 0))
    yield lookups


def _resident(processes: Iterable[int | None]) -> int:
    """Bytes of memory of processes; 0 where the system does not tell."""
    pages = 0
    for number in processes:
        if number is not None:
            with contextlib.suppress(OSError, IndexError, ValueError):  # it ended a moment ago
                pages += int(Path(f'/proc/{number}/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') if pages else 0
