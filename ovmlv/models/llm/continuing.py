"""Token rows of unequal length that are continued by learnable tokens or by what the LLM says."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import NamedTuple

import torch
from torch import Tensor

from .causal_llm import CausalLLM
from .kv_cache import KeyValues, expand, push_right
from .readouts.base_readout import pad_tokens


class Ends(NamedTuple):
    """Token rows that were read to their ends.

    Attributes:
        states: ``(c, H)`` states of the last tokens.
        last: ``(c, H)`` the same states after the final norm, or None.
        key_values: Keys and values that the next tokens need.
        padding: Padding for the next tokens, see :meth:`.CausalLLM.forward`.
    """

    states: Tensor
    last: Tensor | None
    key_values: KeyValues
    padding: Tensor | None


def groups_of(llm: CausalLLM, rows: Sequence[Sized]) -> list[list[int]]:
    """Indices of rows that may be continued together.

    If the family leaves out padding in front, these are all rows; otherwise, they are those of one
    length. Padding in between, masked or not, would count as distance in families that count tokens
    by their place in the batch (ALiBi, windows).
    """
    if llm.abilities.takes_padding:
        return [list(range(len(rows)))]
    groups: dict[int, list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault(len(row), []).append(i)
    return [groups[length] for length in sorted(groups)]


def stack_right(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Rows ``(L_i, D)`` as ``(c, L, D)``, padded in front, and the length of each row's padding."""
    longest = max(len(row) for row in rows)
    if all(len(row) == longest for row in rows):
        return torch.stack(list(rows)), None
    padding = torch.tensor([longest - len(row) for row in rows], device=rows[0].device)
    stacked = rows[0].new_zeros(len(rows), longest, rows[0].shape[1])
    for i, row in enumerate(rows):
        stacked[i, longest - len(row) :] = row
    return stacked, padding


def read_rows(llm: CausalLLM, rows: Sequence[Sequence[int]], past: KeyValues | None = None) -> Ends:
    """Read rows of one of :func:`groups_of`.

    Args:
        llm: The language model.
        rows: Token ids.
        past: Keys and values of the tokens before every row, batch 1.
    """
    ids, mask = pad_tokens(rows, llm.device)
    out = llm(llm.embed(ids), None if past is None else expand(past, len(rows)))
    ends = mask.sum(1) - 1
    each = torch.arange(len(rows), device=llm.device)
    last = None if out.last is None else out.last[each, ends]
    if bool(mask.all()):
        return Ends(out.states[each, ends], last, out.key_values, None)
    padding = (~mask).sum(1)
    return Ends(out.states[each, ends], last, push_right(out.key_values, padding), padding)
