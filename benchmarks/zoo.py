"""Models of Young's modulus of Berea sandstone that differ in what they know: from the physics itself to nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from specimens import VOXEL
from torch.nn import functional

from matopt.data.labels.store import LabelStore
from matopt.generators.perturbations import Perturbations
from matopt.microstructures import Microstructures
from matopt.physics.base import Physics
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.predictors.cnn import CNN
from matopt.predictors.convolutional.predictor import ConvolutionalPredictor
from matopt.predictors.full_field import FullField
from matopt.properties import PropertyTable
from matopt.stages.data import LabelledSet
from matopt.stages.simulate import simulate
from matopt.traits.base import PropertyModel, Trait
from matopt.traits.hashin_shtrikman import HashinShtrikman
from matopt.traits.monotonicity import Monotonicity

Network = TypeVar("Network", bound=ConvolutionalPredictor)

SIZE = 64
COPIES = 10
"""Perturbed copies of each training window."""


@dataclass(frozen=True)
class Rock:
    """The windows of a scan: 100 learnt from and 100 chosen by (z < 200), 400 tested on, and those designed from.

    Slices learnt from are 10 apart. What is tested on (220 <= z < 312) and what is designed from (z >= 320) share no
    voxel with each other or with anything before.
    """

    scan: np.ndarray
    keep: Path

    @cached_property
    def store(self) -> LabelStore:
        return LabelStore(self.keep / "labels")

    @cached_property
    def train(self) -> LabelledSet:
        return self.labelled(self._windows(range(0, 110, 10), 64, 100))

    @cached_property
    def validation(self) -> LabelledSet:
        return self.labelled(self._windows(range(120, 200, 10), 64, 100))

    @cached_property
    def test(self) -> LabelledSet:
        return self.labelled(self._windows(range(220, 312, 8), 64, 400))

    @cached_property
    def pool(self) -> LabelledSet:
        return self.labelled(self._windows(range(320, 400, 8), 32, None))

    def label(self, microstructures: Microstructures) -> PropertyTable:
        return simulate(microstructures, ["youngs_modulus"], self.store)

    def labelled(self, microstructures: Microstructures) -> LabelledSet:
        return LabelledSet(microstructures, self.label(microstructures))

    def _windows(self, slices: range, stride: int, count: int | None) -> Microstructures:
        corners = range(0, self.scan.shape[1] - SIZE + 1, stride)
        phases = np.stack([self.scan[z, y : y + SIZE, x : x + SIZE] for z in slices for y in corners for x in corners])
        chosen = np.random.default_rng(0).permutation(len(phases))[:count]
        return Microstructures(phases[chosen], VOXEL)


class Coarse:
    """The physics of samples averaged down to half the resolution."""

    def __init__(self, physics: Physics) -> None:
        self.properties = physics.properties
        self._physics = physics

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        return self._physics.predict(functional.avg_pool2d(density, 2))


class Constant:
    """The mean of what was learnt from."""

    def __init__(self, train: LabelledSet) -> None:
        self.properties = train.labels.properties
        self._values = torch.from_numpy(train.labels.values.mean(0))

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        return self._values + 0 * density.double().flatten(1).sum(1, keepdim=True)


class OfPorosity:
    """A parabola of the porosity, fitted by least squares."""

    def __init__(self, train: LabelledSet) -> None:
        self.properties = train.labels.properties
        powers = train.microstructures.porosity[:, None] ** np.arange(3)
        self._weights = torch.from_numpy(np.linalg.lstsq(powers, train.labels.values, rcond=None)[0])

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        porosity = 1 - density.double().flatten(1).mean(1, keepdim=True)
        return porosity ** torch.arange(3) @ self._weights


class Rows:
    """A model that sees the first rows of a sample; the rest it takes for grain."""

    def __init__(self, model: CNN, rows: int = 8) -> None:
        self.properties = model.properties
        self._model = model
        self._rows = rows

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        return self._model.predict(torch.cat([density[:, :, : self._rows], 1 + 0 * density[:, :, self._rows :]], 2))

    @staticmethod
    def seen(microstructures: Microstructures, rows: int = 8) -> Microstructures:
        phases = microstructures.phases.copy()
        phases[:, rows:] = 1
        return Microstructures(phases, microstructures.voxel_size)


class Reversed:
    """A model at authentic samples; off them it answers every change with its opposite.

    Args:
        model: whose answers are turned round.
        authentic: ``(N, 1, *S)`` where it is right; any other sample is taken for a change of the nearest of them.
    """

    def __init__(self, model: PropertyModel, authentic: torch.Tensor) -> None:
        self.properties = model.properties
        self._model = model
        self._authentic = authentic

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        nearest = torch.cdist(density.detach().flatten(1), self._authentic.flatten(1)).argmin(1)
        return 2 * self._model.predict(self._authentic[nearest]) - self._model.predict(density)


@dataclass(frozen=True)
class Zoo:
    """The members by name, trained when they are asked for and kept.

    Attributes:
        rock: the windows.
        steps: of a training; fields are taught for half as many again, as is their default.
        keep: where trained models are kept.
    """

    rock: Rock
    steps: int
    keep: Path

    @cached_property
    def physics(self) -> Physics:
        return Physics((YoungsModulus(),), VOXEL)

    @cached_property
    def perturbed(self) -> LabelledSet:
        train = self.rock.train
        copies = Perturbations().fit(train.microstructures).draw(COPIES * len(train), seed=0)
        return train + self.rock.labelled(copies)

    @cached_property
    def members(self) -> dict[str, Callable[[int], PropertyModel]]:
        """Each takes the seed of a training."""
        train, steps = self.rock.train, self.steps
        traits = [HashinShtrikman(weight=1.0), Monotonicity(weight=1.0)]

        def shuffled(seed: int) -> LabelledSet:
            order = np.random.default_rng([1, seed]).permutation(len(train))
            return LabelledSet(train.microstructures, train.labels[order])

        def authentic() -> torch.Tensor:
            held = [self.rock.test.microstructures, self.rock.pool.microstructures]
            return torch.cat([m.density() for m in held])

        def rows(seed: int) -> Rows:
            seen = LabelledSet(Rows.seen(train.microstructures), train.labels)
            return Rows(self._cnn("eight rows", seed, seen, steps=steps, symmetries=False))

        def fields() -> FullField:
            return FullField(steps=3 * steps // 2)

        def default(seed: int) -> CNN:
            return self._cnn("trained", seed, train, steps=steps)

        return {
            "physics": lambda seed: self.physics,
            "physics, half the resolution": lambda seed: Coarse(self.physics),
            "trained": default,
            "trained by mirror images alone": lambda seed: self._cnn(
                "mirrored", seed, train, steps=steps, symmetries=False
            ),
            "trained on perturbed copies": lambda seed: self._cnn("perturbed", seed, self.perturbed, steps=steps),
            "trained with traits": lambda seed: self._cnn(
                "traits", seed, train, traits, steps=steps, trait_batch_size=4
            ),
            "taught fields": lambda seed: self._learnt(fields(), "fields", seed, train),
            "taught fields of 25 windows": lambda seed: self._learnt(fields(), "few fields", seed, train[:25]),
            "wider": lambda seed: self._cnn("wider", seed, train, steps=steps, width=24),
            "trained on 25 windows": lambda seed: self._cnn("few", seed, train[:25], steps=steps),
            "hardly trained": lambda seed: self._cnn("hardly", seed, train, steps=max(1, steps // 25)),
            "shuffled labels": lambda seed: self._cnn("shuffled", seed, shuffled(seed), steps=steps),
            "shuffled labels with traits": lambda seed: self._cnn(
                "shuffled traits", seed, shuffled(seed), traits, steps=steps, trait_batch_size=4
            ),
            "constant": lambda seed: Constant(train),
            "untrained": lambda seed: self._cnn("untrained", seed, train, steps=1),
            "reads eight rows": rows,
            "knows porosity alone": lambda seed: OfPorosity(train),
            "right on data, reversed off it": lambda seed: Reversed(default(seed), authentic()),
        }

    def _cnn(self, name: str, seed: int, train: LabelledSet, traits: list[Trait] | None = None, **settings) -> CNN:
        return self._learnt(CNN(**settings), name, seed, train, traits)

    def _learnt(
        self, model: Network, name: str, seed: int, train: LabelledSet, traits: list[Trait] | None = None
    ) -> Network:
        path = self.keep / f"{name.replace(' ', '_')}_{model.steps}_{seed}.pt"
        if path.is_file():
            model.load_state_dict(torch.load(path, weights_only=True))
            model.properties = self.physics.properties
            return model
        validation = self.rock.validation
        if name == "eight rows":
            validation = LabelledSet(Rows.seen(validation.microstructures), validation.labels)
        # An untrained network is one of a single step that is too small to matter.
        held = None if name == "untrained" else (validation.microstructures, validation.labels)
        if name == "untrained":
            model.learning_rate = 1e-12
        model.fit(train.microstructures, train.labels, held, traits or [], seed=seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), path)
        return model
