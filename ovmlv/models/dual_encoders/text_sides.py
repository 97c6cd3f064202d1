"""The side of texts of each dual encoder, with one form of input and output."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class TextSide(nn.Module):
    """Rows of token ids ``(N, L)`` to embeddings ``(N, E)``, of any length.

    Attributes:
        embed_dim: E.
        context_length: Longest row.
        vocab_size: Number of token ids.
        whole_rows: Whether rows must have the whole context, since padding is read as text is.
        has_end: Whether a token of the end belongs to each row.
    """

    embed_dim: int
    context_length: int
    vocab_size: int
    whole_rows = False
    has_end = True

    def __init__(self, model: Any) -> None:
        super().__init__()
        config = model.config.text_config
        self.context_length = config.max_position_embeddings
        self.vocab_size = config.vocab_size

    @property
    def table(self) -> nn.Embedding:
        """Embeddings of tokens."""
        raise NotImplementedError

    def forward(self, rows: Tensor, padding: int) -> Tensor:
        """Encode rows, in which ``padding`` is the id that fills them up."""
        raise NotImplementedError


class CLIPTextSide(TextSide):
    """CLIP's and X-CLIP's: causal, so that padding behind the end is never seen."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.core = model.text_model
        self.projection = model.text_projection
        self.embed_dim = self.projection.out_features

    @property
    def table(self) -> nn.Embedding:
        """See :class:`TextSide`."""
        return self.core.embeddings.token_embedding

    def forward(self, rows: Tensor, padding: int) -> Tensor:
        """See :class:`TextSide`."""
        return self.projection(self.core(input_ids=rows).pooler_output)


class SiglipTextSide(TextSide):
    """SigLIP's and SigLIP 2's: padding is read too, and the last token is pooled."""

    whole_rows = True

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.core = model.text_model
        self.embed_dim = self.core.head.out_features

    @property
    def table(self) -> nn.Embedding:
        """See :class:`TextSide`."""
        return self.core.embeddings.token_embedding

    def forward(self, rows: Tensor, padding: int) -> Tensor:
        """See :class:`TextSide`."""
        return self.core(input_ids=rows).pooler_output


class VideoPrismTextSide(TextSide):
    """VideoPrism's: a class token behind the text is pooled, and padding is masked."""

    has_end = False

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.core = model.text_model
        self.embed_dim = model.config.text_config.hidden_size

    @property
    def table(self) -> nn.Embedding:
        """See :class:`TextSide`."""
        return self.core.embeddings.token_embedding

    def forward(self, rows: Tensor, padding: int) -> Tensor:
        """See :class:`TextSide`."""
        mask = (rows != padding).long()
        return self.core(input_ids=rows, attention_mask=mask).pooler_output


class PeTextSide(TextSide):
    """PE-AV's: ModernBERT, whose first token is pooled; padding is masked.

    The token is read behind ModernBERT's last norm, as transformers reads it.
    """

    #: ModernBERT has positions for 8192 tokens; captions are short.
    LONGEST = 512

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.core = model.text_model
        self.head = model.text_video_head
        self.embed_dim = self.head.proj.out_features
        self.context_length = min(self.context_length, self.LONGEST)

    @property
    def table(self) -> nn.Embedding:
        """See :class:`TextSide`."""
        return self.core.get_input_embeddings()

    def forward(self, rows: Tensor, padding: int) -> Tensor:
        """See :class:`TextSide`."""
        mask = (rows != padding).long()
        out = self.core(input_ids=rows, attention_mask=mask)
        return self.head(out.last_hidden_state[:, 0])
