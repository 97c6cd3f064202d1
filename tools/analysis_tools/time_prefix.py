"""Time the shared LLM prefix against plain passes over whole sequences, side by side.

Learnable tokens come before the label. They do not see it, so ``PrefixReadout`` computes their keys
and values once for all labels, whereas the plain way runs prefix and label for every label. Both
use the same frozen decoder and the same labels in one right-padded batch, and run forward and
backward in turns. With ``--all``, one step of every readout is timed too.

Example::

    python tools/analysis_tools/time_prefix.py --llm smollm2 --num-labels 157
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from ovmlv.compat import apply

apply()

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from ovmlv.models.llm import (  # noqa: E402
    CausalLLM,
    GenerateReadout,
    PrefixReadout,
    StaticReadout,
    SuffixReadout,
)
from ovmlv.models.llm.readouts.base_readout import pad_tokens  # noqa: E402

VERBS = [
    'holding',
    'opening',
    'closing',
    'putting down',
    'taking',
    'washing',
    'throwing',
    'sitting next to',
]
NOUNS = [
    'a book',
    'a door',
    'some clothes',
    'a cup',
    'a laptop',
    'a bag',
    'a broom',
    'a sandwich',
    'a blanket',
    'a phone',
    'a mirror',
    'a box',
    'a pillow',
    'medicine',
    'a vacuum',
    'a picture',
    'a shoe',
    'a table',
    'a window',
    'a towel',
]


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--llm', default='smollm2', help="alias, GGUF file, folder, hub name, or 'tiny' (random)"
    )
    parser.add_argument('--layer', type=int, help='layer to read; default: the middle one')
    parser.add_argument('--num-labels', type=int, default=157)
    parser.add_argument('--num-tokens', type=int, default=16, help='learnable tokens')
    parser.add_argument(
        '--repeats', type=int, default=3, help='number of turns, of which the fastest counts'
    )
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--dtype', default='float32')
    parser.add_argument('--min-ratio', type=float, help='exit with an error below this ratio')
    parser.add_argument('--all', action='store_true', help='also time one step of every readout')
    return parser.parse_args()


def build_llm(args: argparse.Namespace) -> CausalLLM:
    """A language model, its later layers still there."""
    if args.llm == 'tiny':
        config = dict(
            model_type='llama',
            hidden_size=128,
            intermediate_size=344,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
        llm = CausalLLM(config=config, dtype=args.dtype)
    else:
        llm = CausalLLM(name=args.llm, dtype=args.dtype)
    return llm.to(args.device)


def make_labels(count: int) -> list[str]:
    """Labels like those of Charades."""
    labels = [f'{verb} {noun}' for noun in NOUNS for verb in VERBS]
    return [labels[i % len(labels)] + (f' {i}' if i >= len(labels) else '') for i in range(count)]


def plain_states(
    llm: CausalLLM, readout: PrefixReadout, labels: list[str]
) -> tuple[Tensor, Tensor]:
    """Read the same states from whole sequences: prefix and label for every label, no cache."""
    rows, _ = readout.label_tokens(llm, labels, bos=False)
    ids, mask = pad_tokens(rows, llm.device)
    prefix = readout.prefix(llm).expand(len(rows), -1, -1)
    whole = torch.cat([mask.new_ones(len(rows), prefix.shape[1]), mask], 1)
    embeds = torch.cat([prefix, llm.embed(ids)], 1)
    out = llm.decoder(inputs_embeds=embeds, attention_mask=whole.long(), use_cache=False)
    return out.last_hidden_state[:, prefix.shape[1] :].float(), mask


def step(
    read: Callable[[], tuple[Tensor, Tensor]], tokens: Tensor | None
) -> tuple[float, Tensor, Tensor | None]:
    """Seconds of one forward and backward pass, valid states, gradient of the learnable tokens."""
    sync = torch.cuda.synchronize if torch.cuda.is_available() else (lambda: None)
    sync()
    start = time.perf_counter()
    states, mask = read()
    valid = states[mask]
    grad = None
    if tokens is not None:
        weight = torch.linspace(-1, 1, valid.numel(), device=valid.device).view_as(valid)
        loss = (valid * weight).sum() / valid.numel() ** 0.5
        grad = torch.autograd.grad(loss, tokens)[0]
    sync()
    return time.perf_counter() - start, valid.detach(), grad


def main() -> None:
    """Print the ratio of times, and how far outputs and gradients differ."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    labels = make_labels(args.num_labels)
    llm = build_llm(args)
    readout = PrefixReadout(llm, num_tokens=args.num_tokens, layer=args.layer)
    times: dict[str, list[float]] = {'shared': [], 'plain': []}
    for _ in range(args.repeats + 1):
        shared = step(lambda: readout(llm, labels), readout.tokens)
        plain = step(lambda: plain_states(llm, readout, labels), readout.tokens)
        times['shared'].append(shared[0])
        times['plain'].append(plain[0])
    best = {name: min(values[1:]) for name, values in times.items()}  # the first turn warms up
    ratio = best['plain'] / best['shared']
    size = plain[1].abs().max().item(), plain[2].abs().max().item()
    print(
        f'{args.num_labels} labels, prefix of {args.num_tokens} tokens, layer {llm.layer} of '
        f'{llm.num_layers}'
    )
    print(f'plain {best["plain"]:.3f} s, shared prefix {best["shared"]:.3f} s, ratio {ratio:.2f}')
    print(
        f'largest difference of outputs {(shared[1] - plain[1]).abs().max():.2e} (largest output '
        f'{size[0]:.2e})'
    )
    print(
        f'largest difference of gradients {(shared[2] - plain[2]).abs().max():.2e} (largest '
        f'gradient {size[1]:.2e})'
    )
    if args.all:
        time_readouts(args, labels)
    if args.min_ratio is not None and ratio < args.min_ratio:
        raise SystemExit(f'ratio {ratio:.2f} is below --min-ratio {args.min_ratio}')


def time_readouts(args: argparse.Namespace, labels: list[str]) -> None:
    """One step of every readout, its label caches filled by the step before."""
    for kind in (PrefixReadout, SuffixReadout, GenerateReadout, StaticReadout):
        llm = build_llm(args)
        kwargs = (
            {}
            if kind is StaticReadout
            else {'num_tokens': 4 if kind is SuffixReadout else args.num_tokens}
        )
        readout = kind(llm, layer=args.layer, **kwargs)
        tokens = getattr(readout, 'tokens', None)
        seconds = [
            step(lambda r=readout, m=llm: r(m, labels), tokens)[0] for _ in range(args.repeats + 1)
        ]
        print(
            f'{kind.__name__}: {min(seconds[1:]):.3f} s a step (first {seconds[0]:.3f} s), '
            f'{args.num_labels} labels'
        )


if __name__ == '__main__':
    main()
