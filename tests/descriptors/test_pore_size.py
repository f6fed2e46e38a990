"""Distances from the interface and sizes of pores against scipy, PoreSpy's rule and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from matopt.descriptors.pore_size import distance_to_interface, pore_radius, pore_size_distribution


def blobs(*shape: int, n: int = 4, seed: int = 0) -> torch.Tensor:
    noise = np.random.default_rng(seed).standard_normal((n, *shape))
    smooth = np.stack([ndimage.gaussian_filter(image, 2) for image in noise])
    return torch.from_numpy((smooth > np.quantile(smooth, 0.35)).astype(np.float32))[:, None]


@pytest.mark.parametrize("shape", [(50, 41), (20, 17, 23)])
@pytest.mark.parametrize("phase", [0, 1])
def test_distances_are_those_of_scipy(shape: tuple[int, ...], phase: int) -> None:
    density = blobs(*shape)
    found = distance_to_interface(density, phase)
    for image, distance in zip(density[:, 0].numpy(), found.numpy(), strict=True):
        np.testing.assert_allclose(distance, ndimage.distance_transform_edt(image == phase), rtol=1e-6)


def test_without_an_interface_distances_are_infinite() -> None:
    density = torch.stack([torch.zeros(1, 5, 6), torch.ones(1, 5, 6)])
    found = distance_to_interface(density)
    assert found[0].isinf().all() and (found[1] == 0).all()


@pytest.mark.parametrize("shape", [(60, 50), (24, 22, 20)])
def test_pore_radii_are_the_local_thickness_of_porespy(shape: tuple[int, ...]) -> None:
    density = blobs(*shape, n=2, seed=1)
    found = pore_radius(density, 8)
    for image, radius in zip(density[:, 0].numpy() == 0, found.numpy(), strict=True):
        # porespy.filters.local_thickness(image, sizes=range(8, 0, -1), mode="dt"), in its three lines
        depth, expected = ndimage.distance_transform_edt(image), np.zeros(image.shape, int)
        for r in range(8, 0, -1):
            covered = ndimage.distance_transform_edt(~(depth >= r)) < r if (depth >= r).any() else depth < 0
            expected[covered & (expected == 0) & image] = r
        np.testing.assert_array_equal(radius, expected)


def test_a_slit_has_half_its_width_and_a_disc_its_radius() -> None:
    slits = torch.ones(5, 1, 24, 24)
    for image, width in zip(slits, (1, 2, 3, 6, 9), strict=True):
        image[0, 5 : 5 + width] = 0
    assert pore_radius(slits, 10).amax((1, 2)).tolist() == [1, 1, 2, 3, 5]
    y, x = torch.meshgrid(*[torch.arange(41.0) - 20] * 2, indexing="ij")
    disc = (y**2 + x**2 >= 12.0**2).float()[None, None]
    radius = pore_radius(disc, 15)
    assert (radius[radius > 0] == 12).float().mean() > 0.9
    assert pore_size_distribution(disc, 15)[0].argmax() == 11
    assert pore_radius(disc, 7).max() == 7


def test_the_distribution_sums_to_the_volume_fraction() -> None:
    density = blobs(40, 40)
    torch.testing.assert_close(pore_size_distribution(density, 6).sum(1), 1 - density.flatten(1).mean(1))
    with pytest.raises(ValueError, match="largest"):
        pore_radius(density, 0)
