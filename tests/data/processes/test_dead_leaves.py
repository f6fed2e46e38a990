"""The blocky alloy against what is known of dead leaves."""

import numpy as np
import pytest

from matopt.data.processes.dead_leaves import Cuboids, DeadLeaves
from matopt.descriptors.correlation import two_point_correlation
from matopt.microstructures import Microstructures

EDGE, POROSITY, VOXELS = 12.0, 0.3, 16


@pytest.fixture(scope="module")
def alloys() -> list[DeadLeaves]:
    return [DeadLeaves(np.random.default_rng(s), EDGE, POROSITY, 0.3, 0.0, 0.1) for s in range(3)]


def covariogram(cuboids: Cuboids, r: np.ndarray) -> np.ndarray:
    """The mean volume that cuboids share with themselves, shifted by r in a random direction."""
    direction = np.random.default_rng(1).standard_normal(cuboids.half.shape)
    direction = np.abs(direction) / np.linalg.norm(direction, axis=1, keepdims=True)
    left = 2 * cuboids.half - r[:, None, None] * direction
    return np.maximum(left, 0).prod(2).mean(1)


def test_s2_is_that_of_dead_leaves(alloys: list[DeadLeaves]) -> None:
    """Both ends lie under one leaf with probability K(r) / (2 K(0) - K(r)), and their phases are else independent."""
    side, radius = round(EDGE * VOXELS), 40
    heights = np.arange(0, EDGE, 2.0)
    slices = [a.phases(np.array([z, 0, 0]), (1, side, side), 1 / VOXELS)[0] for a in alloys for z in heights]
    measured = two_point_correlation(Microstructures(np.array(slices), 1e-6).density(), radius, periodic=True)
    along = measured.mean(0)[radius, radius:].numpy()
    shared = covariogram(alloys[0].blocks, np.arange(radius + 1) / VOXELS)
    together = shared / (2 * shared[0] - shared)
    phi = along[0]
    assert phi == pytest.approx(POROSITY, abs=0.03)
    assert np.abs(along - phi**2 - phi * (1 - phi) * together).max() < 0.015
    assert np.abs(along - phi**2 - phi * (1 - phi) * shared / shared[0]).max() > 0.03  # as if none hid another


def test_blocks_hide_everything() -> None:
    axes = (np.zeros(1), np.arange(64) / 8, np.arange(64) / 8)
    everywhere = DeadLeaves(np.random.default_rng(0), EDGE, 0.0, 0.3, 0.0, 0.1)
    assert everywhere.blocks_at(axes).all()
    assert not DeadLeaves(np.random.default_rng(0), EDGE, 1.0, 0.3, 0.0, 0.1).blocks_at(axes).any()


def test_specks_hold_their_share_of_both_phases_and_are_small() -> None:
    alloy = DeadLeaves(np.random.default_rng(2), 8.0, POROSITY, 0.3, 0.05, 0.25)
    axis = (np.arange(128) + 0.5) / 16
    specks, blocks = alloy.specks_at((axis,) * 3), alloy.blocks_at((axis,) * 3)
    assert specks.mean() == pytest.approx(0.05, rel=0.1)
    assert specks[blocks == 0].mean() == pytest.approx(0.05, rel=0.2)
    assert (blocks ^ specks).mean() == pytest.approx(1 - POROSITY, abs=0.08)
    size = 2 * np.median(alloy.specks.half.prod(1)) ** (1 / 3)
    assert size == pytest.approx(0.25, rel=0.05)


def test_cuboids_have_the_sizes_and_the_volume_asked_for() -> None:
    cuboids = Cuboids(np.random.default_rng(3), 20.0, 1.0, 0.4, 3.0)
    volume = 8 * cuboids.half.prod(1)
    assert volume.sum() / 20**3 == pytest.approx(3.0, rel=0.1)
    assert np.median(volume) == pytest.approx(1.0, rel=0.1)
    assert np.log(volume).std() / 3 == pytest.approx(0.4, rel=0.05)
    axis = np.linspace(-3, 3, 121)
    inside = cuboids.contains(0, (axis,) * 3)
    assert inside.mean() * 6**3 == pytest.approx(volume[0], rel=0.1)
