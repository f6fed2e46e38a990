import math
from collections.abc import Callable

import pytest
import torch

from matopt.descriptors.chords import chord_lengths, mean_chord_length
from matopt.descriptors.lineal_path import lineal_path
from matopt.descriptors.phases import volume_fraction


@pytest.fixture(scope="module")
def discs(boolean_model: Callable[..., torch.Tensor]) -> torch.Tensor:
    return boolean_model(200, 128, 8.0, 40.0, seed=5)


@pytest.mark.parametrize("periodic", [False, True])
def test_outside_overlapping_discs_it_falls_exponentially(discs: torch.Tensor, periodic: bool) -> None:
    # A segment of length z misses all discs if no centre lies within r of it: exp(-rho (pi r^2 + 2 r z)).
    found = lineal_path(discs, 24, phase=1, periodic=periodic).mean((0, 1))
    z = torch.arange(25, dtype=torch.float64)
    expected = torch.exp(-40 / 128**2 * (math.pi * 64 + 16 * z))
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0)


def test_chords_between_overlapping_discs_are_exponential(discs: torch.Tensor) -> None:
    # Mean chord 1 / (2 r rho); border chords are left out and must not shorten it.
    rate = 2 * 8.0 * 40 / 128**2
    found = chord_lengths(discs, 60, phase=1).mean((0, 1)).cumsum(0)
    k = torch.arange(1, 61, dtype=torch.float64)
    torch.testing.assert_close(found, 1 - torch.exp(-rate * k), rtol=0, atol=0.03)


@pytest.mark.parametrize("periodic", [False, True])
def test_the_mean_chord_between_overlapping_discs_is_that_of_the_exponential(
    discs: torch.Tensor, periodic: bool
) -> None:
    fraction = volume_fraction(discs, 1)[:, None]
    chords = fraction / mean_chord_length(discs, phase=1, periodic=periodic)
    assert float(fraction.mean() / chords.mean()) == pytest.approx(128**2 / (2 * 8.0 * 40), rel=0.02)


def test_a_laminate_meets_its_closed_form() -> None:
    period, pore = 10, 4
    density = torch.ones(1, 1, 40, 20)
    for start in range(0, 40, period):
        density[:, :, start : start + pore] = 0
    across, along = lineal_path(density, 8, phase=0, periodic=True)[0]
    assert across.tolist() == pytest.approx([max(0, pore - z) / period for z in range(9)])
    assert along.tolist() == pytest.approx([pore / period] * 9)
    chords_across, chords_along = chord_lengths(density, 8, phase=0, periodic=True)[0]
    assert chords_across.tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    assert chords_along.sum() == 0  # a layer has no ends along itself
    assert mean_chord_length(density, phase=0, periodic=True)[0].tolist() == pytest.approx([pore, math.inf])


@pytest.mark.parametrize("shape", [(23, 31), (12, 14, 13)])
def test_runs_counted_one_by_one_give_the_same(shape: tuple[int, ...]) -> None:
    density = (torch.rand(2, 1, *shape, generator=torch.Generator().manual_seed(7)) > 0.4).double()
    found = chord_lengths(density, 9, phase=0)
    for sample in range(2):
        for axis in range(len(shape)):
            lines = density[sample, 0].movedim(axis, -1).reshape(-1, shape[axis]).tolist()
            counts, starts = [0] * 10, 0
            for line in lines:
                text = "".join(str(int(v)) for v in line)
                starts += text.count("10")
                for run in text[text.find("1") : text.rfind("1") + 1].split("1"):
                    if 0 < len(run) < 10:
                        counts[len(run)] += 1
            size = shape[axis]
            expected = [counts[k] / (size - k - 1) / (starts / (size - 1)) for k in range(1, 10)]
            assert found[sample, axis].tolist() == pytest.approx(expected)


def test_it_starts_at_the_volume_fraction_and_never_rises() -> None:
    density = (torch.rand(3, 1, 12, 12, 12, generator=torch.Generator().manual_seed(8)) > 0.3).double()
    for phase in (0, 1):
        found = lineal_path(density, 8, phase=phase, periodic=True)
        torch.testing.assert_close(found[:, :, 0], volume_fraction(density, phase)[:, None].expand(-1, 3))
        assert (found.diff(dim=2) <= 0).all()


def test_gradients_are_right() -> None:
    density = torch.rand(1, 1, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert torch.autograd.gradcheck(lambda d: lineal_path(d, 3, periodic=True), density.requires_grad_())


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="length must"):
        lineal_path(torch.ones(1, 1, 8, 9), 8)
    with pytest.raises(ValueError, match="longest must"):
        chord_lengths(torch.ones(1, 1, 8, 9), 7)
    with pytest.raises(ValueError, match="binary"):
        chord_lengths(torch.full((1, 1, 8, 9), 0.5), 4)
