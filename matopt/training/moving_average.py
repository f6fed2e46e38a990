"""The moving average of a training's parameters, which is quieter than the last step's."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch


class MovingAverage:
    """An exponential moving average of parameters, over as many steps as there were to begin with.

    Args:
        parameters: that are averaged.
        decay: of the average once there are enough steps: it then reaches over about ``1 / (1 - decay)`` of them.
    """

    def __init__(self, parameters: Sequence[torch.nn.Parameter], decay: float) -> None:
        self._parameters = parameters
        self._average = [p.detach().clone() for p in parameters]
        self._decay = decay
        self._updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters as they are now."""
        self._updates += 1
        decay = min(self._decay, self._updates / (self._updates + 9))
        torch._foreach_lerp_(self._average, list(self._parameters), 1 - decay)

    @torch.no_grad()
    def apply(self) -> None:
        """Set the parameters to their average."""
        torch._foreach_copy_(list(self._parameters), self._average)

    @contextmanager
    def applied(self) -> Generator[None]:
        """Set the parameters to their average for a while."""
        now = [p.detach().clone() for p in self._parameters]
        self.apply()
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(list(self._parameters), now)
