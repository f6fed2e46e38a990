"""Rungs: the shares of a training at which a trial must be among the best so far, or is pruned.

Asynchronous successive halving (Li et al., MLSys 2020), with several objectives by dominance. The rule goes by the
curves in the ledger, so that a resumed search decides as an undisturbed one; that of Ray Tune forgets them with its
engine, and those of Optuna know one objective.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Curve = Mapping[str, Sequence[float]]
"""What a training foretold as it went on: "progress", the share of it that was over, and objective -> value there."""

PROGRESS = "progress"

CURVE, SAVED = "curve", "saved"
"""What Ray Tune and the ledger are told of a training: its curve, and the seconds that the rest of it would take."""


@dataclass(frozen=True)
class Rungs:
    """When a trial is pruned.

    Attributes:
        objectives: those that it may be pruned for -> "maximize" or "minimize"; its curve tells them.
        first: the share of a training at the first rung, in (0, 1).
        factor: one of so many trials goes on from a rung; the share of the next rung is so many times as large.
        startup: so many trials come to each rung before any is pruned at it.
    """

    objectives: Mapping[str, str]
    first: float
    factor: int
    startup: int

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares of a training at the rungs."""
        shares = [self.first]
        while (following := round(shares[-1] * self.factor, 9)) < 1:
            shares.append(following)
        return tuple(shares)

    def passed(self, curve: Curve) -> int:
        """How many rungs a training has come to."""
        reached = max(curve.get(PROGRESS, ()), default=0.0)
        return sum(share <= reached for share in self.shares)

    def verdict(self, curve: Curve, before: int, others: Iterable[Curve]) -> str:
        """Say why a trial is to be pruned; empty where it goes on.

        A trial goes on where fewer others dominate it, at a rung that both came to, than go on from there.

        Args:
            curve: of the trial.
            before: how many of its rungs it was judged at before.
            others: the curves of the other trials of the search.
        """
        if before == (now := self.passed(curve)):
            return ""
        known = list(others)
        for rung in range(before, now):
            own = self._at(rung, curve)
            rivals = [found for other in known if (found := self._at(rung, other)) is not None]
            if own is None or len(rivals) < self.startup:
                continue
            better = sum(_dominates(rival, own) for rival in rivals)
            if better >= max(1, (len(rivals) + 1) // self.factor):
                values = ", ".join(f"{name} {curve[name][-1]:.3g}" for name in self.objectives)
                return (
                    f"pruned after {curve[PROGRESS][-1]:.0%} of its predictor's training ({values}): {better} of the"
                    f" {len(rivals)} other trials that came to {self.shares[rung]:.0%} were better there"
                )
        return ""

    def _at(self, rung: int, curve: Curve) -> tuple[float, ...] | None:
        """The best of each objective until a rung, larger is better; None where the curve does not come to it.

        The best, as a predictor keeps the state that does best on the validation set.
        """
        count = next((n for n, share in enumerate(curve.get(PROGRESS, ()), 1) if share >= self.shares[rung]), 0)
        if not count or not self.objectives.keys() <= curve.keys():
            return None
        signs = {"maximize": 1.0, "minimize": -1.0}
        return tuple(max(signs[way] * v for v in curve[name][:count]) for name, way in self.objectives.items())


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a >= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)
