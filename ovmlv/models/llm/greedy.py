"""Greedy answers of a frozen language model to questions."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .causal_llm import CausalLLM
from .continuing import groups_of, read_rows


@torch.no_grad()
def greedy_answers(llm: CausalLLM, questions: Sequence[str], max_new_tokens: int = 32) -> list[str]:
    """Answer each question with at most one sentence.

    Instruction-tuned models are asked through their chat template, others with "Question / Answer".

    Args:
        llm: The language model with all its layers.
        questions: Questions.
        max_new_tokens: Longest answer, in tokens.
    """
    tokenizer = llm.tokenizer
    rows = []
    for question in questions:
        if getattr(tokenizer, 'chat_template', None):
            text = tokenizer.apply_chat_template(
                [{'role': 'user', 'content': question}], add_generation_prompt=True, tokenize=False
            )
            rows.append(list(tokenizer.encode(text, add_special_tokens=False)))
        else:
            rows.append(llm.tokenize([f'Question: {question}\nAnswer:'], bos=True)[0])
    answers = [''] * len(rows)
    for group in groups_of(llm, rows):
        for i, text in zip(
            group, _answer(llm, [rows[i] for i in group], max_new_tokens), strict=True
        ):
            answers[i] = text
    return answers


def _answer(llm: CausalLLM, rows: Sequence[Sequence[int]], max_new_tokens: int) -> list[str]:
    """Continue token rows."""
    tokenizer = llm.tokenizer
    answers: list[list[int]] = [[] for _ in rows]
    texts: list[str | None] = [None] * len(rows)
    ends = read_rows(llm, rows)
    last, key_values = ends.last, ends.key_values
    for _ in range(max_new_tokens):
        assert last is not None  # the whole model is there
        token = llm.logits(last).argmax(-1)
        for i, new in enumerate(token.tolist()):
            if texts[i] is None:
                if new != tokenizer.eos_token_id:
                    answers[i].append(new)
                texts[i] = _finished(
                    tokenizer.decode(answers[i], skip_special_tokens=True),
                    new == tokenizer.eos_token_id,
                )
        if all(text is not None for text in texts):
            break
        out = llm(llm.embed(token[:, None]), key_values, ends.padding)
        last, key_values = out.last[:, 0], out.key_values
    return [
        text if text is not None else tokenizer.decode(answer, skip_special_tokens=True).strip()
        for text, answer in zip(texts, answers, strict=True)
    ]


def _finished(text: str, ended: bool) -> str | None:
    """The first sentence if there is a whole one, else None."""
    text = text.strip()
    for i, char in enumerate(text):
        if char == '\n' or (char in '.!?' and (i + 1 < len(text) or ended)):
            return text[: i + (char != '\n')].strip()
    return text if ended else None
