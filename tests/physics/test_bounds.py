"""Bounds against published closed forms and against each other."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from matopt.errors import InputError
from matopt.physics import bounds
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.youngs_modulus import YoungsModulus

FRACTIONS = st.floats(0, 1).map(lambda f: torch.tensor(f, dtype=torch.float64))
CONDUCTIVITIES = st.floats(1e-3, 1e3)
DIMENSIONS = st.sampled_from([2, 3])

SOLID = torch.linspace(0, 1, 101, dtype=torch.float64)


@pytest.mark.parametrize(("dimensions", "expected"), [(2, [27.89, 21.25, 16.27]), (3, [30.38, 24.83, 20.10])])
def test_hashin_shtrikman_modulus_has_its_known_values(dimensions, expected):
    solid = torch.tensor([0.9, 0.8, 0.7], dtype=torch.float64)
    lower, upper = bounds.hashin_shtrikman_youngs_modulus(solid, 37.0, 0.07, dimensions)
    assert torch.allclose(upper, torch.tensor(expected, dtype=torch.float64), atol=0.006)
    assert (lower == 0).all()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_hashin_shtrikman_conductivity_of_empty_grains_has_its_closed_form(dimensions):
    pore = 1 - SOLID
    expected = pore / (2 - pore) if dimensions == 2 else 2 * pore / (3 - pore)
    lower, upper = bounds.hashin_shtrikman_conductivity(SOLID, 0.0, dimensions)
    assert torch.allclose(upper, expected)
    assert (lower[1:] == 0).all() and lower[0] == 1


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("grain", [0.0, 0.01, 1.0, 5.0])
def test_bounds_of_conductivity_are_nested_and_meet_at_the_ends(dimensions, grain):
    lower, upper = bounds.hashin_shtrikman_conductivity(SOLID, grain, dimensions)
    tiny = 1e-12
    assert (bounds.reuss(SOLID, grain, 1.0) <= lower + tiny).all()
    assert (lower <= upper + tiny).all()
    assert (upper <= bounds.voigt(SOLID, grain, 1.0) + tiny).all()
    for end, value in ((0, 1.0), (-1, grain)):
        assert lower[end] == pytest.approx(value) and upper[end] == pytest.approx(value)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_modulus_bound_rises_from_nothing_to_the_grain_below_voigt(dimensions):
    grain = bounds.uniaxial_modulus(94.5, 0.074, dimensions)
    upper = bounds.hashin_shtrikman_youngs_modulus(SOLID, 94.5, 0.074, dimensions)[1]
    assert upper[0] == 0 and upper[-1] == pytest.approx(grain)
    assert (upper.diff() > 0).all()
    assert (upper <= bounds.voigt(SOLID, grain) * (1 + 1e-12)).all()


@given(FRACTIONS, CONDUCTIVITIES, CONDUCTIVITIES, DIMENSIONS)
def test_conductivities_are_bounded_the_more_tightly_the_more_is_known(solid, grain, pore, dimensions):
    lower, upper = bounds.hashin_shtrikman_conductivity(solid, grain, dimensions, pore)
    order = [bounds.reuss(solid, grain, pore), lower, upper, bounds.voigt(solid, grain, pore)]
    for less, more in itertools.pairwise(order):
        assert less <= more * (1 + 1e-9)
    # Which phase is called grain does not matter, and neither does the unit.
    swapped = bounds.hashin_shtrikman_conductivity(1 - solid, pore, dimensions, grain)
    scaled = bounds.hashin_shtrikman_conductivity(solid, 7 * grain, dimensions, 7 * pore)
    for value, same, larger in zip((lower, upper), swapped, scaled, strict=True):
        assert same.item() == pytest.approx(value.item()) and larger.item() == pytest.approx(7 * value.item())


@given(FRACTIONS, CONDUCTIVITIES, CONDUCTIVITIES)
def test_the_bounds_of_sections_are_each_others_duals(solid, grain, pore):
    # Keller, J. Math. Phys. 5 (1964) 548: swap the phases and turn by a quarter, and conductivities multiply to both's.
    lower, upper = bounds.hashin_shtrikman_conductivity(solid, grain, 2, pore)
    dual_lower, dual_upper = bounds.hashin_shtrikman_conductivity(solid, pore, 2, grain)
    assert (upper * dual_lower).item() == pytest.approx(grain * pore)
    assert (lower * dual_upper).item() == pytest.approx(grain * pore)


@given(FRACTIONS, st.floats(1e-3, 1e12), st.floats(-0.9, 0.49), DIMENSIONS)
def test_moduli_are_bounded_by_voigt_and_scale_with_the_grain(solid, modulus, nu, dimensions):
    lower, upper = bounds.hashin_shtrikman_youngs_modulus(solid, modulus, nu, dimensions)
    voigt = bounds.voigt(solid, bounds.uniaxial_modulus(modulus, nu, dimensions))
    assert lower == 0 and 0 <= upper <= voigt * (1 + 1e-9)
    unit = bounds.hashin_shtrikman_youngs_modulus(solid, 1.0, nu, dimensions)[1]
    assert upper.item() == pytest.approx(modulus * unit.item())


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("nu", [0.0, 0.074, 0.3])
def test_the_modulus_bound_begins_with_the_slope_of_few_holes(dimensions, nu):
    # A circular hole takes 3 f; a spherical one: Mackenzie, Proc. Phys. Soc. B 63 (1950) 2.
    slope = 3.0 if dimensions == 2 else 3 * (1 - nu) * (9 + 5 * nu) / (2 * (7 - 5 * nu))
    solid = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    upper = bounds.hashin_shtrikman_youngs_modulus(solid, 1.0, nu, dimensions)[1]
    (gradient,) = torch.autograd.grad(upper, solid)
    assert (gradient / upper).item() == pytest.approx(slope)


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.8), st.sampled_from([0.0, 0.1, 10.0]), DIMENSIONS)
@settings(max_examples=15, deadline=None)
def test_samples_that_look_the_same_along_every_axis_conduct_within_their_bounds(seed, share, grain, dimensions):
    density = symmetric(seed, share, dimensions)
    assume(0 < density.mean() < 1)
    tensor = Diffusivity(grain, "periodic", tolerance=1e-5).solve(density, 1.0).tensor[0]
    mean = tensor.trace() / dimensions
    assert torch.allclose(tensor, mean * torch.eye(dimensions, dtype=torch.float64), atol=1e-4)
    lower, upper = bounds.hashin_shtrikman_conductivity(density.mean(), grain, dimensions)
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


def test_bounds_are_differentiable_at_the_ends():
    ends = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64, requires_grad=True)
    for function in (
        lambda f: bounds.hashin_shtrikman_youngs_modulus(f, 94.5, 0.074, 2),
        lambda f: bounds.hashin_shtrikman_youngs_modulus(f, 94.5, 0.074, 3),
        lambda f: bounds.hashin_shtrikman_conductivity(f, 0.0, 3),
        lambda f: bounds.hashin_shtrikman_conductivity(f, 0.01, 2),
    ):
        (gradient,) = torch.autograd.grad(sum(function(ends)).sum(), ends)
        assert gradient.isfinite().all()


def test_other_dimensions_are_refused():
    with pytest.raises(InputError, match="2 and 3 dimensions"):
        bounds.hashin_shtrikman_youngs_modulus(SOLID, 1.0, 0.1, 4)
