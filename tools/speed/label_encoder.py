"""Rows of the label encoder: steps of each readout against CoOp's, and a shared prefix's gain."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from ovmlv.models.heads import CoOpPromptHead, LLMPromptHead
from ovmlv.models.llm.readouts.base_readout import pad_tokens

from .side_by_side import Row, Side, difference

#: Readout -> its setting and the goal against CoOp's step.
READOUTS: dict[str, tuple[dict[str, Any], float]] = {
    'static': (dict(type='StaticReadout'), 1.1),
    'suffix': (dict(type='SuffixReadout', num_tokens=4), 1.5),
    'prefix': (dict(type='PrefixReadout', num_tokens=16), 1.8),
}
_VERBS = ('holding', 'opening', 'closing', 'putting down', 'washing', 'throwing', 'sitting next to')
_NOUNS = ('a book', 'a door', 'some clothes', 'a cup', 'a laptop', 'a broom', 'a blanket', 'a box')


def make_labels(count: int) -> list[str]:
    """Labels like those of Charades; numbers make more of them."""
    labels = [f'{verb} {noun}' for noun in _NOUNS for verb in _VERBS]
    more = (f'{labels[i % len(labels)]} {i}' for i in range(len(labels), count))
    return [*labels[:count], *more]


def rows(args: argparse.Namespace) -> Iterator[Row]:
    """A row for each number of labels; all heads have the same (random) weights of CLIP."""
    torch.manual_seed(args.seed)
    clip = open_clip.create_model(args.clip, pretrained=None).eval()
    with tempfile.TemporaryDirectory() as folder:
        weights = f'{folder}/clip.safetensors'
        save_file(clip.state_dict(), weights)
        heads: dict[str, Any] = {'CoOp': CoOpPromptHead(args.clip, weights)}
        for name, (readout, _) in READOUTS.items():
            heads[f'ovmlv, {name} readout'] = LLMPromptHead(
                args.clip, weights, llm=_llm(args.llm), readout=readout
            )
    for part in (clip, *heads.values()):
        part.to(args.device)
    for count in args.labels:
        yield _row(args, clip, heads, make_labels(count))
        yield _prefix_row(args, heads['ovmlv, prefix readout'], make_labels(count))


def _llm(given: str) -> dict[str, Any]:
    """The config of a language model from its name, or from its configuration as JSON."""
    return dict(config=json.loads(given)) if given.startswith('{') else dict(name=given)


def _shown(given: str) -> str:
    return f'random {json.loads(given)["model_type"]}' if given.startswith('{') else given


def _row(args: argparse.Namespace, clip: Any, heads: dict[str, Any], labels: list[str]) -> Row:
    coop = heads['CoOp']
    target = F.normalize(torch.randn(len(labels), coop.embed_dim), dim=-1).to(args.device)

    def step(head: Any) -> Callable[[], Tensor]:
        def run() -> Tensor:
            found = head(labels)
            (1 - (found * target).sum(-1)).mean().backward()
            head.zero_grad(set_to_none=True)
            return found.detach()

        return run

    def check(found: dict[str, Tensor]) -> str:
        theirs = _by_open_clip(args, clip, coop.template, labels)
        apart = difference(theirs, found['CoOp'])
        assert apart < 1e-4, apart
        worst = 0.0
        some = labels[:: max(1, len(labels) // 7)]
        for name, head in heads.items():
            with torch.no_grad():
                alone = head(some)
            worst = max(worst, difference(alone, found[name][:: max(1, len(labels) // 7)]))
        assert worst < 1e-3, worst
        return (
            f"CoOp starts at open_clip's own text embeddings ({apart:.1e} apart); labels in "
            f'company are those alone ({worst:.1e} apart)'
        )

    sides = [Side('CoOp', step(coop))]
    for name, (_, goal) in READOUTS.items():
        side = f'ovmlv, {name} readout'
        sides.append(Side(side, step(heads[side]), goal))
    name = f'label encoder, step: {len(labels)} labels, {args.clip}, {_shown(args.llm)}'
    return Row(name, sides, check, (len(labels), 'labels'))


def _prefix_row(args: argparse.Namespace, head: Any, labels: list[str]) -> Row:
    """The language model's part of a step: whole sequences, as a plain script would run them."""
    llm, readout = head.llm, head.readout

    def whole() -> tuple[Tensor, Tensor]:
        prefix = readout.prefix(llm)
        rows, _ = readout.label_tokens(llm, labels, bos=False, extra=prefix.shape[1])
        ids, mask = pad_tokens(rows, llm.device)
        embeds = torch.cat([prefix.expand(len(labels), -1, -1), llm.embed(ids)], 1)
        return llm(embeds).states[:, prefix.shape[1] :], mask

    def step(read: Callable[[], tuple[Tensor, Tensor]]) -> Callable[[], tuple[Tensor, Tensor]]:
        def run() -> tuple[Tensor, Tensor]:
            states, mask = read()
            found = states[mask].float()
            found.square().mean().backward()
            gradient, readout.tokens.grad = readout.tokens.grad, None
            return found.detach(), gradient

        return run

    def check(found: dict[str, tuple[Tensor, Tensor]]) -> str:
        apart = [difference(*pair) for pair in zip(*found.values(), strict=True)]
        assert max(apart) < 1e-3, apart
        return f'states {apart[0]:.1e} apart, gradients of the prefix {apart[1]:.1e}'

    sides = [
        Side('whole sequences', step(whole)),
        Side('ovmlv, a shared prefix', step(lambda: readout(llm, labels)), 1 / 3),
    ]
    name = f'language model, step: {len(labels)} labels behind {readout.extra_tokens} tokens'
    return Row(f'{name}, {_shown(args.llm)}', sides, check, (len(labels), 'labels'))


@torch.no_grad()
def _by_open_clip(args: argparse.Namespace, clip: Any, template: str, labels: list[str]) -> Tensor:
    """Embeddings of open_clip's own text tower, at its full length."""
    tokens = open_clip.get_tokenizer(args.clip)([template.format(label) for label in labels])
    return F.normalize(clip.encode_text(tokens.to(args.device)), dim=-1)
