"""The violations of a model beside those of the physics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from matopt.errors import InputError
from matopt.physics.base import Physics, simulators
from matopt.properties import Property
from matopt.stages.audit import audit, compare, residuals
from matopt.traits.base import PropertyModel, Trait
from matopt.traits.hashin_shtrikman import HashinShtrikman
from matopt.traits.monotonicity import Monotonicity

TRAITS = [HashinShtrikman(), Monotonicity()]


@pytest.fixture(scope="module")
def density() -> torch.Tensor:
    noise = np.random.default_rng(0).standard_normal((3, 24, 24))
    smooth = np.stack([ndimage.gaussian_filter(sample, 2, mode="wrap") for sample in noise])
    return torch.from_numpy((smooth > -0.08).astype(np.float32))[:, None]


@pytest.fixture(scope="module")
def physics() -> Physics:
    return Physics(simulators(["youngs_modulus", "diffusivity", "permeability"]), 1e-6)


class Distorted:
    """The physics times a factor that noise in the density decides: plausible values, misleading gradients."""

    def __init__(self, physics: Physics, noise: float) -> None:
        self.properties = physics.properties
        self._physics = physics
        self._noise = noise

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        weight = torch.rand(density.shape[2:], generator=torch.Generator().manual_seed(1)) - 0.5
        values = self._physics.predict(density)
        return values * (1 + self._noise * (density * weight).mean((1, 2, 3))[:, None])


def test_the_physics_has_its_traits_at_the_data_and_off_them(physics: Physics, density: torch.Tensor) -> None:
    for name, found in residuals(physics, density, TRAITS).items():
        assert len(found) == 6 * len(density)
        assert found.max() < 1e-3, name


def test_a_model_violates_more_the_more_it_is_distorted(physics: Physics, density: torch.Tensor) -> None:
    rows = [audit(Distorted(physics, n), physics, density, TRAITS) for n in (1.0, 10.0, 100.0)]
    assert [row.trait for row in rows[0]] == ["hashin_shtrikman", "monotonicity"]
    for weak, middle, strong in zip(*rows, strict=True):
        assert weak.model_residual <= middle.model_residual < strong.model_residual
        assert weak.physics_residual == strong.physics_residual < 1e-3


class Given(Trait):
    """Residuals that the model's first value decides."""

    name = "given"

    def residual(self, model: PropertyModel, density: torch.Tensor) -> torch.Tensor:
        return model.predict(density)[:, 0]


class Always:
    properties = (Property("p", "p", "1", "1"),)

    def __init__(self, value: float) -> None:
        self._value = value

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        return torch.full((len(density), 1), self._value)


def test_residuals_and_rates_of_both_stand_side_by_side() -> None:
    (row,) = audit(Always(0.3), Always(0.0), torch.zeros(2, 1, 4, 4), [Given()])
    assert (row.model_residual, row.physics_residual) == (pytest.approx(0.3), 0)
    assert (row.model_violation_rate, row.physics_violation_rate) == (1, 0)
    (row,) = compare({"t": np.array([0.4, 0.0])}, {"t": np.array([0.0, 5e-4])})
    assert (row.model_residual, row.model_violation_rate, row.physics_violation_rate) == (0.2, 0.5, 0)


def test_the_model_is_solved_once_a_batch_for_all_traits(physics: Physics, density: torch.Tensor) -> None:
    calls = []

    class Counting(Distorted):
        def predict(self, density: torch.Tensor) -> torch.Tensor:
            calls.append(len(density))
            return super().predict(density)

    residuals(Counting(physics, 0.0), density, TRAITS, batch_size=12)
    assert calls == [12, 6]


def test_what_cannot_be_compared_is_refused(physics: Physics, density: torch.Tensor) -> None:
    with pytest.raises(InputError, match="same in the same order"):
        audit(Always(0.0), physics, density, TRAITS)
    with pytest.raises(InputError, match="other traits or densities"):
        compare({"t": np.zeros(2)}, {"t": np.zeros(3)})
