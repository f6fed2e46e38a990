"""Samples with the patches of authentic microstructures, and the transport that makes them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from matopt.descriptors.correlation import two_point_correlation
from matopt.descriptors.surface import specific_surface
from matopt.errors import InputError
from matopt.generators.patch_statistics import PatchStatistics
from matopt.generators.patches.pyramid import resized, shapes
from matopt.generators.patches.transport import directions, project, ranked, transported
from matopt.microstructures import Microstructures
from matopt.testing.images import random_microstructures


def distance(a: torch.Tensor, b: torch.Tensor, edge: int, seed: int) -> float:
    """Measure the sliced Wasserstein distance of the patches of two images, with scipy."""
    along = directions(a.ndim - 2, edge, 20, torch.Generator().manual_seed(seed))
    lines = zip(project(a, along)[0], project(b, along)[0], strict=True)
    return float(np.mean([wasserstein_distance(one, other) for one, other in lines]))


def test_directions_are_orthonormal() -> None:
    along = directions(3, 3, 10, torch.Generator().manual_seed(0)).flatten(1)
    torch.testing.assert_close(along @ along.T, torch.eye(10), atol=1e-5, rtol=0)


def test_one_voxel_patches_are_transported_in_one_step() -> None:
    """There is one line to project on, so the values are those wanted, in the order of those there were."""
    random = torch.Generator().manual_seed(0)
    image, wanted = torch.rand(2, 1, 6, 5, generator=random), torch.rand(2, 1, 30, generator=random)
    moved = transported(image, wanted, torch.ones(1, 1, 1, 1))
    torch.testing.assert_close(moved.flatten(1).sort(1).values, wanted[:, 0].sort(1).values)
    assert torch.equal(moved.flatten(1).argsort(1), image.flatten(1).argsort(1))
    torch.testing.assert_close(ranked(image, wanted[:, 0]), moved)


def test_images_with_the_wanted_patches_stay_as_they_are() -> None:
    image = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    along = directions(2, 3, 5, torch.Generator().manual_seed(1))
    wanted = project(image, along)[..., torch.randperm(49, generator=torch.Generator().manual_seed(2))]
    torch.testing.assert_close(transported(image, wanted, along), image)


def test_resolutions_halve_and_keep_means() -> None:
    assert shapes((64, 48), 14) == [(32, 24), (64, 48)]
    assert shapes((15, 40, 17), 7) == [(8, 20, 9), (15, 40, 17)]
    image = torch.rand(1, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(resized(image, (4, 4, 4))[0, 0, 0, 0, 0], image[0, 0, :2, :2, :2].mean())
    assert torch.equal(resized(image, (8, 8, 8)), image)
    torch.testing.assert_close(resized(torch.full((1, 1, 4, 5), 0.3), (8, 10)), torch.full((1, 1, 8, 10), 0.3))


@pytest.mark.parametrize(("shape", "steps"), [((48, 48), 40), ((20, 20, 20), 120)])
def test_samples_have_the_patches_of_their_target(shape: tuple[int, ...], steps: int) -> None:
    """By directions that the sample was not made with; the solid fraction is the target's exactly."""
    target = random_microstructures(1, shape, seed=0)
    sample = PatchStatistics(targets=1, patch=5, steps=steps, directions=25, flips=False).fit(target).sample(1, seed=0)
    assert float(sample.mean()) == pytest.approx(float(target.density().mean()), abs=1e-6)
    shuffled = target.density().flatten()[torch.randperm(sample.numel(), generator=torch.Generator().manual_seed(0))]
    apart = distance(shuffled.view_as(sample), target.density(), 5, seed=1)
    assert distance(sample, target.density(), 5, seed=1) < 0.4 * apart


def test_rock_is_met_in_porosity_correlation_and_surface_without_copies(berea: np.ndarray) -> None:
    def windows(first: int, last: int) -> Microstructures:
        corners = product(range(first, last, 20), range(0, 330, 64), range(0, 330, 64))
        cuts = [berea[z, y : y + 64, x : x + 64] for z, y, x in corners]
        return Microstructures(np.stack(cuts).astype(np.uint8), 5.345e-6)

    train, held_out = windows(10, 190), windows(220, 400)
    drawn = PatchStatistics(steps=25, directions=8).fit(train).draw(40, seed=0)
    assert 0.7 < drawn.porosity.std() / train.porosity.std() < 1.3
    surface = [specific_surface(m.density(), 1.0).mean() for m in (drawn, held_out)]
    assert 0.8 < surface[0] / surface[1] < 1.3  # of independent voxels of this porosity: five times as much
    s2 = [two_point_correlation(m.density(), 16).mean(0) for m in (drawn, held_out)]
    independent = train.porosity.mean() ** 2
    assert (s2[0] - s2[1]).norm() < 0.4 * (independent - s2[1]).norm()

    def nearest(of: Microstructures) -> np.ndarray:
        """Differing voxels to the nearest training window, over those of independent ones: 2 p (1 - p)."""
        a, b = ((1.0 - m.phases).reshape(len(m), -1).astype(np.float32) for m in (of, train))
        p, q = a.mean(1)[:, None], b.mean(1)[None]
        return ((p + q - 2 * a @ b.T / a.shape[1]) / (p + q - 2 * p * q)).min(1)

    assert np.median(nearest(drawn)) > np.quantile(nearest(held_out), 0.05)


def test_what_cannot_be_met_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="at least 4 images with edges of 14 voxels; got 3 of 32 x 32"):
        PatchStatistics().fit(random_microstructures(3, (32, 32), seed=0))
    with pytest.raises(InputError, match="no more directions than voxels"):
        PatchStatistics(patch=3)
