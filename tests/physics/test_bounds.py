"""Bounds against published closed forms and against each other."""

from __future__ import annotations

import itertools
import pickle

import pytest
import torch
from closed_forms import (
    diffusivity_of_coated_spheres,
    reuss,
    uniaxial_modulus,
    voigt,
    youngs_modulus_of_coated_spheres,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from matopt.errors import InputError
from matopt.physics.conduction.bounds import DiffusivityBounds
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.elastic.bounds import YoungsModulusBounds
from matopt.physics.youngs_modulus import YoungsModulus

SHAPES = {2: (10, 10), 3: (5, 5, 4)}
CONDUCTIVITIES = st.floats(1e-3, 1e3)
DIMENSIONS = st.sampled_from([2, 3])
COUNTS = st.integers(0, 100)
SOLID = torch.linspace(0, 1, 101, dtype=torch.float64)


def filled(counts: list[int], dimensions: int) -> torch.Tensor:
    """``(N, 1, *S)``, samples of a hundred voxels of which so many are grain."""
    ranks = torch.arange(100).expand(len(counts), 100)
    return (ranks < torch.tensor(counts)[:, None]).double().view(-1, 1, *SHAPES[dimensions])


def conductivities(counts: list[int], grain: float, dimensions: int) -> tuple[torch.Tensor, torch.Tensor]:
    return DiffusivityBounds(grain, grain)(filled(counts, dimensions))


@pytest.mark.parametrize(("dimensions", "expected"), [(2, [27.89, 21.25, 16.27]), (3, [30.38, 24.83, 20.10])])
def test_hashin_shtrikman_modulus_has_its_known_values(dimensions, expected):
    lower, upper = YoungsModulusBounds(37.0, 0.07)(filled([90, 80, 70], dimensions))
    assert torch.allclose(upper, torch.tensor(expected, dtype=torch.float64), atol=0.006)
    assert (lower == 0).all()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_conductivity_of_empty_grains_has_its_closed_form(dimensions):
    pore = 1 - SOLID
    expected = pore / (2 - pore) if dimensions == 2 else 2 * pore / (3 - pore)
    lower, upper = conductivities(list(range(101)), 0.0, dimensions)
    assert torch.allclose(upper, expected)
    assert (lower == 0).all()


@given(COUNTS, st.floats(1e-3, 1e12), st.floats(-0.9, 0.49), DIMENSIONS)
def test_the_modulus_of_zeros_and_ones_has_the_bounds_of_two_phases(count, modulus, nu, dimensions):
    lower, upper = YoungsModulusBounds(modulus, nu)(filled([count], dimensions))
    expected = youngs_modulus_of_coated_spheres(SOLID[count], modulus, nu, dimensions)
    assert lower == 0 and upper.item() == pytest.approx(expected.item(), rel=1e-9, abs=1e-9 * modulus)


@given(COUNTS, st.one_of(st.just(0.0), CONDUCTIVITIES), DIMENSIONS)
def test_the_conductivity_of_zeros_and_ones_has_the_bounds_of_two_phases(count, grain, dimensions):
    lower, upper = conductivities([count], grain, dimensions)
    expected_lower, expected_upper = diffusivity_of_coated_spheres(SOLID[count], grain, dimensions)
    assert upper.item() == pytest.approx(expected_upper.item(), rel=1e-9, abs=1e-12)
    if grain or count:  # Without any grain that stops it the lower bound is the pore's; 0 is one too.
        assert lower.item() == pytest.approx(expected_lower.item(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("grain", [0.0, 0.01, 1.0, 5.0])
def test_bounds_of_conductivity_are_nested_and_meet_at_the_ends(dimensions, grain):
    lower, upper = conductivities(list(range(101)), grain, dimensions)
    tiny = 1e-12
    some = slice(0 if grain else 1, None)
    assert (reuss(SOLID, grain, 1.0) <= lower + tiny)[some].all()
    assert (lower <= upper + tiny).all()
    assert (upper <= voigt(SOLID, grain, 1.0) + tiny).all()
    assert upper[0] == pytest.approx(1.0) and upper[-1] == pytest.approx(grain)
    assert lower[0] == pytest.approx(1.0 if grain else 0.0) and lower[-1] == pytest.approx(grain)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_modulus_bound_rises_from_nothing_to_the_grain_below_voigt(dimensions):
    grain = uniaxial_modulus(94.5, 0.074, dimensions)
    upper = YoungsModulusBounds(94.5, 0.074)(filled(list(range(101)), dimensions))[1]
    assert upper[0] == 0 and upper[-1] == pytest.approx(grain)
    assert (upper.diff() > 0).all()
    assert (upper <= voigt(SOLID, grain) * (1 + 1e-12)).all()


@given(COUNTS, CONDUCTIVITIES, DIMENSIONS)
def test_conductivities_are_bounded_the_more_tightly_the_more_is_known(count, grain, dimensions):
    lower, upper = conductivities([count], grain, dimensions)
    order = [reuss(SOLID[count], grain, 1.0), lower, upper, voigt(SOLID[count], grain, 1.0)]
    for less, more in itertools.pairwise(order):
        assert less <= more * (1 + 1e-9)
    # Which phase is called grain does not matter, nor in which unit conductivities are told.
    swapped = conductivities([100 - count], 1 / grain, dimensions)
    for value, same in zip((lower, upper), swapped, strict=True):
        assert grain * same.item() == pytest.approx(value.item())


@given(COUNTS, CONDUCTIVITIES)
def test_the_bounds_of_sections_are_each_others_duals(count, grain):
    # Keller, J. Math. Phys. 5 (1964) 548: swap the phases and turn by a quarter, and conductivities multiply to both's.
    lower, upper = conductivities([count], grain, 2)
    dual_lower, dual_upper = conductivities([count], 1 / grain, 2)
    assert (upper * dual_lower).item() == pytest.approx(1)
    assert (lower * dual_upper).item() == pytest.approx(1)


@given(COUNTS, st.floats(1e-3, 1e12), st.floats(-0.9, 0.49), DIMENSIONS)
def test_moduli_are_bounded_by_voigt_and_scale_with_the_grain(count, modulus, nu, dimensions):
    density = filled([count], dimensions)
    lower, upper = YoungsModulusBounds(modulus, nu)(density)
    assert lower == 0 and 0 <= upper <= voigt(SOLID[count], uniaxial_modulus(modulus, nu, dimensions)) * (1 + 1e-9)
    unit = YoungsModulusBounds(1.0, nu)(density)[1]
    assert upper.item() == pytest.approx(modulus * unit.item())


@pytest.mark.parametrize("shape", [(1000, 1000), (100, 100, 100)], ids=["2D", "3D"])
@pytest.mark.parametrize("nu", [0.0, 0.074, 0.3])
def test_the_modulus_bound_begins_with_the_slope_of_few_holes(shape, nu):
    # A circular hole takes 3 f; a spherical one: Mackenzie, Proc. Phys. Soc. B 63 (1950) 2.
    slope = 3.0 if len(shape) == 2 else 3 * (1 - nu) * (9 + 5 * nu) / (2 * (7 - 5 * nu))
    density = torch.ones(1, 1, *shape, dtype=torch.float64)
    density.view(-1)[0] = 0
    upper = YoungsModulusBounds(1.0, nu)(density)[1].item()
    loss = 1 - upper / uniaxial_modulus(1.0, nu, len(shape))
    assert loss * density.numel() == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("level", [0.2, 0.9])
def test_a_uniform_grey_is_its_own_bound(dimensions, level):
    density = torch.full((1, 1, *SHAPES[dimensions]), level, dtype=torch.float64)
    stiffness = level * uniaxial_modulus(37e9, 0.07, dimensions)
    assert YoungsModulusBounds(37e9, 0.07)(density)[1].item() == pytest.approx(stiffness)
    local = 1 - (1 - 0.02) * level
    assert [b.item() for b in DiffusivityBounds(0.02, 0.02)(density)] == pytest.approx([local, local])


def test_single_precision_suffices_for_moduli_in_pascal():
    density = filled(list(range(0, 101, 10)), 2)
    for bounds in (YoungsModulusBounds(37e9, 0.07), DiffusivityBounds(0.02, 0.02)):
        torch.testing.assert_close(bounds(density.float())[1].double(), bounds(density)[1], rtol=1e-5, atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.8), st.sampled_from([0.0, 0.1, 10.0]), DIMENSIONS)
@settings(max_examples=15, deadline=None)
def test_samples_that_look_the_same_along_every_axis_conduct_within_their_bounds(seed, share, grain, dimensions):
    density = symmetric(seed, share, dimensions)
    assume(0 < density.mean() < 1)
    tensor = Diffusivity(grain, "periodic", tolerance=1e-5).solve(density, 1.0).tensor[0]
    mean = tensor.trace() / dimensions
    assert torch.allclose(tensor, mean * torch.eye(dimensions, dtype=torch.float64), atol=1e-4)
    lower, upper = DiffusivityBounds(grain, grain)(density)
    # Corners of voxels are not resolved: an error of either sign that falls with the grid.
    assert 0.97 * lower <= mean <= 1.03 * upper


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 0.95))
@settings(max_examples=10, deadline=None)
def test_samples_that_look_the_same_along_both_axes_are_squeezed_within_their_bound(seed, share):
    density, nu = symmetric(seed, share, 2), 0.2
    assume(0 < density.mean() < 1)
    stiffness = YoungsModulus(1.0, nu, tolerance=1e-5).solve(density, 1.0).tensor[0]
    assert stiffness[0, 0].item() == pytest.approx(stiffness[1, 1].item(), abs=1e-4)
    # The plane bulk modulus of Hashin, J. Mech. Phys. Solids 13 (1965) 119, needs no isotropy in shear.
    shear = 1 / (2 * (1 + nu))
    plane, solid = shear / (1 - 2 * nu), density.mean().item()
    upper = solid * plane * shear / (shear + (1 - solid) * plane)
    assert 0 <= (stiffness[0, 0] + stiffness[0, 1]).item() / 2 <= 1.03 * upper


def symmetric(seed: int, share: float, dimensions: int) -> torch.Tensor:
    """A made-up sample of blocks of four voxels that every turn and reflection of its axes leaves as it is."""
    noise = torch.rand(*[6] * dimensions, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    turned = torch.zeros_like(noise)
    for order in itertools.permutations(range(dimensions)):
        for flips in itertools.product((False, True), repeat=dimensions):
            turned += noise.permute(order).flip([axis for axis in range(dimensions) if flips[axis]])
    turned = turned.round(decimals=9)  # sums in another order differ by rounding
    density = (turned < turned.quantile(share)).double()
    for axis in range(dimensions):
        density = density.repeat_interleave(4, axis)
    return density[None, None]


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize(
    "bounds", [YoungsModulusBounds(94.5, 0.074), DiffusivityBounds(0.0, 0.0), DiffusivityBounds(0.01, 0.0)], ids=repr
)
def test_bounds_are_differentiable_at_the_ends(bounds, dimensions):
    density = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64).view(-1, 1, *[1] * dimensions)
    density = density.repeat(1, 1, *SHAPES[dimensions]).requires_grad_()
    (gradient,) = torch.autograd.grad(sum(bounds(density)).sum(), density)
    assert gradient.isfinite().all() and gradient.abs().amax() > 0


@pytest.mark.parametrize("bounds", [YoungsModulusBounds(1.0, 0.1), DiffusivityBounds(0.1, 0.1)])
def test_other_dimensions_are_refused(bounds):
    with pytest.raises(InputError, match="in 2 and 3 dimensions, not in 4"):
        bounds(torch.ones(1, 1, 2, 2, 2, 2))


@pytest.mark.parametrize("simulator", [YoungsModulus(), Diffusivity()], ids=repr)
def test_a_simulator_states_its_bounds_and_they_travel(simulator):
    density = filled([70], 2)
    there = pickle.loads(pickle.dumps(simulator.property))
    assert there == simulator.property
    assert torch.equal(torch.stack(there.bounds(density)), torch.stack(simulator.property.bounds(density)))
