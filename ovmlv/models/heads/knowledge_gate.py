"""How little CLIP knows of a label, guessed from what a language model makes of it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.errors import ConfigError

#: The logit of a gate that was not fitted: it is open.
_OPEN = 30.0


class KnowledgeGate(nn.Module):
    """A logistic regression from the LLM's state of a label to "CLIP can hardly tell it".

    Training videos say which of their labels the frozen CLIP cannot tell (motions, mostly); the
    LLM's state says which other labels are of that kind. With the regression's probability p, the
    gate is ``max(0, 2 p - 1)``: closed for what CLIP more likely knows than not. It is fitted once,
    before training, and then stays. Until then it is open for every label. This is ours, not the
    paper's.

    Args:
        width: H of the states.
        threshold: Labels that CLIP knows less well than this count as hardly told, see
            :class:`.LabelWeightHook`.
        inverse_penalty: What the loss of the regression is multiplied by, beside half the squared
            length of its weights (scikit-learn's ``C``).

    Raises:
        ConfigError: A number cannot be used.

    Examples:
        >>> import torch
        >>> from ovmlv.models.heads.knowledge_gate import KnowledgeGate
        >>> states = torch.tensor([[2.0, 0.0], [1.5, 0.2], [0.1, 1.0], [0.0, 1.8]])
        >>> gate = KnowledgeGate(width=2, inverse_penalty=1.0)
        >>> gate(states)
        tensor([1., 1., 1., 1.])
        >>> gate.fit(states, known=torch.tensor([0.9, 0.8, 0.1, 0.0]))
        >>> gate(states) > 0
        tensor([False, False,  True,  True])
    """

    mean: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, width: int, threshold: float = 0.4, inverse_penalty: float = 0.1) -> None:
        super().__init__()
        if not 0 < threshold <= 1:
            raise ConfigError(f'head.knowledge_gate.threshold={threshold} must be in (0, 1]')
        if not inverse_penalty > 0:
            raise ConfigError(
                f'head.knowledge_gate.inverse_penalty={inverse_penalty} must be positive'
            )
        self.threshold, self.inverse_penalty = threshold, inverse_penalty
        self.register_buffer('mean', torch.zeros(width))
        self.register_buffer('weight', torch.zeros(width))
        self.register_buffer('bias', torch.full((1,), _OPEN))

    def forward(self, states: Tensor) -> Tensor:
        """How far it opens for labels of states ``(C, H)``: ``(C,)`` in [0, 1]."""
        p = (self._features(states) @ self.weight + self.bias).sigmoid()
        return (2 * p - 1).clamp(min=0)

    @torch.no_grad()
    def fit(self, states: Tensor, known: Tensor) -> None:
        """Fit the regression; both classes weigh the same.

        Args:
            states: ``(C, H)`` of labels of training.
            known: How well CLIP tells each, ``(C,)`` in [0, 1], or nan where that is not known. If
                all or none are hardly told, the gate stays open.
        """
        judged = ~known.isnan()
        states, hard = states[judged].float(), known[judged] < self.threshold
        if not hard.any() or hard.all():
            return
        self.mean.copy_(states.mean(0))
        features, target = self._features(states).double(), hard.double()
        share = hard.double().mean()
        balance = torch.where(hard, 0.5 / share, 0.5 / (1 - share))
        weight = torch.zeros(features.shape[1], dtype=torch.float64, device=features.device)
        parameters = [weight.requires_grad_(), weight.new_zeros(1).requires_grad_()]
        solver = torch.optim.LBFGS(
            parameters, max_iter=500, tolerance_grad=1e-9, line_search_fn='strong_wolfe'
        )

        def loss() -> Tensor:
            solver.zero_grad()
            logits = features @ parameters[0] + parameters[1]
            losses = F.binary_cross_entropy_with_logits(logits, target, balance, reduction='sum')
            total = self.inverse_penalty * losses + parameters[0].square().sum() / 2
            total.backward()
            return total

        with torch.enable_grad():
            solver.step(loss)  # type: ignore[arg-type]  # torch's own annotation is too narrow
        self.weight.copy_(parameters[0].detach())
        self.bias.copy_(parameters[1].detach())

    def _features(self, states: Tensor) -> Tensor:
        """Directions of the centred states; their entries are of size one."""
        width = self.mean.numel()
        return F.normalize(states.float() - self.mean, dim=-1) * width**0.5
