"""Export the video encoder with embedded labels, for programs without torch.

    python tools/deployment/export_onnx.py CONFIG [CHECKPOINT] --labels "red circle" spinning --out DIR
    python tools/deployment/export_onnx.py CONFIG CHECKPOINT --labels-file words.txt --out DIR
    python tools/deployment/export_onnx.py CONFIG CHECKPOINT --labels-file more.txt --labels-only DIR/more

DIR then holds video_encoder.onnx, labels.json with labels.npz, and meta.json; `ovmlv.runtime` tags
with it (docs/deployment.md). With --labels-only, another label file for the same encoder is written
and nothing else. The export is compared with the model before it is called good.

Exit status: 0, or 2 with one line on stderr.
"""  # noqa: E501

from __future__ import annotations

import argparse
import contextlib
import sys

from ovmlv.utils.cli import CfgOptions, run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the model')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint; none: as the config starts')
    labels = parser.add_mutually_exclusive_group(required=True)
    labels.add_argument('--labels', nargs='+', metavar='LABEL', help='labels')
    labels.add_argument('--labels-file', help='text file with one label a line')
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument('--out', metavar='DIR', help='folder to write')
    target.add_argument('--labels-only', metavar='FILE', help='write a label file FILE only')
    parser.add_argument(
        '--input-type',
        choices=('uint8', 'float32'),
        default='uint8',
        help='pixels that the graph takes: 0 to 255, or 0 to 1 (default: %(default)s)',
    )
    parser.add_argument('--opset', type=int, default=18, help='of ONNX (default: %(default)s)')
    parser.add_argument('--torch-export', action='store_true', help='also write video_encoder.pt2')
    parser.add_argument(
        '--no-check', action='store_true', help='do not compare with the model afterwards'
    )
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='changes of the config')
    parser.add_argument('--debug', action='store_true', help='show the traceback of errors')
    # Intermixed, so that the checkpoint may also stand behind options.
    return parser.parse_intermixed_args(argv)


def main(args: argparse.Namespace) -> None:
    from ovmlv.apis import init_recognizer
    from ovmlv.datasets.vocabulary import load_labels
    from ovmlv.export import export_model, make_label_set

    with contextlib.redirect_stdout(sys.stderr):  # logs; the result alone goes to stdout
        labels = load_labels(args.labels_file) if args.labels_file else args.labels
        model = init_recognizer(args.config, args.checkpoint, 'cpu', args.cfg_options)
        if args.labels_only:
            make_label_set(model, labels).save(args.labels_only)
        else:
            difference = export_model(
                model,
                labels,
                args.out,
                args.input_type,
                args.opset,
                args.torch_export,
                not args.no_check,
            )
    if args.labels_only:
        print(f'{args.labels_only}: {len(labels)} labels')
    else:
        checked = '' if difference is None else f'; differs from the model by {difference:.1e}'
        print(f'{args.out}: video encoder and {len(labels)} labels{checked}')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
