"""Trials that find out what a language model can do, by running it on a few tokens.

Families differ in so many ways that no list of names would stay complete: embeddings scaled inside
or outside the embedding module, recurrent states in place of keys and values, caches that drop
tokens, logits that are scaled or capped. Each ability is tried here on two short sequences and
compared with a plain pass over whole sequences of token ids, which is right by definition.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.errors import ConfigError

from .kv_cache import KeyValues, expand, from_cache, to_cache

LENGTH = 16


@dataclass(frozen=True)
class Abilities:
    """What a language model can do, as the trials found.

    Attributes:
        num_layers: Number of layers whose states can be read.
        takes_embeds: Whether embeddings in place of token ids give the same states.
        input_scale: Factor on the output of the embedding module with which they do.
        keeps_keys: Whether keys and values of earlier tokens, computed once and shared by several
            sequences, give the same states as whole sequences.
        takes_padding: Whether sequences of unequal length, padded and masked in front, can be
            continued together.
        reads_logits: Whether the head on the last states gives the model's own logits.
        ends_in_last: Whether the decoder's last states are those of its last layer as counted.
    """

    num_layers: int
    takes_embeds: bool = True
    input_scale: float = 1.0
    keeps_keys: bool = True
    takes_padding: bool = False
    reads_logits: bool = True
    ends_in_last: bool = True


def same(got: Tensor, want: Tensor, rounds: bool = True) -> bool:
    """Whether two results are equal but for rounding.

    Args:
        got: One result.
        want: The other result.
        rounds: Whether they come from operations of other sizes. Such results differ much in half
            precision, but far less than wrong ones.
    """
    if got.shape != want.shape:
        return False
    coarse = rounds and want.dtype not in (torch.float32, torch.float64)
    got, want = got.double(), want.double()
    return bool((got - want).norm() <= (0.1 if coarse else 2e-4) * want.norm())


def text_config(config: Any) -> Any:
    """The part of a configuration that is about text; models of images and text have more parts."""
    return config.get_text_config(decoder=True)


def probe_ids(config: Any, device: torch.device) -> Tensor:
    """Ordinary token ids ``(2, L)``; the second half of the two rows differs."""
    special: set[Any] = set()
    for part in (config, text_config(config)):
        for name, value in part.to_dict().items():
            if name.endswith(('token_id', 'token_index')):
                special |= set(value if isinstance(value, list) else [value])
    usable = [i for i in range(min(text_config(config).vocab_size, 4096)) if i not in special]
    half = LENGTH // 2
    rows = [[usable[(k * i + 3) % len(usable)] for i in range(LENGTH)] for k in (7, 11)]
    return torch.tensor([rows[0], rows[0][:half] + rows[1][half:]], device=device)


@torch.no_grad()
def check_decoder(model: Any, decoder: nn.Module, head: Any) -> Abilities:
    """Try everything that readouts need.

    Args:
        model: The causal language model of transformers, in eval mode.
        decoder: Its part without the head.
        head: Result of :func:`~.lm_head.own_head`.

    Raises:
        ConfigError: The model is not a plain decoder of text, and no readout works with it.
    """
    family, half = model.config.model_type, LENGTH // 2
    try:
        ids = probe_ids(model.config, next(decoder.parameters()).device)
        plain = model(input_ids=ids, use_cache=False, output_hidden_states=True)
        layers, logits = plain.hidden_states, plain.logits
        last = decoder(input_ids=ids, use_cache=False).last_hidden_state
        if layers is None or any(s.dim() != 3 or s.shape[:2] != ids.shape for s in layers):
            raise ValueError('its layers give no states')
    except Exception as error:
        raise ConfigError(
            f'llm: {family} cannot be run as a plain decoder of text ({first_line(error)}), so no '
            'readout works with it; use another LLM'
        ) from error
    if not last.isfinite().all():
        raise ConfigError(
            f'llm: {family} gives states that are not finite in {str(last.dtype)[6:]}; use another '
            "llm dtype, e.g. 'float32'"
        )
    if not same(last[1, :half], last[0, :half]):
        encoder = not getattr(model.config, 'is_decoder', True)
        raise ConfigError(
            f'llm: tokens of {family} see later ones, so no readout works with it; use a causal '
            'decoder' + (' (is_decoder=True in its configuration)' if encoder else '')
        )
    scale = _attempt(lambda: _input_scale(decoder, ids, layers[0], last))
    keeps = scale is not None and bool(
        _attempt(lambda: same(_last_by_cache(decoder, ids, scale), last[:, half:]))
    )
    return Abilities(
        num_layers=len(layers) - 1,
        takes_embeds=scale is not None,
        input_scale=1.0 if scale is None else scale,
        keeps_keys=keeps,
        takes_padding=keeps
        and bool(_attempt(lambda: _continues_padded(decoder, ids, scale, last))),
        reads_logits=bool(_attempt(lambda: same(head(inputs_embeds=last).logits, logits))),
        ends_in_last=same(last, layers[-1]),
    )


@torch.no_grad()
def trust_decoder(model: nn.Module, decoder: nn.Module, head: nn.Module | None) -> Abilities:
    """What one token shows about the shape of the model, without any comparison."""
    token = probe_ids(model.config, next(decoder.parameters()).device)[:1, :1]
    return Abilities(
        num_layers=text_config(model.config).num_hidden_layers,
        keeps_keys=_attempt(lambda: _cached(decoder, _embed(decoder, token))) is not None,
        reads_logits=head is not None,
    )


def first_line(error: Exception) -> str:
    """What went wrong, in short."""
    lines = str(error).strip().splitlines()
    return f'{type(error).__name__}: {lines[0][:160]}' if lines else type(error).__name__


def _attempt(function: Callable[[], Any]) -> Any:
    """The result, or None if the model cannot do it."""
    try:
        return function()
    except Exception:  # of any kind: foreign code met something that it was not made for
        return None


def _embed(decoder: Any, ids: Tensor) -> Tensor:
    return decoder.get_input_embeddings()(ids)


def _input_scale(decoder: nn.Module, ids: Tensor, first: Tensor, last: Tensor) -> float | None:
    """The factor on embeddings with which they give the states of their ids; None if none does.

    Some families (Falcon-H1) scale the embeddings of ids, but not embeddings that they are given.
    """
    embeds = _embed(decoder, ids)
    # Learnable tokens are no row of the table. Some families (Gemma 4) look the token up in it.
    decoder(inputs_embeds=embeds[:1] * 1.1, use_cache=False)
    out = decoder(inputs_embeds=embeds, use_cache=False, output_hidden_states=True)
    if same(out.last_hidden_state, last, rounds=False):
        return 1.0
    got, want = out.hidden_states[0].double(), first.double()
    scale = float((got * want).sum() / (got * got).sum())
    out = decoder(inputs_embeds=embeds * scale, use_cache=False)
    return scale if same(out.last_hidden_state, last, rounds=False) else None


def padded(decoder: nn.Module, padding: Tensor, past: int, length: int) -> dict[str, Tensor]:
    """Mask and positions of ``length`` tokens behind ``past``, the first ``padding`` of which are
    no tokens.
    """
    places = torch.arange(past + length, device=padding.device)[None] - padding[:, None]
    found = {'attention_mask': (places >= 0).long()}
    inner = getattr(decoder, 'decoder', decoder)  # OPT wraps its decoder once more
    if 'position_ids' in inspect.signature(inner.forward).parameters:
        found['position_ids'] = places[:, past:]
    return found


def _continues_padded(decoder: nn.Module, ids: Tensor, scale: float, last: Tensor) -> bool:
    """Whether a long and a short sequence, continued together, give what they give alone."""
    embeds = _embed(decoder, ids) * scale
    half, gap = LENGTH // 2, 5
    _, long = _cached(decoder, embeds[:1, :half])
    _, short = _cached(decoder, embeds[1:, gap:half])
    past = [
        (torch.cat([a, F.pad(b, (0, 0, gap, 0))]), torch.cat([c, F.pad(d, (0, 0, gap, 0))]))
        for (a, c), (b, d) in zip(long, short, strict=True)
    ]
    padding = torch.tensor([0, gap], device=ids.device)
    got, _ = _cached(decoder, embeds[:, half:], past, **padded(decoder, padding, half, half))
    alone = decoder(input_ids=ids[1:, gap:], use_cache=False).last_hidden_state
    return same(got[0], last[0, half:]) and same(got[1], alone[0, half - gap :])


def _cached(
    decoder: nn.Module, embeds: Tensor, past: KeyValues | None = None, **kwargs: Tensor
) -> Any:
    """Run with a cache that must hold keys and values afterwards."""
    from transformers.cache_utils import DynamicCache

    cache = to_cache(past) if past else DynamicCache()
    out = decoder(inputs_embeds=embeds, past_key_values=cache, use_cache=True, **kwargs)
    return out.last_hidden_state, from_cache(out.past_key_values)


def _last_by_cache(decoder: nn.Module, ids: Tensor, scale: float) -> Tensor:
    """Last states of the second halves, behind the first half that is computed once."""
    embeds = _embed(decoder, ids) * scale
    half = LENGTH // 2
    _, shared = _cached(decoder, embeds[:1, :half])
    return _cached(decoder, embeds[:, half:], expand(shared, len(ids)))[0]
