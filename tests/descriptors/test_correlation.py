import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from matopt.descriptors.correlation import radial_correlation, two_point_correlation
from matopt.descriptors.phases import volume_fraction


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(13, 17), (9, 8, 10)])
def test_every_vector_has_the_mean_over_its_pairs(shape: tuple[int, ...], periodic: bool) -> None:
    density = torch.rand(2, 1, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    pore = 1 - density[:, 0]
    radius = 4
    found = two_point_correlation(density, radius, periodic=periodic)
    axes = tuple(range(1, pore.ndim))
    for vector in [(0, 0, 0), (1, -3, 2), (-4, 4, -4), (0, 2, 4), (3, 1, 0)]:
        step = vector[: len(shape)]
        there = pore.roll([-s for s in step], axes)
        pairs = pore * there
        if not periodic:
            for axis, s in zip(axes, step, strict=True):
                pairs = pairs.narrow(axis, max(0, -s), pore.shape[axis] - abs(s))
        expected = pairs.flatten(1).mean(1)
        at = (slice(None), *(radius + s for s in step))
        torch.testing.assert_close(found[at], expected, rtol=1e-10, atol=1e-12)


def test_overlapping_discs_meet_their_closed_form(boolean_model: Callable[..., torch.Tensor]) -> None:
    # Outside of discs of a Poisson process S2(r) = exp(-rho * area of the union of two discs at distance r).
    edge, radius, number = 128, 8.0, 60.0
    images = boolean_model(200, edge, radius, number, seed=2)
    length, found = radial_correlation(images, 30, phase=1, periodic=True)
    half = (length / (2 * radius)).clamp(max=1)
    lens = 2 * radius**2 * (half.acos() - half * (1 - half.square()).sqrt())
    expected = torch.exp(-number / edge**2 * (2 * math.pi * radius**2 - lens))
    # 200 images of this size fix S2 to about 1 %; the grid's discs are as large as true ones on average.
    torch.testing.assert_close(found.mean(0), expected, rtol=0.02, atol=0)


def test_a_laminate_is_a_triangle_wave_across_and_constant_along() -> None:
    period, pore = 8, 2
    density = torch.ones(1, 1, 32, 24, dtype=torch.float64)
    for start in range(0, 32, period):
        density[:, :, start : start + pore] = 0
    s2 = two_point_correlation(density, 12, periodic=True)[0]
    for h in range(13):
        distance = min(h % period, period - h % period)
        expected = max(0, pore - distance) / period
        assert s2[12 + h, 12].item() == pytest.approx(expected, abs=1e-12)
        assert s2[12 + h, 12 - 7].item() == pytest.approx(expected, abs=1e-12)


@given(
    st.integers(0, 2**31),
    st.tuples(st.integers(0, 15), st.integers(0, 15), st.integers(0, 15)),
    st.sampled_from([2, 3]),
)
@settings(max_examples=25, deadline=None)
def test_a_periodic_shift_changes_nothing(seed: int, shift: tuple[int, ...], dimensions: int) -> None:
    density = torch.rand(1, 1, *(8,) * dimensions, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    moved = density.roll(shift[:dimensions], tuple(range(2, 2 + dimensions)))
    torch.testing.assert_close(
        two_point_correlation(moved, 4, periodic=True), two_point_correlation(density, 4, periodic=True)
    )


@given(st.integers(0, 2**31), st.floats(0, 1), st.booleans())
@settings(max_examples=25, deadline=None)
def test_at_zero_s2_is_the_volume_fraction_and_the_phases_differ_by_a_constant(
    seed: int, fraction: float, periodic: bool
) -> None:
    noise = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(seed))
    density = (noise > fraction).double()
    _, pore = radial_correlation(density, 8, phase=0, periodic=periodic)
    torch.testing.assert_close(pore[:, 0], volume_fraction(density, 0))
    if periodic:  # S2 of grain = 1 - 2 phi + S2 of pore
        _, grain = radial_correlation(density, 8, phase=1, periodic=True)
        torch.testing.assert_close(grain, 1 - 2 * pore[:, :1] + pore)


def test_gradients_are_right() -> None:
    density = torch.rand(1, 1, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    density.requires_grad_()
    assert torch.autograd.gradcheck(lambda d: two_point_correlation(d, 2), density)
    assert torch.autograd.gradcheck(lambda d: radial_correlation(d, 2, periodic=True)[1], density)


@pytest.mark.parametrize("arguments", [{"radius": 8}, {"radius": 5, "periodic": True}, {"radius": 3, "phase": 2}])
def test_what_the_image_does_not_hold_is_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="must"):
        two_point_correlation(torch.ones(1, 1, 8, 9), **arguments)
