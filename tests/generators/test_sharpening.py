import pytest
import torch

from matopt.generators.diffusion.denoiser import LocalDenoiser
from matopt.generators.diffusion.sharpening import HIGHEST_SHARPENED, find_weight, sharpened
from matopt.testing.images import random_microstructures


def with_debris(density: torch.Tensor, share: float) -> torch.Tensor:
    """Turn a share of the voxels inside grain, the same whatever else is turned, into pores."""
    chance = torch.rand(density.shape, generator=torch.Generator().manual_seed(0))
    inside = torch.nn.functional.max_pool2d(1 - density, 3, 1, padding=1) == 0
    return torch.where(inside & (chance < share), 0.0, density)


def test_a_weight_of_one_is_the_denoiser_itself_and_others_are_so_at_high_noise() -> None:
    denoiser = LocalDenoiser.seeded(2, 8, seed=0)
    torch.nn.init.normal_(denoiser.network.last.weight, generator=torch.Generator().manual_seed(1))
    y = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        for sigma in (torch.tensor(0.3), torch.tensor(5.0)):
            torch.testing.assert_close(sharpened(denoiser, 1.0, 1.0)(y, sigma), denoiser(y, sigma))
        high, low = torch.tensor(HIGHEST_SHARPENED), torch.tensor(0.25)
        torch.testing.assert_close(sharpened(denoiser, 1.0, 2.0)(y, high), denoiser(y, high))
        added = sharpened(denoiser, 1.0, 2.0)(y, low) - denoiser(y, low)
        torch.testing.assert_close(added, denoiser.network_logit(y, low) - 1.0, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("right", [1.0, 1.4, 2.2])
def test_the_weight_is_found_at_which_samples_have_the_debris_of_training(right: float) -> None:
    """Where samples of other porosities than training have less of it the larger the weight."""
    train, other = (random_microstructures(60, (32, 32), seed=s).density() for s in (0, 1))
    share = 0.03
    found = find_weight(lambda weight: with_debris(other, share + 0.04 * (right - weight)), with_debris(train, share))
    assert found == pytest.approx(right, abs=0.2)


def test_no_weight_beyond_those_tried_is_taken() -> None:
    train, other = (random_microstructures(30, (32, 32), seed=s).density() for s in (0, 1))
    assert find_weight(lambda weight: with_debris(other, 0.2), train) >= 1.0
    assert find_weight(lambda weight: other, with_debris(train, 0.2)) <= 2.5
