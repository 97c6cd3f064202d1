"""Average the weights of several checkpoints of one run (or of runs from one start).

    python tools/model_converters/average_checkpoints.py work_dirs/x/epoch_*.pth --out average.pth

The result has the mean of every weight, as in Open-VCLIP's averaging of epochs and in "model soups"
(Wortsman et al., ICML 2022). To average while training, use mmengine's EMAHook with
ema_type='StochasticWeightAverage'.
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.errors import ConfigError
from ovmlv.utils.checkpoints import average_states, read_state, write_state
from ovmlv.utils.cli import add_debug_argument, make_parser
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('checkpoints', nargs='+', help='.pth or .safetensors files')
    parser.add_argument('--out', required=True, help='file to write (.pth or .safetensors)')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> None:
    if len(args.checkpoints) < 2:
        raise ConfigError('an average needs at least two checkpoints')
    files = [read_state(path) for path in args.checkpoints]
    state = average_states([state for _, state in files], args.checkpoints)
    write_state(args.out, files[-1][0], state)
    print(f'{args.out}: the mean of {len(files)} checkpoints, {len(state)} tensors')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
