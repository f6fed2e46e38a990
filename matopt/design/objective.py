"""What is wanted of a design: a property raised, lowered or brought to a value, or two, within limits on others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch

from matopt.errors import InputError
from matopt.properties import Property

Goal = Literal["maximize", "minimize"] | float
"""What is to become of a property: more, less, or a value in SI units."""

Limits = Mapping[str, tuple[float | None, float | None]]
"""The least and the most that properties may have, SI units, by name; None where there is no such limit."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What is wanted of a design, and what it may not cost.

    More grain is stiffer: a design that may change its porosity says nothing that a blind dilation does not. So the
    porosity of the start is held unless it is let go.

    Attributes:
        property: the name of the property that is wanted.
        goal: "maximize", "minimize", or the value that it shall have, SI.
        porosity_tolerance: how far the porosity of a design may be from that of its start; None lets it go.
        limits: on other properties of the same model.
        against: another property that is wanted too. Designs share out between the two: the first of them is for
            ``property`` alone, the last for this one alone, those between weigh both, so that they make a front.
        against_goal: what is to become of it.

    Raises:
        InputError: a goal, tolerance or limit that is no number, or a property against itself; the message begins with
            the name of the setting.
    """

    property: str
    goal: Goal = "maximize"
    porosity_tolerance: float | None = 0.01
    limits: Limits = field(default_factory=dict)
    against: str | None = None
    against_goal: Goal = "maximize"

    def __post_init__(self) -> None:
        for name, goal in {"goal": self.goal, "against_goal": self.against_goal}.items():
            is_named = goal in ("maximize", "minimize")
            if not is_named and (isinstance(goal, str) or not math.isfinite(goal)):
                raise InputError(f"{name} must be maximize, minimize or a value in SI units, got {goal!r}")
        if self.against == self.property:
            raise InputError(f"against must be another property than {self.property}, or null")
        if self.porosity_tolerance is not None and not self.porosity_tolerance >= 0:
            raise InputError(f"porosity_tolerance must be at least 0, got {self.porosity_tolerance}")
        for name, (least, most) in self.limits.items():
            if least is None and most is None:
                raise InputError(f"limits of {name} must have a least or a most value")
            if least is not None and most is not None and least > most:
                raise InputError(f"limits of {name} must be [least, most], got [{least}, {most}]")

    def merit(
        self, predicted: Mapping[str, torch.Tensor], share: torch.Tensor, scales: tuple[Scale, Scale]
    ) -> torch.Tensor:
        """How good values ``(M,)`` of the wanted properties are: the larger the better.

        Of one property it is the value itself, where that is maximised. Of two it is their weighted sum (Zadeh 1963),
        each on its scale.

        Args:
            predicted: the values of all of :attr:`names`.
            share: ``(M,)`` weights in [0, 1] of the second property; the first has the rest.
            scales: of the two properties.
        """
        if self.against is None:
            return towards(self.goal, predicted[self.property])
        first = scales[0].towards(self.goal, predicted[self.property])
        second = scales[1].towards(self.against_goal, predicted[self.against])
        return (1 - share) * first + share * second

    @property
    def names(self) -> tuple[str, ...]:
        """The properties that have to be known: the wanted ones, then those with limits."""
        wanted = [self.property] if self.against is None else [self.property, self.against]
        return tuple(dict.fromkeys((*wanted, *self.limits)))

    def excess(self, predicted: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """By how much values ``(M,)`` of properties break their limits, as a share of the limit; 0 where they do not.

        Args:
            predicted: the values of all of :attr:`names`.
        """
        total = torch.zeros_like(predicted[self.property])
        for name, (least, most) in self.limits.items():
            for limit, beyond in ((least, -1.0), (most, 1.0)):
                if limit is not None:
                    total = total + (beyond * (predicted[name] - limit)).clamp_min(0) / (abs(limit) or 1.0)
        return total


@dataclass(frozen=True)
class Scale:
    """What a property is measured on where it is weighed against another.

    Attributes:
        is_log: its logarithm is taken (:attr:`matopt.properties.Property.scale`). A value of 0, where nothing
            percolates, is as the smallest number.
        deviation: what then counts as one.
    """

    is_log: bool
    deviation: float = 1.0

    @staticmethod
    def of(property_: Property, values: torch.Tensor) -> Scale:
        """Measure a property in standard deviations of the usable ``values``; in ones where they are all the same."""
        scale = Scale(property_.scale == "log")
        known = values[values.isfinite() & ((values > 0) if scale.is_log else True)]
        found = float(scale._on(known.double()).std(correction=0)) if len(known) else 0.0
        return Scale(scale.is_log, found or 1.0)

    def towards(self, goal: Goal, values: torch.Tensor) -> torch.Tensor:
        """How near SI values are to a goal, in deviations: the larger the better.

        Raises:
            InputError: a goal of 0 or less of a property on a logarithmic scale.
        """
        if self.is_log and not isinstance(goal, str):
            if goal <= 0:
                raise InputError(
                    f"goals must be above 0 where a property on a log scale is weighed against another, got {goal}"
                )
            goal = math.log(goal)
        return towards(goal, self._on(values)) / self.deviation

    def _on(self, values: torch.Tensor) -> torch.Tensor:
        return values.clamp_min(torch.finfo(torch.float32).tiny).log() if self.is_log else values


def towards(goal: Goal, values: torch.Tensor) -> torch.Tensor:
    """How near values are to a goal: the larger the better."""
    if goal == "maximize":
        return values
    if goal == "minimize":
        return -values
    return -(values - goal).abs()
