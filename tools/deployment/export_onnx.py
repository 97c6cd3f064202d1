"""Export the video encoder with embedded labels: ``ovmlv export`` from a checkout.

    python tools/deployment/export_onnx.py CONFIG [CHECKPOINT] --labels "red circle" spinning --out DIR
    python tools/deployment/export_onnx.py CONFIG CHECKPOINT --labels-file words.txt --out DIR
    python tools/deployment/export_onnx.py CONFIG CHECKPOINT --labels-file more.txt --labels-only DIR/more

DIR then holds the files that `ovmlv.runtime` tags with (docs/deployment.md). Exit status: 0, or 2
with one line on stderr.
"""  # noqa: E501

from __future__ import annotations

import argparse
import contextlib
import sys

from ovmlv.cli.arguments import read_label_arguments
from ovmlv.cli.export import add_export_arguments, write_export
from ovmlv.utils.cli import add_config_arguments, make_parser
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_config_arguments(parser, checkpoint=True)
    add_export_arguments(parser)
    # Intermixed, so that the checkpoint may also stand behind options.
    return parser.parse_intermixed_args(argv)


def main(args: argparse.Namespace) -> None:
    from ovmlv.apis import init_recognizer
    from ovmlv.apis.label_source import read_labels

    with contextlib.redirect_stdout(sys.stderr):
        labels = read_label_arguments(args)
        model = init_recognizer(args.config, args.checkpoint, 'cpu', args.cfg_options)
        labels = read_labels(labels, model)
    write_export(args, model, labels, sys.stdout)


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
