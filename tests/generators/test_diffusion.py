"""The parts of the diffusion generator, against distributions whose posteriors are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from matopt.generators.diffusion.denoiser import LocalDenoiser, own_logit
from matopt.generators.diffusion.guidance import with_energy, with_porosity
from matopt.generators.diffusion.networks import LocalUNet, blocks_to_channels, channels_to_blocks
from matopt.generators.diffusion.patches import patches, tiles
from matopt.generators.diffusion.sampler import HIGHEST, LOWEST, add_noise, denoise, noise_levels

LOG_ODDS = 1.2
"""Of grain, in images of independent voxels."""

SOLID = 1 / (1 + math.exp(-LOG_ODDS))


def independent(y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The exact denoiser of images of independent voxels."""
    return own_logit(y, sigma) + LOG_ODDS


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def random_network(dims: int, channels: int = 8) -> LocalUNet:
    torch.manual_seed(0)
    network = LocalUNet(dims, channels)
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.1)
    return network


def test_a_voxels_own_log_odds_are_those_of_bayes_rule() -> None:
    y, sigma = torch.linspace(-2, 2, 9).view(1, 1, 9), torch.tensor(0.8)
    exact = torch.distributions.Normal(1.0, sigma).log_prob(y) - torch.distributions.Normal(-1.0, sigma).log_prob(y)
    torch.testing.assert_close(own_logit(y, sigma), exact)


@pytest.mark.parametrize("dims", [2, 3])
def test_nearly_nothing_of_rock_is_left_at_the_first_noise_level(dims: int, berea: np.ndarray) -> None:
    """Samples begin without it. Of a volume, much would be left at the first level of images."""
    rock = berea[:200, :200, :200] if dims == 3 else berea[::20]
    assert share_told(rock, dims, HIGHEST[dims]) < 0.05
    if dims == 3:
        assert share_told(rock, dims, HIGHEST[2]) > 0.15


def share_told(phases: np.ndarray, dims: int, level: float) -> float:
    """What the two-point correlation alone tells of the variance of noisy phases, by a Wiener filter."""
    x = 2 * phases.astype(np.float32) - 1
    axes = tuple(range(-dims, 0))
    spectrum = np.abs(np.fft.fftn(x - x.mean(), axes=axes)) ** 2 / math.prod(phases.shape[-dims:])
    spectrum = spectrum.reshape(-1, *phases.shape[-dims:]).mean(0)
    frequencies = np.meshgrid(*[np.fft.fftfreq(n, 1 / n) for n in spectrum.shape], indexing="ij")
    ring = np.round(np.sqrt(np.square(frequencies).sum(0))).astype(int).ravel()
    # Of one material in all directions, so that few realisations tell it.
    mean = (np.bincount(ring, spectrum.ravel()) / np.bincount(ring))[ring]
    return float((mean**2 / (mean + level**2)).sum() / mean.sum())


def test_the_sampler_draws_the_distribution_of_an_exact_denoiser() -> None:
    levels = noise_levels(20, HIGHEST[2])
    found = denoise(independent, 2 * SOLID - 1 + HIGHEST[2] * noise(8, 1, 64, 64), levels)
    error = math.sqrt(SOLID * (1 - SOLID) / found.numel())
    assert float((found > 0).float().mean()) == pytest.approx(SOLID, abs=4 * error + 0.01)


def test_the_probability_flow_is_followed_back() -> None:
    """From images with noise of the lowest level to noise of unit variance, and to the same images again."""
    x = 2.0 * (noise(4, 1, 32, 32) > -0.8) - 1
    y = add_noise(independent, x + LOWEST * noise(5, 1, 32, 32)[1:], noise_levels(40, HIGHEST[2]))
    assert float((y / HIGHEST[2]).std()) == pytest.approx(1, abs=0.05)
    assert (torch.sign(denoise(independent, y, noise_levels(40, HIGHEST[2]))) != x).float().mean() < 0.002


def test_a_derivative_through_the_sampler_is_that_of_finite_differences() -> None:
    y, weights = HIGHEST[2] * noise(2, 1, 8, 8), noise(3, 1, 8, 8)[1:]
    levels = noise_levels(6, HIGHEST[2], lowest=1.0)

    def value(y: torch.Tensor) -> torch.Tensor:
        return (denoise(independent, y, levels) * weights).sum()

    y = y.double().requires_grad_()
    levels, weights = levels.double(), weights.double()
    (gradient,) = torch.autograd.grad(value(y), y)
    step = 1e-4 * gradient / gradient.norm()
    with torch.no_grad():
        assert float(value(y + step) - value(y - step)) == pytest.approx(2 * float((gradient * step).sum()), rel=1e-4)


def test_a_porosity_is_met_at_every_noise_level() -> None:
    asked = torch.tensor([0.05, 0.3, 0.9])
    for sigma in (0.3, 2.0, 30.0):
        found = with_porosity(independent, asked)(1 + sigma * noise(3, 1, 16, 16), torch.tensor(sigma))
        torch.testing.assert_close(1 - torch.sigmoid(found).flatten(1).mean(1), asked, atol=1e-5, rtol=0)


def test_samples_are_weighted_by_their_energy() -> None:
    """Exactly so where voxels are independent and the energy is linear: it then shifts their log odds."""
    shift = 0.9
    guided = with_energy(independent, lambda density: shift * density.flatten(1).sum(1))
    found = denoise(guided, 2 * SOLID - 1 + HIGHEST[2] * noise(8, 1, 64, 64), noise_levels(30, HIGHEST[2]))
    expected = 1 / (1 + math.exp(shift - LOG_ODDS))
    assert float((found > 0).float().mean()) == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize("dims", [2, 3])
def test_blocks_become_channels_and_blocks_again(dims: int) -> None:
    x = noise(2, 3, *[8] * dims)
    assert torch.equal(channels_to_blocks(blocks_to_channels(x)), x)
    if dims == 2:
        assert torch.equal(blocks_to_channels(x), functional.pixel_unshuffle(x, 2))


@pytest.mark.parametrize("dims", [2, 3])
def test_the_network_is_local_and_moves_with_a_periodic_image(dims: int) -> None:
    network, shape = random_network(dims), (80, 72) if dims == 2 else (72, 12, 12)
    sigma = torch.tensor(0.7)
    y = noise(1, 1, *shape)
    with torch.no_grad():
        moved = network(y.roll(8, 2), sigma, periodic=True)
        torch.testing.assert_close(moved, network(y, sigma, periodic=True).roll(8, 2), rtol=1e-4, atol=1e-5)
        other = y.clone()
        other[:, :, 0] += 1
        changed = (network(other, sigma) - network(y, sigma)).abs().flatten(3).amax(-1).flatten()
    assert changed[:8].max() > 0 and changed[40:].max() == 0


@pytest.mark.parametrize("shape", [(31, 18), (9, 10, 11)])
def test_images_of_any_size_are_denoised(shape: tuple[int, ...]) -> None:
    denoiser = LocalDenoiser.seeded(len(shape), 8, seed=0)
    assert denoiser(noise(2, 1, *shape), torch.tensor([0.5, 4.0])).shape == (2, 1, *shape)


def test_patches_are_parts_of_turned_images() -> None:
    """Each has its image's mark in a corner that it may have been turned to; every image comes once a round."""
    images = torch.zeros(6, 1, 8, 8)
    images[:, 0, 0, 1] = torch.arange(6.0) + 1
    drawn = next(patches(images, 6, (8, 8), True, True, torch.Generator().manual_seed(0)))
    assert sorted(drawn.amax((1, 2, 3)).tolist()) == [1, 2, 3, 4, 5, 6]
    corners = drawn[:, 0][:, [0, 0, 1, 1, 6, 6, 7, 7], [1, 6, 0, 7, 0, 7, 1, 6]]
    assert (corners.amax(1) > 0).all()
    whole = next(patches(images, 6, (8, 8), False, False, torch.Generator().manual_seed(0)))
    assert (whole[:, 0, 0, 1] > 0).all()
    assert next(patches(images, 4, (5, 3), True, True, torch.Generator().manual_seed(0))).shape == (4, 1, 5, 3)


def test_tiles_lie_side_by_side() -> None:
    images = torch.arange(2 * 10 * 7.0).view(2, 1, 10, 7)
    cut = tiles(images, (5, 3))
    assert cut.shape == (8, 1, 5, 3)
    assert {int(tile[0, 0, 0]) for tile in cut} == {70 * n + 7 * y + x for n in (0, 1) for y in (0, 5) for x in (0, 3)}
    assert torch.equal(cut[0], images[0, :, :5, :3])
    assert torch.equal(tiles(images, (10, 7)), images)
