"""Convert a CLIP of another project into a file for ``pretrained=`` of our configs.

    python tools/model_converters/import_weights.py WEIGHTS --model ViT-B-16 --out x.safetensors

The tool reads files of OpenAI, of transformers' CLIPModel (file or folder), of open_clip, of
ViFi-CLIP, of Open-VCLIP and of FROSTER. Every name and shape is checked against the architecture.
Weights that a file lacks (ViFi-CLIP keeps no token embeddings, an image tower has no text tower)
come from --base. ``pretrained=`` also reads all of these files directly if they are complete.

The result takes CLIP's place in a config:

    --cfg-options model.backbone.pretrained=x.safetensors model.head.pretrained=x.safetensors
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ovmlv.errors import ConfigError
from ovmlv.utils.cli import add_debug_argument, make_parser
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('weights', help='file, or folder of transformers')
    parser.add_argument('--model', required=True, help='open_clip architecture, or a .json file')
    parser.add_argument('--base', help='the CLIP it was made from: open_clip tag, or file')
    parser.add_argument('--out', required=True, help='.safetensors file to write')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> None:
    if not args.out.endswith('.safetensors'):
        raise ConfigError(f'--out {args.out}: the weights go into a .safetensors file; name one')
    from ovmlv.models.clip.importing import import_weights

    filled = import_weights(args.weights, args.model, args.out, args.base)
    more = f'; {len(filled)} tensors are those of {args.base}' if filled else ''
    print(f'{args.out}: {Path(args.weights).name} as {args.model}{more}')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
