"""Bounds against published closed forms and against each other."""

from __future__ import annotations

import pytest
import torch

from matopt.errors import InputError
from matopt.physics import bounds

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
