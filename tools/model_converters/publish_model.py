"""Write a model as one folder that every command opens: ``ovmlv publish`` from a checkout.

    python tools/model_converters/publish_model.py CONFIG CHECKPOINT --out my_model
    python tools/model_converters/publish_model.py CONFIG CHECKPOINT --out my_model \\
        --labels-file words.txt --calibration calibration.json --include-pretrained
    python tools/model_converters/publish_model.py ViT-B-16/openai --out clip_tagger

Exit status: 0, or 2 with one line on stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import sys

from ovmlv.cli.arguments import load_model_of, read_label_arguments
from ovmlv.cli.publish import add_publish_arguments, check_publish_arguments, publish
from ovmlv.utils.cli import add_cfg_options, add_debug_argument, add_device_argument, make_parser
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('model', help='config file, or architecture of open_clip')
    parser.add_argument('weights', nargs='?', help='checkpoint; or weights of the architecture')
    add_publish_arguments(parser)
    add_device_argument(parser)
    add_cfg_options(parser)
    add_debug_argument(parser)
    # Intermixed, so that the checkpoint may also stand behind options.
    return parser.parse_intermixed_args(argv)


def main(args: argparse.Namespace) -> None:
    with contextlib.redirect_stdout(sys.stderr):  # logs; the result alone goes to stdout
        check_publish_arguments(args)
        labels = read_label_arguments(args)
        model = load_model_of(args).recognizer
    publish(args, model, labels, sys.stdout)


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
