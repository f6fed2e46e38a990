"""The settings of designs: what a study's design section holds, what its tasks carry and what the ascent reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from matopt.design.objective import Objective
from matopt.errors import InputError
from matopt.registry import Component

MOVES = Component("moves")

Baseline = Literal["free", "solid_fraction", "nothing", "physics", "best_of_solved"]


@dataclass(frozen=True, kw_only=True)
class AscentSettings(Objective):
    """What is wanted of designs, and how many of them take how many steps, whatever the space and the optimiser.

    Attributes:
        start_porosity: of all starts, where the generator draws them; None takes its samples as they come.
        seeds: designs, side by side.
        steps: of the optimiser.
        n_checked: at how many steps, evenly spaced from the start to the end, microstructures are kept for the physics.
        batch_size: designs that the model sees at once.

    Raises:
        InputError: a number that is too small; the message begins with its name.
    """

    start_porosity: float | None = None
    seeds: int = 100
    steps: int = 60
    n_checked: int = 5
    batch_size: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start_porosity is not None and not 0 < self.start_porosity < 1:
            raise InputError(f"start_porosity must be above 0 and below 1, got {self.start_porosity}")
        for name, least in {"seeds": 1, "steps": 1, "n_checked": 2, "batch_size": 1}.items():
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class DesignSettings(AscentSettings):
    """The settings of a study's designs.

    Attributes:
        spaces: what designs vary in, each by an ascent of its own.
        optimiser: what improves the designs.
        baselines: what the designs are held against, in each space that knows the material: "free", the same without
            the constraint on porosity; "solid_fraction", a blind ascent of the solid fraction without it; "nothing",
            a judge that knows nothing; "physics", the simulators in place of the predictor; "best_of_solved", the best
            of as many solved samples of the same porosity as the physics took solves.
        physics_seeds: designs of the two baselines that ask the simulators at every step.
        rounds: of the closed loop, in the first space that knows the material: the ends of the designs, as solved, join
            what the predictor learns from, and it designs again.
    """

    spaces: tuple[Component, ...] = (Component("latent"), Component("pixel"))
    optimiser: Component = MOVES
    baselines: tuple[Baseline, ...] = ("free", "solid_fraction", "nothing", "physics", "best_of_solved")
    physics_seeds: int = 10
    rounds: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.against is not None and self.porosity_tolerance is not None and self.start_porosity is None:
            raise InputError("start_porosity must be given with against: designs of one front share one porosity")
        if self.physics_seeds < 1:
            raise InputError(f"physics_seeds must be at least 1, got {self.physics_seeds}")
        if self.rounds < 0:
            raise InputError(f"rounds must be at least 0, got {self.rounds}")
