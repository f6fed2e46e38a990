import pytest
import torch

from matopt.descriptors.patterns import pattern_classes, pattern_frequencies, pattern_planes
from matopt.generators.diffusion.pattern_odds import (
    HIGHEST_CORRECTED,
    find_potential,
    no_potential,
    pattern_odds,
    with_patterns,
)
from matopt.testing.images import random_microstructures


def some_potential(seed: int) -> torch.Tensor:
    return torch.randn(no_potential().shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)


def total(solid: torch.Tensor, potential: torch.Tensor, periodic: bool) -> torch.Tensor:
    """The sum ``(N,)`` of the potentials of all patterns, by their frequencies; of images where these are periodic."""
    density = solid.float()
    if periodic:
        for axis in (2, 3):
            density = torch.cat([density, density.narrow(axis, 0, 2)], axis)
    places = sum(plane[0, ..., 2:, 2:].numel() for plane, _ in pattern_planes(density[:, 0]))
    return pattern_frequencies(density) @ potential * places


@pytest.mark.parametrize(("shape", "periodic"), [((6, 6), False), ((6, 6), True), ((4, 4, 4), False)])
def test_odds_are_what_a_flip_of_the_voxel_changes_the_sum_by(shape: tuple[int, ...], periodic: bool) -> None:
    solid = random_microstructures(2, shape, seed=0).density() > 0.5
    potential = some_potential(1)
    odds = pattern_odds(solid, potential, periodic).flatten(1)
    for place in range(odds.shape[1]):
        with_grain, with_pore = solid.clone().flatten(1), solid.clone().flatten(1)
        with_grain[:, place], with_pore[:, place] = True, False
        change = total(with_grain.view(solid.shape), potential, periodic) - total(
            with_pore.view(solid.shape), potential, periodic
        )
        torch.testing.assert_close(odds[:, place], change, rtol=1e-3, atol=1e-3)


def test_borders_that_meet_are_like_any_other_place_in_volumes() -> None:
    solid, potential = random_microstructures(2, (4, 6, 8), seed=0).density() > 0.5, some_potential(1)
    odds = pattern_odds(solid, potential, periodic=True)
    for axis in (2, 3, 4):
        torch.testing.assert_close(pattern_odds(solid.roll(1, axis), potential, periodic=True), odds.roll(1, axis))


def test_a_potential_counts_where_little_noise_is_left() -> None:
    def denoiser(y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return 2 * y / sigma**2

    y = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    weighted = with_patterns(denoiser, some_potential(0))
    low, high = torch.tensor(0.3), torch.tensor(1.01 * HIGHEST_CORRECTED)
    assert torch.equal(weighted(y, high), denoiser(y, high))
    assert not torch.equal(weighted(y, low), denoiser(y, low))
    assert torch.equal(with_patterns(denoiser, no_potential())(y, low), denoiser(y, low))


def test_the_potential_is_the_log_ratio_of_frequencies_where_patterns_are_independent() -> None:
    """Microstructures of one pattern each: those drawn are `exp(potential)` times as likely as without."""
    classes = pattern_classes()
    wanted = 0.4 * some_potential(2).clamp(-1.5, 1.5)

    def draw(potential: torch.Tensor, number: int, times: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(number)
        chosen = torch.multinomial(potential.exp()[classes], times * 100_000, replacement=True, generator=generator)
        return ((chosen[:, None] >> torch.arange(9)) & 1).view(-1, 1, 3, 3).float()

    found = find_potential(draw, draw(wanted, 99, 4))
    mixed = torch.ones(len(found), dtype=torch.bool)
    mixed[classes[[0, -1]]] = False
    assert (found[~mixed] == 0).all()
    difference = (found - wanted)[mixed]
    assert float((difference - difference.mean()).abs().max()) < 0.15 < float((wanted[mixed]).std())


def test_one_phase_alone_has_no_potential() -> None:
    solid = torch.ones(2, 1, 8, 8)
    assert torch.equal(find_potential(lambda potential, number, times: solid, solid), no_potential())
