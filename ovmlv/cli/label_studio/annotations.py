"""Make an annotation file out of what Label Studio exports (JSON).

    ovmlv label-studio annotations export.json --out corrected.jsonl

The file is for training, testing and "ovmlv calibrate". Tasks that nobody has annotated are left
out, and counted.
"""

from __future__ import annotations

import argparse
import json

from ovmlv.utils.terminal import Terminal

from ..targets import refuse_inputs, refuse_unwritable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv label-studio annotations``."""
    parser.add_argument('export', metavar='FILE', help='an export of Label Studio (JSON)')
    parser.add_argument('--out', required=True, metavar='FILE', help='the annotations (.jsonl)')


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Read and write."""
    from ovmlv.files import write_text
    from ovmlv.label_studio import read_annotations

    refuse_unwritable(args.out, '--out')
    refuse_inputs(args.out, '--out', [args.export])
    rows, left = read_annotations(args.export)
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    write_text(args.out, ''.join(f'{line}\n' for line in lines))
    out.write(f'{args.out}: {len(rows)} videos, {left} tasks without an annotation\n')
