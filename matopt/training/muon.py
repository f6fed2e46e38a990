"""Muon: momentum whose matrices are made orthogonal, for the hidden layers of networks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration: its slope at 0 is the largest for which singular values end near 1."""


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon).

    An update turns every direction in which a layer's gradient acts by the same angle, however weak the gradient is
    there: few hundred steps then go as far as thousands of Adam's. :class:`torch.optim.Muon` takes matrices alone, one
    by one; this takes kernels of convolutions too (as matrices of outputs by inputs and taps), those of one size at
    once.

    Args:
        parameters: of two axes or more, all of hidden layers; others belong to Adam.
        lr: the learning rate: the root mean square singular value of an update of a wide matrix.
        momentum: Nesterov's.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], lr: float = 0.02, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # ty: ignore[incompatible-method-override]
        """Take one step."""
        for group in self.param_groups:
            same: defaultdict[tuple[int, int], list[torch.nn.Parameter]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    same[len(p), p[0].numel()].append(p)
            for (rows, columns), parameters in same.items():
                updates = torch.stack([self._update(p, group["momentum"]).flatten(1) for p in parameters])
                rate = group["lr"] * max(1.0, rows / columns) ** 0.5
                for p, update in zip(parameters, orthogonalised(updates), strict=True):
                    p.sub_(update.view(p.shape), alpha=rate)

    def _update(self, p: torch.nn.Parameter, momentum: float) -> torch.Tensor:
        assert p.grad is not None
        average = self.state[p].setdefault("momentum", torch.zeros_like(p))
        average.lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(average, momentum)


def orthogonalised(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Bring the singular values of matrices ``(N, R, C)`` near 1, by Newton and Schulz's iteration."""
    x = matrices.mT if matrices.shape[1] > matrices.shape[2] else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if matrices.shape[1] > matrices.shape[2] else x
