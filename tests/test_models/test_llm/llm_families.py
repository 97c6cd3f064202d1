"""Tiny random language models of many families, and plain transformers passes to compare with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ovmlv.errors import ConfigError
from ovmlv.models.llm import CausalLLM, GenerateReadout, PrefixReadout, StaticReadout, SuffixReadout

WIDTH = dict(hidden_size=32, intermediate_size=48, initializer_range=0.15)  # attention matters
USUAL = dict(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, **WIDTH)
SHORT = dict(sliding_window=8, **USUAL)  # shorter than the sequences
LATENT = dict(
    q_lora_rank=16,
    kv_lora_rank=16,
    qk_rope_head_dim=8,
    qk_nope_head_dim=8,
    v_head_dim=12,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,
    **WIDTH,
)
FAMILIES: dict[str, dict[str, Any]] = {
    'llama': USUAL,
    'mistral': SHORT,
    'mixtral': dict(num_local_experts=4, **SHORT),
    'qwen2': dict(use_sliding_window=True, max_window_layers=1, **SHORT),
    'qwen3': dict(head_dim=8, **USUAL),
    'qwen3_next': dict(
        layer_types=['linear_attention', 'full_attention'],
        head_dim=8,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        shared_expert_intermediate_size=16,
        **USUAL,
    ),
    'gemma': dict(head_dim=8, **USUAL),
    'gemma2': dict(head_dim=8, query_pre_attn_scalar=8, final_logit_softcapping=2.0, **SHORT),
    'gemma3_text': dict(head_dim=8, query_pre_attn_scalar=8, **SHORT),
    'gemma3': dict(
        text_config=dict(head_dim=8, query_pre_attn_scalar=8, **SHORT),
        vision_config=dict(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=16,
            patch_size=8,
        ),
        mm_tokens_per_image=4,
    ),
    'gemma3n_text': dict(
        num_hidden_layers=5,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size_per_layer_input=259,
        hidden_size_per_layer_input=8,
        num_kv_shared_layers=0,
        laurel_rank=4,
        altup_num_inputs=2,
        sliding_window=8,
        activation_sparsity_pattern=None,
        **WIDTH,
    ),
    'gemma4_text': dict(
        head_dim=8,
        global_head_dim=8,
        vocab_size_per_layer_input=259,
        hidden_size_per_layer_input=8,
        **SHORT,
    ),
    'phi': USUAL,
    'phi3': SHORT,
    'gpt2': dict(n_embd=32, n_layer=2, n_head=4, initializer_range=0.15),
    'gpt_bigcode': dict(n_embd=32, n_layer=2, n_head=4, initializer_range=0.15),
    'gpt_neo': dict(
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        attention_types=[[['global', 'local'], 1]],
        window_size=8,
        initializer_range=0.15,
    ),
    'gpt_neox': dict(num_hidden_layers=2, num_attention_heads=4, **WIDTH),
    'gptj': dict(n_embd=32, n_layer=2, n_head=4, rotary_dim=4, initializer_range=0.15),
    'codegen': dict(n_embd=32, n_layer=2, n_head=4, rotary_dim=4, initializer_range=0.15),
    'opt': dict(
        hidden_size=32,
        ffn_dim=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        word_embed_proj_dim=32,
        init_std=0.15,
    ),
    'bloom': dict(hidden_size=32, n_layer=2, n_head=4, initializer_range=0.15),
    'mpt': dict(d_model=32, n_layers=2, n_heads=4, initializer_range=0.15),
    'falcon': dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, alibi=True),
    'falcon_h1': dict(
        embedding_multiplier=3.0,
        lm_head_multiplier=0.5,
        head_dim=8,
        mamba_d_ssm=32,
        mamba_n_heads=4,
        mamba_d_head=8,
        mamba_n_groups=1,
        mamba_d_state=8,
        mamba_chunk_size=8,
        **USUAL,
    ),
    'xglm': dict(d_model=32, ffn_dim=48, num_layers=2, attention_heads=4, init_std=0.15),
    'biogpt': dict(num_hidden_layers=2, num_attention_heads=4, **WIDTH),
    'bart': dict(
        d_model=32,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=48,
        encoder_layers=1,
        encoder_attention_heads=4,
        encoder_ffn_dim=48,
        init_std=0.15,
    ),
    'cohere': dict(logit_scale=0.3, **USUAL),
    'cohere2': dict(logit_scale=0.3, **SHORT),
    'granite': dict(embedding_multiplier=6.0, logits_scaling=5.0, residual_multiplier=0.5, **USUAL),
    'olmo2': USUAL,
    'olmoe': dict(num_experts=4, num_experts_per_tok=2, **USUAL),
    'stablelm': USUAL,
    'starcoder2': SHORT,
    'smollm3': USUAL,
    'persimmon': dict(num_hidden_layers=2, num_attention_heads=4, **WIDTH),
    'nemotron': {**USUAL, 'initializer_range': 0.08},
    'glm4': dict(head_dim=8, **USUAL),
    'exaone4': dict(sliding_window_pattern=2, **SHORT),
    'gpt_oss': dict(head_dim=8, num_local_experts=4, num_experts_per_tok=2, **SHORT),
    'minicpm3': dict(scale_emb=4, dim_model_base=16, **LATENT),
    'deepseek_v2': dict(
        n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, **LATENT
    ),
    'deepseek_v3': dict(
        n_routed_experts=4,
        num_experts_per_tok=2,
        n_group=2,
        topk_group=1,
        first_k_dense_replace=1,
        moe_intermediate_size=16,
        **LATENT,
    ),
    'llama4_text': dict(
        intermediate_size_mlp=48,
        head_dim=8,
        num_local_experts=2,
        attention_chunk_size=8,
        no_rope_layers=[1, 0],
        **USUAL,
    ),
    'bert': dict(is_decoder=True, num_hidden_layers=2, num_attention_heads=4, **WIDTH),
    'roberta': dict(is_decoder=True, num_hidden_layers=2, num_attention_heads=4, **WIDTH),
    'bert_encoder': dict(model_type='bert', num_hidden_layers=2, num_attention_heads=4, **WIDTH),
    'openai-gpt': dict(n_embd=32, n_layer=2, n_head=4, initializer_range=0.15),
    'mamba': dict(hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=0.15),
    'mamba2': dict(
        hidden_size=32,
        num_hidden_layers=2,
        state_size=8,
        num_heads=8,
        head_dim=8,
        n_groups=1,
        chunk_size=8,
        initializer_range=0.15,
    ),
    'rwkv': dict(hidden_size=32, attention_hidden_size=32, num_hidden_layers=2),
    'jamba': dict(
        attn_layer_period=2,
        attn_layer_offset=1,
        expert_layer_period=2,
        expert_layer_offset=1,
        num_experts=2,
        mamba_d_state=4,
        use_mamba_kernels=False,
        **USUAL,
    ),
    'lfm2': dict(layer_types=['conv', 'full_attention'], **USUAL),
    'recurrent_gemma': dict(
        block_types=['recurrent', 'attention'],
        lru_width=32,
        attention_window_size=8,
        num_hidden_layers=2,
        num_attention_heads=4,
        hidden_size=32,
        intermediate_size=96,
    ),
}
#: Readouts of the table, and the layer that each reads there: behind the first one, half is cut.
READOUTS = {'prefix': 1, 'suffix': 2, 'static': 1, 'generate': 1}
LABELS = ['cat', 'riding a bicycle', 'café']  # 3 to 16 bytes
COUNT = 3


def row(family: str) -> str:
    """The family's row in the table of docs/llm_families.md, measured now."""
    said = [measure(fields(family), kind, layer) for kind, layer in READOUTS.items()]
    cells = ['equal' if line == 'equal' else 'refused' for line in said]
    kept = ''
    if 'equal' in cells:
        abilities = CausalLLM(config=fields(family)).abilities
        kept = 'kept' if abilities.keeps_keys else 'read again'
    return f'| {family} | ' + ' | '.join(cells) + f' | {kept} |'


def fields(family: str) -> dict[str, Any]:
    """The configuration with its ``model_type``."""
    return {'model_type': family, **FAMILIES[family]}


class Plain:
    """The same LLM by transformers alone: whole, one label at a time, no cache, no mask."""

    def __init__(self, config: dict[str, Any]) -> None:
        from transformers import AutoConfig, AutoModelForCausalLM

        special = dict(vocab_size=259, pad_token_id=0, bos_token_id=1, eos_token_id=2)
        if 'text_config' in config:
            config = {**config, 'text_config': {**special, **config['text_config']}}
            special = {}
        torch.manual_seed(1)
        self.model = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(**special, **config), dtype=torch.float32
        ).eval()
        self.model.requires_grad_(False)
        # The one family of this list that scales the embeddings of ids and not given ones.
        self.scale = config.get('embedding_multiplier') if 'mamba_d_ssm' in config else None

    def embed(self, text: str) -> Tensor:
        return self.embed_ids(ids_of(text))

    def embed_ids(self, ids: Tensor) -> Tensor:
        embeds = self.model.get_input_embeddings()(ids)
        return embeds if self.scale is None else embeds * self.scale

    def table(self) -> Tensor:
        return self.embed_ids(torch.arange(259))

    def run(self, embeds: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """States of a layer and logits of ``[BOS]`` and the embeddings; those of [BOS] left out."""
        embeds = torch.cat([self.embed_ids(torch.tensor([1])), embeds])
        out = self.model(inputs_embeds=embeds[None], output_hidden_states=True, use_cache=False)
        return out.hidden_states[layer][0, 1:], out.logits[0, 1:]

    def run_ids(self, text: str, layer: int) -> Tensor:
        """States of the tokens of a text behind ``[BOS]``; the model reads ids."""
        ids = torch.cat([torch.tensor([1]), ids_of(text)])
        out = self.model(input_ids=ids[None], output_hidden_states=True, use_cache=False)
        return out.hidden_states[layer][0, 1:]


def ids_of(text: str) -> Tensor:
    """The byte tokenizer's ids."""
    return torch.tensor([byte + 3 for byte in text.encode()], dtype=torch.long)


def expected(plain: Plain, kind: str, layer: int, tokens: Tensor | None) -> list[Tensor]:
    """What a readout shall give for each label."""
    if kind == 'prefix':
        return [
            plain.run(torch.cat([tokens, plain.embed(' ' + label)]), layer)[0][COUNT:]
            for label in LABELS
        ]
    if kind == 'suffix':
        return [
            plain.run(torch.cat([plain.embed(f'A {label}.'), tokens]), layer)[0][-COUNT:]
            for label in LABELS
        ]
    if kind == 'static':
        return [plain.run_ids(f'A {label}. So', layer)[1:] for label in LABELS]
    found = []
    for label in LABELS:
        sequence, read = torch.cat([tokens, plain.embed(' ' + label)]), []
        for _ in range(3):
            hidden, logits = plain.run(sequence, layer)
            read.append(hidden[-1])
            soft = (logits[-1] / 0.5).softmax(-1) @ plain.table()
            sequence = torch.cat([sequence, soft[None]])
        found.append(torch.stack(read))
    return found


def build(llm: CausalLLM, kind: str, layer: int) -> torch.nn.Module:
    """A readout."""
    if kind == 'prefix':
        return PrefixReadout(llm, num_tokens=COUNT, layer=layer)
    if kind == 'suffix':
        return SuffixReadout(llm, num_tokens=COUNT, layer=layer, context='A {}.')
    if kind == 'static':
        return StaticReadout(llm, layer=layer, context='A {}. So')
    return GenerateReadout(llm, num_tokens=COUNT, num_steps=3, layer=layer, temperature=0.5)


def measure(config: dict[str, Any], kind: str, layer: int) -> str:
    """``'equal'``, the one line of a refusal, or an assertion that fails.

    Values and gradients of the learnable tokens are compared to 1e-4.
    """
    try:
        llm = CausalLLM(config=config, seed=1)
        readout = build(llm, kind, layer)
    except ConfigError as error:
        assert '\n' not in str(error)
        return str(error)
    plain = Plain(config)
    states, mask = readout(llm, LABELS)
    tokens = getattr(readout, 'tokens', None)
    twin = None if tokens is None else tokens.detach().clone().requires_grad_()
    want = expected(plain, kind, layer, twin)
    assert mask.sum(1).tolist() == [len(e) for e in want]
    want = pad_sequence(want, batch_first=True)
    got = pad_sequence([s[m] for s, m in zip(states, mask, strict=True)], batch_first=True)
    torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)
    assert want.std() > 1e-3
    if twin is not None:
        weight = torch.randn(want.shape, generator=torch.Generator().manual_seed(3))
        (got * weight / want.numel() ** 0.5).sum().backward()
        (want * weight / want.numel() ** 0.5).sum().backward()
        assert twin.grad.abs().max() > 1e-6, 'no gradient: nothing would be compared'
        torch.testing.assert_close(tokens.grad, twin.grad, atol=1e-4, rtol=1e-4)
    return 'equal'


if __name__ == '__main__':  # python -m tests.test_models.test_llm.llm_families
    for name in FAMILIES:
        print(row(name))
