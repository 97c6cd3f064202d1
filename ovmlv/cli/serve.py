"""Open the web page and the HTTP API.

    ovmlv serve --model my_model
    ovmlv serve --model ViT-B-16/openai --labels-file words.txt --port 8080
    ovmlv serve --model my_model --banks words=banks/words animals=banks/animals
    ovmlv serve --index ovmlv_index                         # and find in its videos
    ovmlv serve --model my_model --samples beach.mp4 street.mp4
    ovmlv serve --model my_model --host 0.0.0.0 --max-megabytes 50 --max-seconds 120

Only this computer reaches the server, unless --host names another address; there is no log-in. See
docs/serving.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from typing import TextIO

from ovmlv.errors import ConfigError

from .arguments import (
    add_label_arguments,
    add_model_arguments,
    load_inferencer,
    positive,
    read_label_arguments,
    seconds,
    zero_or_more,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv serve``."""
    add_model_arguments(parser, required=False)
    add_label_arguments(parser, required=False)
    parser.add_argument('--calibration', metavar='FILE', help='file that "ovmlv calibrate" wrote')
    parser.add_argument(
        '--batch-size', type=positive, default=8, help='windows at a time (default: %(default)s)'
    )
    group = parser.add_argument_group('server')
    group.add_argument(
        '--host', default='127.0.0.1', help='address to listen on (default: %(default)s)'
    )
    group.add_argument(
        '--port',
        type=int,
        default=8000,
        help='port to listen on; 0 takes a free one (default: %(default)s)',
    )
    group.add_argument(
        '--allowed-hosts',
        nargs='+',
        metavar='NAME',
        help='names by which browsers may reach the server; default: any name, but on a loopback '
        'address only its own',
    )
    group.add_argument(
        '--banks', nargs='+', metavar='NAME=DIR', default=(), help='label banks to choose from'
    )
    group.add_argument(
        '--index',
        metavar='DIR',
        help='a video index that "ovmlv index add" made, to find in its videos; without --model, '
        'its model serves',
    )
    group.add_argument(
        '--samples', nargs='+', metavar='FILE', default=(),
        help='videos that visitors may choose in place of one of their own',
    )  # fmt: skip
    group = parser.add_argument_group('operations', 'see docs/operations.md')
    group.add_argument(
        '--access-log',
        nargs='?',
        const='-',
        metavar='FILE',
        help='write a line of JSON for each request, to FILE or to stdout',
    )
    group.add_argument(
        '--access-log-targets',
        action='store_true',
        help='also write the addresses with their queries, which hold labels and ids of videos',
    )
    group.add_argument(
        '--drain-seconds',
        type=zero_or_more,
        metavar='S',
        default=0.0,
        help='after a signal, answer for S seconds more while /readyz says no (default: 0)',
    )
    group = parser.add_argument_group('limits')
    group.add_argument('--max-megabytes', type=positive, metavar='N', help='largest file')
    group.add_argument('--max-seconds', type=seconds, metavar='S', help='longest video')
    group.add_argument(
        '--max-decode-seconds', type=seconds, metavar='S', help='longest time to decode a video'
    )
    group.add_argument(
        '--max-connections', type=positive, metavar='N', help='most open connections'
    )
    group.add_argument('--max-labels', type=positive, metavar='N', help='most labels of a request')
    group.add_argument('--max-queue', type=positive, metavar='N', help='most videos that wait')
    group.add_argument('--max-videos', type=positive, metavar='N', help='most videos that are kept')


def run(args: argparse.Namespace, out: TextIO) -> None:
    """Serve until interrupted."""
    from ovmlv.serving import AccessLog, ServingLimits, serve
    from ovmlv.serving.fork_server import FORK_SERVER
    from ovmlv.utils.cli import named_paths

    given = dict(
        upload_bytes=None if args.max_megabytes is None else args.max_megabytes * 2**20,
        duration=args.max_seconds,
        decode_seconds=args.max_decode_seconds,
        connections=args.max_connections,
        labels=args.max_labels,
        queue=args.max_queue,
        videos=args.max_videos,
    )
    limits = ServingLimits(**{name: value for name, value in given.items() if value is not None})
    banks = named_paths(args.banks)
    if args.access_log_targets and args.access_log is None:
        raise ConfigError('--access-log-targets needs --access-log')
    log = None
    if args.access_log is not None:
        file = out if args.access_log == '-' else args.access_log
        log = AccessLog(file, args.access_log_targets)
    _choose_model(args)
    FORK_SERVER.start()  # it imports while the model is loaded
    inferencer = load_inferencer(args, read_label_arguments(args))
    with contextlib.redirect_stdout(out):
        served = serve(
            inferencer,
            args.host,
            args.port,
            limits,
            banks,
            args.allowed_hosts,
            log,
            args.drain_seconds,
            args.index,
            args.samples,
        )
    if served:
        # All is answered and closed. A model may still be at work, which cannot be interrupted, and
        # Python would take seconds to clear up after it.
        out.flush()
        os._exit(0)


def _choose_model(args: argparse.Namespace) -> None:
    """Take the model of the index where none is named, and see to it that there is one."""
    if args.index is not None:
        from ovmlv.index import VideoIndex
        from ovmlv.index.lance_tables import require

        require()
        index = VideoIndex.open(args.index)  # before the model is loaded
        if args.model is None:
            name = index.settings.model
            name.refuse_program(index.folder)
            args.model, args.weights = name.model, args.weights or name.weights
            args.cfg_options = args.cfg_options or name.cfg_options
    elif args.model is None:
        raise ConfigError('no model is named; give --model, or --index for the model of an index')
