"""Packings of hard spheres."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matopt.data.processes.ball_packing import BallPacking
from matopt.data.processes.packing import hard_spheres, log_normal_radii, nearest_image
from matopt.descriptors.lineal_path import lineal_path
from matopt.descriptors.surface import specific_surface
from matopt.errors import FailureError
from matopt.microstructures import Microstructures


def overlap(centre: np.ndarray, radius: np.ndarray, edge: float) -> float:
    """The largest overlap of any pair, negative where none overlap."""
    distance = np.linalg.norm(nearest_image(centre[:, None] - centre, edge), axis=2)
    return float((radius[:, None] + radius - distance)[~np.eye(len(radius), dtype=bool)].max())


@settings(max_examples=12, deadline=None)
@given(fraction=st.floats(0.05, 0.5), spread=st.floats(0, 0.5), seed=st.integers(0, 2**31))
def test_no_two_spheres_overlap(fraction: float, spread: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    radius = log_normal_radii(random, fraction * 216, 0.5, spread)
    centre = hard_spheres(random, 6.0, radius)
    assert overlap(centre, radius, 6.0) <= 0
    assert ((centre >= 0) & (centre < 6)).all()
    assert overlap(6 * random.random(centre.shape), radius, 6.0) > 0 or len(radius) < 20  # thrown at random they do


def test_more_spheres_than_can_be_parted_are_refused() -> None:
    with pytest.raises(FailureError, match=r"fill 0.7\d of the volume cannot be parted"):
        hard_spheres(np.random.default_rng(0), 4.0, np.full(90, 0.5))


@pytest.fixture(scope="module")
def packing() -> BallPacking:
    return BallPacking(np.random.default_rng(0), 8.0, 0.35, 0.0, ball=0)


@pytest.fixture(scope="module")
def volume(packing: BallPacking) -> Microstructures:
    return Microstructures(packing.phases(np.zeros(3), (160,) * 3, 1 / 20)[None], 1e-6)


def test_the_spheres_fill_the_share_asked_for(packing: BallPacking, volume: Microstructures) -> None:
    drawn = 4 / 3 * np.pi * (packing.radius**3).sum() / 8**3
    assert drawn == pytest.approx(0.35, abs=4 / 3 * np.pi / 8 / 8**3)
    assert volume.porosity[0] == pytest.approx(drawn, abs=0.001)
    grains = BallPacking(np.random.default_rng(0), 8.0, 0.35, 0.0, ball=1).phases(np.zeros(3), (8, 40, 40), 1 / 20)
    assert np.array_equal(grains, 1 - volume.phases[0, :8, :40, :40])


def test_the_specific_surface_is_3_phi_over_r(volume: Microstructures) -> None:
    measured = float(specific_surface(volume.density(), 1 / 20, periodic=True)[0])
    assert measured == pytest.approx(3 * volume.porosity[0] / 0.5, rel=0.04)


def test_the_lineal_path_is_that_of_chords_of_one_sphere(volume: Microstructures) -> None:
    """A segment within hard spheres lies within one: phi (1 - 3 z / 4 R + z^3 / 16 R^3)."""
    measured = lineal_path(volume.density(), 24, phase=0, periodic=True)[0].mean(0).numpy()
    z = np.arange(25) / 20 / 0.5  # in radii
    expected = volume.porosity[0] * np.where(z < 2, 1 - 3 * z / 4 + z**3 / 16, 0)
    # Spheres less than a voxel apart are taken for one by a few segments.
    assert np.abs(measured - expected).max() < 0.008
    assert np.abs(measured - volume.porosity[0] * np.exp(-3 * z / 4)).max() > 0.03  # as overlapping ones would have
