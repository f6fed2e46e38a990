import numpy as np
import pytest
import scipy.ndimage
import torch

from matopt.descriptors.block_variance import block_variance


def test_blocks_of_independent_voxels_vary_as_a_mean_of_so_many() -> None:
    density = (torch.rand(400, 1, 24, 24, generator=torch.Generator().manual_seed(0)) < 0.8).double()
    assert block_variance(density, (10, 12)) == pytest.approx(0.8 * 0.2 / 120, rel=0.1)
    assert block_variance(density, (8, 8, 8)) == pytest.approx(0.8 * 0.2 / 512, rel=0.1)


def test_samples_that_are_correlated_one_by_one_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    density = (torch.rand(7, 1, 12, 10, generator=torch.Generator().manual_seed(0)) < 0.8).float()
    together = block_variance(density, (20, 20))
    monkeypatch.setattr("matopt.descriptors.block_variance.VOXELS_AT_ONCE", 250)
    assert block_variance(density, (20, 20)) == pytest.approx(together, rel=1e-12)


def test_blocks_of_the_samples_shape_vary_as_the_samples_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of waves of one length, as in a spinodal structure, what lies beyond the first zero crossing is negative."""
    random = np.random.default_rng(0)
    noise = random.standard_normal((200, 32, 32))
    waves = scipy.ndimage.gaussian_filter(noise, (0, 1, 1)) - scipy.ndimage.gaussian_filter(noise, (0, 3, 3))
    density = torch.from_numpy(waves > -0.5 * waves.std()).double()[:, None]
    measured = density.flatten(1).mean(1).var().item()
    assert block_variance(density, (32, 32)) == pytest.approx(measured, rel=0.5)
    monkeypatch.setattr("matopt.descriptors.block_variance.TRUSTED", 1e9)
    assert block_variance(density, (32, 32)) > 3 * measured


def test_slices_tell_how_much_volumes_vary() -> None:
    """Where the slices' own variance is several times too large."""
    random = np.random.default_rng(3)
    edge, volumes = 24, []
    for _ in range(24):
        field = scipy.ndimage.gaussian_filter(random.standard_normal((2 * edge,) * 3), 2.0, mode="wrap")
        solid = field > -0.5 * field.std()
        volumes += [solid[z : z + edge, y : y + edge, :edge] for z in (0, edge) for y in (0, edge)]
    volumes = torch.from_numpy(np.stack(volumes)).double()[:, None]
    slices = volumes[:, :, ::8].transpose(1, 2).flatten(0, 1)
    measured = volumes.flatten(1).mean(1).var().item()
    assert block_variance(slices, (edge,) * 3) == pytest.approx(measured, rel=0.4)
    assert slices.flatten(1).mean(1).var().item() > 3 * measured
