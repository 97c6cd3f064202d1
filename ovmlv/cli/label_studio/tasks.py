"""Make tasks for Label Studio out of the JSON lines of "ovmlv tag" or "ovmlv index tag".

    ovmlv label-studio tasks tags.jsonl --out tasks.json --interface interface.xml --threshold 0.5

Import tasks.json into a project whose labelling interface is interface.xml.
"""

from __future__ import annotations

import argparse
from typing import Any

from ovmlv.utils.terminal import Terminal

from ..arguments import probability
from ..targets import refuse_inputs, refuse_unwritable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ovmlv label-studio tasks``."""
    parser.add_argument('results', metavar='FILE', help='JSON lines of tagged videos')
    parser.add_argument('--out', required=True, metavar='FILE', help='the tasks (.json)')
    parser.add_argument('--interface', metavar='FILE', help='the labelling interface (.xml)')
    parser.add_argument(
        '--threshold',
        type=probability,
        default=0.5,
        help='least probability of a label that is proposed (default: %(default)s)',
    )
    parser.add_argument(
        '--prefix', default='', help='before the path for the browser: /data/local-files/?d='
    )


def run(args: argparse.Namespace, out: Terminal) -> None:
    """Read and write."""
    from ovmlv.files import write_json, write_text
    from ovmlv.label_studio import labelling_interface, make_task, read_results

    for flag in ('out', 'interface'):
        if getattr(args, flag) is not None:
            refuse_unwritable(getattr(args, flag), f'--{flag}')
            refuse_inputs(getattr(args, flag), f'--{flag}', [args.results])
    tasks: list[dict[str, Any]] = []
    labels: dict[str, None] = {}
    for video, scores in read_results(args.results):
        labels.update(dict.fromkeys(name for name, _ in scores))
        chosen = [(name, p) for name, p in scores if p >= args.threshold]
        tasks.append(make_task(video, chosen, prefix=args.prefix))
    write_json(args.out, tasks, indent=1, ensure_ascii=False)
    if args.interface is not None:
        write_text(args.interface, labelling_interface(sorted(labels)) + '\n')
    out.write(f'{args.out}: {len(tasks)} tasks, {len(labels)} labels\n')
