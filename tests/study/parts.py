"""Components of a user's own, as a study file names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field

from matopt.data.sources.base import Source
from matopt.errors import InputError
from matopt.generators.base import Generator, LatentGenerator
from matopt.physics.base import Simulator, Solution
from matopt.predictors.base import Predictor
from matopt.properties import Property
from matopt.stages.metrics.base import PredictorMetric, SampleMetric
from matopt.traits.base import Trait


class Grains(Source):
    def __init__(self, radius: float, table: Path | None = None, periods: Sequence[int] = (8, 8)) -> None:
        if radius <= 0:
            raise InputError(f"radius must be positive, got {radius}")
        self.radius = radius
        self.table = table

    def split(self, window, counts, seed): ...

    def fingerprint(self) -> dict[str, Any]:
        return {"radius": self.radius}


class Plain(Generator):
    def __init__(self, steps: Annotated[int, Field(ge=1)] = 10, shape: tuple[int, ...] = (8, 8)) -> None:
        self.steps = steps

    def fit(self, train, validation=None, report=None, seed=0): ...
    def sample(self, n, seed): ...
    def to(self, device): ...
    def state_dict(self): ...
    def load_state_dict(self, state): ...
    @property
    def voxel_size(self): ...


class Latent(Plain, LatentGenerator):
    def __init__(
        self,
        latent_dim: int = 16,
        morphology_weight: float = 1.0,
        style: Literal["random", "vgg"] = "random",
        pull: float | Literal["auto"] = "auto",
        is_flipped: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if latent_dim < 1:
            raise InputError(f"latent_dim must be at least 1, got {latent_dim}")
        self.latent_dim = latent_dim

    def encode(self, density): ...
    def decode(self, z): ...


class Mean(Predictor):
    def __init__(self, learning_rate: float = 1e-3, replicas: int = 1) -> None:
        if not 0 < learning_rate <= 1:
            raise InputError("the rate must be in (0, 1]")

    def fit(self, *arguments): ...
    def predict(self, density): ...
    def to(self, device): ...
    def state_dict(self): ...
    def load_state_dict(self, state): ...


@dataclass(frozen=True)
class Area(Simulator):
    modulus: float = 37e9

    @property
    def property(self) -> Property:
        return Property("area", "A", "m^2", "m^2")

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution: ...


class Mine(Trait):
    name = "mine"

    def residual(self, model, density): ...


class OfAreas(Trait):
    def applies_to(self, properties: Sequence[Property]) -> bool:
        return any(p.name == "area" for p in properties)

    def residual(self, model, density): ...


class Roughness(SampleMetric):
    direction = "minimize"

    def value(self, samples): ...


class Likeness(PredictorMetric):
    direction = "maximize"
    needs_traits = True

    def value(self, predictions): ...


class NotATrait:
    pass
