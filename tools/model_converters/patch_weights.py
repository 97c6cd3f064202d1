"""Interpolate between the weights that a model started from and the finetuned ones.

    python tools/model_converters/patch_weights.py RUN.pth --config CONFIG --ratio 0.5 --out P.pth
    python tools/model_converters/patch_weights.py TUNED --start CLIP --ratio 0.5 --out P.pth

The result is start + ratio * (finetuned - start): ratio 1 is the finetuned model, 0 the start.
Going part of the way back keeps much of what finetuning learned and returns much of what it forgot
(Wortsman et al., CVPR 2022; Open-VCLIP takes 0.5).

With --config, the file is a checkpoint of ovmlv. Frozen weights are not in such a checkpoint and
need no change. Weights that were loaded from CLIP, and new modules that start at zero, are moved
towards the start; all other weights are copied. With --start, both files hold state dicts of one
model, such as two CLIPs; names that the start does not have are copied.
"""

from __future__ import annotations

import argparse
import sys

from torch import Tensor

from ovmlv.models.utils.weight_patching import check_ratio, weights_from_clip
from ovmlv.utils.checkpoints import patch_state, read_state, write_state
from ovmlv.utils.cli import add_cfg_options, add_debug_argument, make_parser
from ovmlv.utils.configs import load_config, refuse_mistakes
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('checkpoint', help='the finetuned weights (.pth or .safetensors)')
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument('--config', help='the config that CHECKPOINT was trained with')
    start.add_argument('--start', help='a file with the weights at the start')
    parser.add_argument('--ratio', type=float, required=True, help='share of the way, 0 to 1')
    parser.add_argument(
        '--parts', nargs='+', default=['backbone'], help='backbone, head (default: backbone)'
    )
    add_cfg_options(parser)
    parser.add_argument('--out', required=True, help='file to write (.pth or .safetensors)')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def start_of_config(args: argparse.Namespace) -> dict[str, Tensor]:
    """Build the model of a config, and take the weights that it starts from."""
    from mmengine.registry import DefaultScope

    from ovmlv.registry import MODELS
    from ovmlv.utils import register_all_modules

    cfg = load_config(args.config, args.cfg_options)
    refuse_mistakes(cfg, args.config)
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return weights_from_clip(MODELS.build(cfg.model), args.parts)


def main(args: argparse.Namespace) -> None:
    check_ratio(args.ratio)
    meta, state = read_state(args.checkpoint)
    if args.config:
        start = start_of_config(args)
        patched, names = patch_state(state, start, args.ratio, only=start)
    else:
        patched, names = patch_state(state, read_state(args.start)[1], args.ratio)
    write_state(args.out, meta, patched)
    print(f'{args.out}: {len(names)} of {len(state)} tensors at ratio {args.ratio:g}')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
