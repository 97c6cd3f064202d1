"""Write a model as one folder that every entry point opens.

    python tools/model_converters/publish_model.py CONFIG CHECKPOINT --out my_model
    python tools/model_converters/publish_model.py CONFIG CHECKPOINT --out my_model \
        --labels-file words.txt --calibration calibration.json --include-pretrained
    python tools/model_converters/publish_model.py ViT-B-16/openai --out clip_tagger

The folder holds the config without paths of data, the trained weights, and if given a label bank
and a calibration. Without --include-pretrained, frozen CLIP and language model are found by their
names where the folder is opened. It is compared with the model before it is called good.

Exit status: 0, or 2 with one line on stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import sys

from ovmlv.utils.cli import CfgOptions, add_debug_argument, make_parser, run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('model', help='config file, or architecture of open_clip')
    parser.add_argument('weights', nargs='?', help='checkpoint; or weights of the architecture')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write')
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument('--labels', nargs='+', metavar='LABEL', help='labels to encode into a bank')
    labels.add_argument('--labels-file', help='text file with one label a line')
    labels.add_argument('--bank', metavar='DIR', help='label bank of this model')
    parser.add_argument('--calibration', metavar='FILE', help='of fit_calibration.py')
    parser.add_argument(
        '--include-pretrained',
        action='store_true',
        help='write the weights of CLIP and the language model, too',
    )
    parser.add_argument('--name', help='for the model card (default: name of the folder)')
    parser.add_argument('--device', help='such as cpu or cuda:0')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='changes of the config')
    add_debug_argument(parser)
    # Intermixed, so that the checkpoint may also stand behind options.
    return parser.parse_intermixed_args(argv)


def main(args: argparse.Namespace) -> None:
    from ovmlv.apis import open_model, publish_model
    from ovmlv.apis.label_source import read_labels

    with contextlib.redirect_stdout(sys.stderr):  # logs; the result alone goes to stdout
        model = open_model(args.model, args.weights, args.device, args.cfg_options)
        source = args.labels or args.labels_file or args.bank
        labels = None if source is None else read_labels(source, model)
        publish_model(
            model,
            args.out,
            labels,
            args.calibration,
            include_pretrained=args.include_pretrained,
            name=args.name,
        )
    more = f', {len(labels)} labels' if labels is not None else ''
    print(f'{args.out}: model{more}{", calibration" if args.calibration else ""}')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
