"""Bounds, monotonicity, and traits from a user's file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from matopt.errors import InputError
from matopt.physics import bounds
from matopt.properties import Property
from matopt.traits.base import TRAITS
from matopt.traits.hashin_shtrikman import HashinShtrikman, diffusivity_bounds, youngs_modulus_bounds
from matopt.traits.monotonicity import Monotonicity

E, NU, D = 37e9, 0.07, 0.02
STIFFNESS = Property(
    "youngs_modulus", "E", "Pa", "GPa", constants=(("grain_youngs_modulus", E), ("grain_poisson_ratio", NU))
)
DIFFUSIVITY = Property("diffusivity", "D", "1", "1", scale="log", constants=(("grain_diffusivity", D),))
PERMEABILITY = Property("permeability", "k", "m^2", "mD", scale="log")
SHAPES = [(8, 10), (4, 6, 5)]


class Formula:
    """A property model of one formula a property."""

    def __init__(self, columns: dict[Property, Callable[[torch.Tensor], torch.Tensor]]) -> None:
        self.properties = tuple(columns)
        self._columns = columns

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        return torch.stack([formula(density) for formula in self._columns.values()], dim=1)


def binary(shape: tuple[int, ...]) -> torch.Tensor:
    """Samples of all pores, of all grain, and of every tenth in between."""
    levels = torch.linspace(0, 1, 11, dtype=torch.float64).view(-1, 1, *[1] * len(shape))
    noise = torch.rand(11, 1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return (noise < levels).double()


@pytest.mark.parametrize("shape", SHAPES, ids=["2D", "3D"])
def test_bounds_of_zeros_and_ones_are_those_of_two_phases(shape: tuple[int, ...]) -> None:
    density, dimensions = binary(shape), len(shape)
    solid = density.flatten(1).mean(1)
    ours = youngs_modulus_bounds(density, STIFFNESS)
    torch.testing.assert_close(ours, bounds.hashin_shtrikman_youngs_modulus(solid, E, NU, dimensions))
    for grain in (0.0, D, 5.0):
        p = Property("diffusivity", "D", "1", "1", constants=(("grain_diffusivity", grain),))
        lower, upper = diffusivity_bounds(density, p)
        true_lower, true_upper = bounds.hashin_shtrikman_conductivity(solid, grain, dimensions)
        torch.testing.assert_close(upper, true_upper)
        some_solid = solid > 0  # Grain of no diffusivity: the lower bound is 0 as soon as there is any.
        torch.testing.assert_close(lower[some_solid], true_lower[some_solid])


@pytest.mark.parametrize("shape", SHAPES, ids=["2D", "3D"])
@pytest.mark.parametrize("level", [0.2, 0.9])
def test_a_uniform_grey_is_its_own_bound(shape: tuple[int, ...], level: float) -> None:
    density = torch.full((1, 1, *shape), level, dtype=torch.float64)
    stiffness = level * bounds.uniaxial_modulus(E, NU, len(shape))
    assert youngs_modulus_bounds(density, STIFFNESS)[1].item() == pytest.approx(stiffness)
    local = 1 - (1 - D) * level
    assert [b.item() for b in diffusivity_bounds(density, DIFFUSIVITY)] == pytest.approx([local, local])


@pytest.mark.parametrize("shape", SHAPES, ids=["2D", "3D"])
def test_violation_is_relative_to_the_upper_bound(shape: tuple[int, ...]) -> None:
    density = binary(shape)[1:]

    def model(stiffness: float, diffusivity: Callable[..., torch.Tensor]) -> Formula:
        return Formula(
            {
                STIFFNESS: lambda d: stiffness * youngs_modulus_bounds(d, STIFFNESS)[1],
                PERMEABILITY: lambda d: torch.full((len(d),), 1e9, dtype=d.dtype),
                DIFFUSIVITY: lambda d: diffusivity(*diffusivity_bounds(d, DIFFUSIVITY)),
            }
        )

    trait = HashinShtrikman()
    inside = trait.residual(model(0.7, lambda lower, upper: (lower + upper) / 2), density)
    assert (inside == 0).all()
    beyond = trait.residual(model(1.2, lambda lower, upper: 1.3 * upper), density)
    torch.testing.assert_close(beyond, torch.full_like(beyond, (0.2 + 0.3) / 2))
    below = trait.residual(model(-0.1, lambda lower, upper: lower - 0.05 * upper), density)
    torch.testing.assert_close(below, torch.full_like(below, (0.1 + 0.05) / 2))


def test_a_sample_without_grain_has_a_finite_violation_and_gradient() -> None:
    density = torch.zeros(1, 1, 6, 6)
    stiffness = bounds.uniaxial_modulus(E, NU, 2)
    weight = torch.tensor(0.5, requires_grad=True)
    residual = HashinShtrikman().residual(
        Formula({STIFFNESS: lambda d: weight * stiffness + 0 * d[:, 0, 0, 0]}), density
    )
    assert residual.item() == pytest.approx(500)  # Half the grain's modulus, over the floor of a thousandth.
    residual.sum().backward()
    assert weight.grad == pytest.approx(1000)


def test_single_precision_suffices_for_moduli_in_pascal() -> None:
    density = binary((8, 10))
    for p, formula in ((STIFFNESS, youngs_modulus_bounds), (DIFFUSIVITY, diffusivity_bounds)):
        torch.testing.assert_close(
            formula(density.float(), p)[1].double(), formula(density, p)[1], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize(("p", "sign"), [(STIFFNESS, 1), (DIFFUSIVITY, -1), (PERMEABILITY, -1)])
def test_monotonicity_is_the_share_of_the_gradient_with_the_wrong_sign(p: Property, sign: int) -> None:
    slopes = sign * torch.tensor([3.0, -1.0, 5.0, -1.0])
    model = Formula({p: lambda d: 1e-14 * (d.flatten(1) ** 2 @ slopes)})
    density = torch.tensor([[1.0, 1, 1, 1], [1, 0, 0, 0.5], [0, 0, 0, 0]]).view(3, 1, 2, 2)
    # d/drho = 2 rho slope: wrong over all is 2/10, then 0.5/3.5, then no gradient at all.
    torch.testing.assert_close(Monotonicity().residual(model, density), torch.tensor([0.2, 1 / 7, 0.0]))


def test_monotonicity_is_differentiable_in_the_models_parameters() -> None:
    slopes = torch.tensor([3.0, -1.0], requires_grad=True)
    model = Formula({STIFFNESS: lambda d: (d.flatten(1) @ slopes).exp()})
    Monotonicity().residual(model, torch.ones(1, 1, 1, 2)).sum().backward()
    # share = -b / (a - b): d/da = b / (a - b)^2, d/db = -a / (a - b)^2.
    torch.testing.assert_close(slopes.grad, torch.tensor([-1 / 16, -3 / 16]))


def test_monotonicity_can_be_asked_for_where_gradients_are_off() -> None:
    slopes = torch.tensor([3.0, -1.0], requires_grad=True)
    model = Formula({STIFFNESS: lambda d: d.flatten(1) @ slopes})
    with torch.no_grad():
        residual = Monotonicity().residual(model, torch.ones(1, 1, 1, 2))
    assert residual.item() == pytest.approx(0.25)
    assert not residual.requires_grad


@pytest.mark.parametrize("name", ["hashin_shtrikman", "monotonicity"])
def test_a_trait_refuses_a_model_that_it_says_nothing_about(name: str) -> None:
    model = Formula({Property("colour", "c", "1", "1"): lambda d: d[:, 0, 0, 0]})
    with pytest.raises(InputError, match=f"{name}: the model has none of"):
        TRAITS.find(name)().residual(model, torch.ones(1, 1, 2, 2))


def test_a_trait_from_a_users_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from matopt.traits.base import Trait\n"
        "\n"
        "class Positive(Trait):\n"
        "    name = 'positive'\n"
        "\n"
        "    def residual(self, model, density):\n"
        "        return (-model.predict(density)).relu().mean(1)\n"
    )
    trait = TRAITS.find("mine.py:Positive", tmp_path)(weight=2.0)
    residual = trait.residual(Formula({STIFFNESS: lambda d: d[:, 0, 0, 0] - 1}), torch.zeros(1, 1, 2, 2))
    assert (trait.weight, residual.item()) == (2.0, 1.0)
    assert {"hashin_shtrikman", "monotonicity"} <= set(TRAITS.names())
