"""The settings of designs: what a study's design section holds, what its tasks carry and what the ascent reads."""

from __future__ import annotations

from dataclasses import dataclass

from matopt.errors import InputError
from matopt.registry import Component

STEEPEST_ASCENT = Component("steepest_ascent")


@dataclass(frozen=True, kw_only=True)
class AscentSettings:
    """The settings of one ascent, whatever the space and the optimiser.

    Attributes:
        property: the name of the property that is raised.
        seeds: designs, side by side.
        steps: of the optimiser.
        n_checked: at how many steps, evenly spaced from the start to the end, densities are kept for the physics.
        batch_size: designs that the predictor sees at once.

    Raises:
        InputError: a number that is too small; the message begins with its name.
    """

    property: str
    seeds: int = 100
    steps: int = 60
    n_checked: int = 5
    batch_size: int = 64

    def __post_init__(self) -> None:
        for name, least in {"seeds": 1, "steps": 1, "n_checked": 2, "batch_size": 1}.items():
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class DesignSettings(AscentSettings):
    """The settings of a study's designs.

    Attributes:
        spaces: what designs vary in, each by an ascent of its own.
        optimiser: what raises the property.
    """

    spaces: tuple[Component, ...] = (Component("latent"), Component("pixel"))
    optimiser: Component = STEEPEST_ASCENT
