"""Bounds, monotonicity, and traits from a user's file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from ray import cloudpickle

from matopt.errors import InputError
from matopt.physics.base import SIMULATORS, Physics
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.properties import Property
from matopt.testing.images import random_microstructures
from matopt.traits.base import TRAITS
from matopt.traits.hashin_shtrikman import HashinShtrikman
from matopt.traits.monotonicity import Monotonicity

STIFFNESS, DIFFUSIVITY = YoungsModulus(37e9, 0.07).property, Diffusivity(0.02).property
PERMEABILITY = Permeability().property
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
def test_violation_is_relative_to_the_upper_bound(shape: tuple[int, ...]) -> None:
    density = binary(shape)[1:]

    def model(stiffness: float, diffusivity: Callable[..., torch.Tensor]) -> Formula:
        return Formula(
            {
                STIFFNESS: lambda d: stiffness * STIFFNESS.bounds(d)[1],
                PERMEABILITY: lambda d: torch.full((len(d),), 1e9, dtype=d.dtype),
                DIFFUSIVITY: lambda d: diffusivity(*DIFFUSIVITY.bounds(d)),
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
    stiffness = STIFFNESS.bounds(torch.ones(1, 1, 6, 6))[1].item()
    weight = torch.tensor(0.5, requires_grad=True)
    residual = HashinShtrikman().residual(
        Formula({STIFFNESS: lambda d: weight * stiffness + 0 * d[:, 0, 0, 0]}), density
    )
    assert residual.item() == pytest.approx(500)  # Half the grain's modulus, over the floor of a thousandth.
    residual.sum().backward()
    assert weight.grad == pytest.approx(1000)


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


COLOUR = Property("colour", "c", "1", "1")


@pytest.mark.parametrize("name", ["hashin_shtrikman", "limits", "monotonicity", "scaling"])
def test_a_trait_refuses_a_model_that_it_says_nothing_about(name: str) -> None:
    trait = TRAITS.find(name)()
    assert not trait.applies_to((COLOUR,)) and trait.applies_to((COLOUR, STIFFNESS))
    model = Formula({COLOUR: lambda d: d[:, 0, 0, 0]})
    with pytest.raises(InputError, match=rf"{name}: no property of the model .*; it has colour"):
        trait.residual(model, torch.ones(1, 1, 2, 2))


def test_bounds_are_known_for_some_properties_and_directions_for_all_of_ours() -> None:
    assert not HashinShtrikman().applies_to((PERMEABILITY,)) and Monotonicity().applies_to((PERMEABILITY,))


def test_a_property_of_a_users_own_brings_its_direction_and_its_bounds() -> None:
    def bounds(density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pore = 1 - density.flatten(1).mean(1)
        return 0 * pore, pore**1.5

    mine = Property("formation_factor", "F", "1", "1", increases_with_solid=False, bounds=bounds)
    density = torch.full((1, 1, 2, 2), 0.19)
    model = Formula({mine: lambda d: 0.729 * 1.5 * (d.flatten(1).mean(1) / 0.19)})
    assert HashinShtrikman().residual(model, density).item() == pytest.approx(0.5)
    assert Monotonicity().residual(model, density).item() == 1


def test_the_bounds_of_a_simulator_in_a_users_file_reach_other_processes(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        """
from dataclasses import dataclass

from matopt.physics.base import Simulator
from matopt.properties import Property

@dataclass(frozen=True)
class Ceiling:
    share: float

    def __call__(self, density):
        solid = density.flatten(1).mean(1)
        return 0 * solid, self.share * solid

class Mine(Simulator):
    @property
    def property(self):
        return Property("mine", "m", "1", "1", bounds=Ceiling(0.5))

    def solve(self, density, voxel_size): ...
"""
    )
    p = SIMULATORS.find("mine.py:Mine", tmp_path)().property
    (tmp_path / "property").write_bytes(cloudpickle.dumps(p))
    there = (
        "import pickle, sys, torch\n"
        "p = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(p.name, p.bounds(torch.ones(1, 1, 2, 2))[1].item())"
    )
    done = subprocess.run(
        [sys.executable, "-c", there, str(tmp_path / "property")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["mine", "0.5"]


def test_bounds_that_were_not_saved_are_missed_aloud() -> None:
    there = Property.from_plain(STIFFNESS.plain())
    assert there == STIFFNESS and HashinShtrikman().applies_to((there,))
    with pytest.raises(InputError, match="bounds of youngs_modulus are not saved with a model; audit it"):
        HashinShtrikman().residual(Formula({there: lambda d: d[:, 0, 0, 0]}), torch.ones(1, 1, 2, 2))
    assert Property.from_plain(PERMEABILITY.plain()).bounds is None


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


def rock(size: int = 24) -> torch.Tensor:
    return random_microstructures(3, (size, size), seed=0).density().double()


def test_the_physics_is_symmetric_has_its_limits_and_scales_up_to_what_its_grid_leaves_open() -> None:
    physics = Physics((YoungsModulus(tolerance=1e-6), Diffusivity(tolerance=1e-6), Permeability(tolerance=1e-6)), 1e-6)
    assert TRAITS.find("symmetry")().residual(physics, rock()).max() < 1e-5
    assert TRAITS.find("limits")().residual(physics, rock()).max() < 1e-3
    volume = random_microstructures(2, (8, 8, 8), seed=0).density().double()
    assert TRAITS.find("limits")().residual(physics, volume).max() < 1e-3
    # Corners of 12^2 voxels, and the same on a grid of 24^2: throats of a voxel differ.
    scaled = TRAITS.find("scaling")().residual(physics, rock())
    assert (scaled > 0.001).all() and (scaled < 0.15).all()


def test_symmetry_is_the_relative_change_under_moves_that_the_property_allows() -> None:
    def formula(d: torch.Tensor) -> torch.Tensor:
        return 1 + d[:, 0, 0].mean(1)

    density = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    density[:, :, 0] = 1
    # Before 2; mirrored along x 1, along y 2; the shift by three rows, 1; of k axes are alike too.
    stiffness = TRAITS.find("symmetry")().residual(Formula({STIFFNESS: formula}), density)
    assert stiffness.item() == pytest.approx((1 / 3 + 0 + 1 / 3) / 3)
    permeability = TRAITS.find("symmetry")().residual(Formula({PERMEABILITY: formula}), density)
    assert permeability.item() == pytest.approx((1 / 3 + 0 + 1 / 3 + (2 - 10 / 9) / (2 + 10 / 9)) / 4)


def test_limits_are_met_by_the_bound_itself_and_a_constant_misses_both_ends_and_the_slope() -> None:
    density = torch.rand(2, 1, 16, 16, dtype=torch.float64)
    limits = TRAITS.find("limits")()
    upper = Formula({STIFFNESS: lambda d: STIFFNESS.bounds(d)[1]})
    torch.testing.assert_close(limits.residual(upper, density), torch.zeros(2, dtype=torch.float64))
    grain = float(STIFFNESS.bounds(torch.ones(1, 1, 4, 4, dtype=torch.float64))[1])
    constant = Formula({STIFFNESS: lambda d: torch.full((len(d),), grain, dtype=d.dtype)})
    # All grain is right, all pore is off by the grain's value, and there is no slope where it is known.
    torch.testing.assert_close(limits.residual(constant, density), torch.full((2,), (1 + 0 + 0.5) / 3).double())


def test_scaling_of_a_constant_is_right_for_stiffness_and_off_by_four_for_permeability() -> None:
    density = torch.rand(2, 1, 8, 6)
    scaling = TRAITS.find("scaling")()
    constant = {p: lambda d: torch.full((len(d),), 2.0) for p in (STIFFNESS, PERMEABILITY)}
    assert scaling.residual(Formula({STIFFNESS: constant[STIFFNESS]}), density).tolist() == [0, 0]
    torch.testing.assert_close(scaling.residual(Formula(constant), density), torch.full((2,), 0.6 / 2))
    with pytest.raises(InputError, match=r"scaling: samples need even edges to be halved; these are of \(8, 7\)"):
        scaling.residual(Formula(constant), torch.rand(1, 1, 8, 7))
    assert Permeability(grain_permeability=1e-15).property.length_power is None
