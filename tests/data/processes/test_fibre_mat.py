"""Mats of short fibres against what is known of Boolean models."""

import numpy as np
import pytest

from matopt.data.processes.fibre_mat import FibreMat, directions
from matopt.descriptors.lineal_path import lineal_path
from matopt.microstructures import Microstructures

ISOTROPIC = (1 / 3, 1 / 3, 1 / 3)
ASPECT = 8.0
VOLUME = np.pi / 4 * ASPECT + np.pi / 6
VOXELS = 6


@pytest.mark.parametrize(
    "orientation", [ISOTROPIC, (0.01, 0.495, 0.495), (0.0, 0.5, 0.5), (0.05, 0.9, 0.05), (0.6, 0.3, 0.1), (1, 0, 0)]
)
def test_directions_have_the_orientation_tensor_asked_for(orientation: tuple[float, float, float]) -> None:
    drawn = directions(np.random.default_rng(0), 40_000, orientation)
    tensor = drawn.T @ drawn / len(drawn)
    np.testing.assert_allclose(np.diag(tensor), orientation, atol=0.008)
    assert np.abs(tensor - np.diag(np.diag(tensor))).max() < 0.01
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1)


@pytest.mark.parametrize("bend", [0.0, 0.1])
def test_a_fibre_has_its_volume_length_and_thickness(bend: float) -> None:
    mat = FibreMat(np.random.default_rng(1), 200.0, 0.999999, ASPECT, bend, (0, 1, 0))
    assert len(mat.centre) > 0
    step = 0.05
    axes = [np.arange(-n, n, step) for n in (1.637, 5.637, 1.637)]
    corner = mat.centre[0] + [a[0] for a in axes]
    x, y, z = np.nonzero(mat.phases(corner, tuple(len(a) for a in axes), step))
    assert len(x) * step**3 == pytest.approx(VOLUME, rel=0.03)
    assert np.ptp(y) * step == pytest.approx(ASPECT + 1, abs=2 * step)
    middle = np.abs(y - y.mean()) < 6
    assert np.ptp(x[middle]) * step == pytest.approx(1, abs=2 * step)
    centre_line = np.array([[x[y == s].mean(), z[y == s].mean()] for s in np.unique(y)])
    rise = np.linalg.norm(np.ptp(centre_line, axis=0)) * step
    assert rise == pytest.approx(abs(mat.rise[0]), abs=2 * step)
    assert abs(mat.rise[0]) > 2 * step or bend == 0


def volumes(orientation: tuple[float, float, float], n: int) -> Microstructures:
    drawn = [FibreMat(np.random.default_rng(s), 20.0, 0.6, ASPECT, 0.0, orientation) for s in range(n)]
    cuts = [m.phases(np.zeros(3), (20 * VOXELS,) * 3, 1 / VOXELS) for m in drawn]
    return Microstructures(np.array(cuts), 1e-6)


def expected_path(z: np.ndarray, shadow: float) -> np.ndarray:
    """A segment lies in the pores of a Boolean model with probability p exp(-n z A), A the mean shadow of a grain."""
    return 0.6 ** (1 + z * shadow / VOLUME)


def test_pores_have_the_lineal_path_of_a_boolean_model() -> None:
    """The mean shadow of a convex body is a quarter of its surface (Cauchy)."""
    mats = volumes(ISOTROPIC, 3)
    measured = lineal_path(mats.density(), 24, phase=0, periodic=True).mean((0, 1)).numpy()
    expected = expected_path(np.arange(25) / VOXELS, np.pi * (ASPECT + 1) / 4)
    assert np.abs(measured - expected).max() < 0.02
    assert np.abs(measured - expected_path(np.arange(25) / VOXELS, ASPECT + np.pi / 4)).max() > 0.02  # side on


def test_fibres_along_axis_0_of_volumes_are_seen_end_on_there_and_from_the_side_along_the_others() -> None:
    mats = volumes((1.0, 0.0, 0.0), 2)
    measured = lineal_path(mats.density(), 24, phase=0, periodic=True).mean(0).numpy()
    z = np.arange(25) / VOXELS
    assert np.abs(measured[0] - expected_path(z, np.pi / 4)).max() < 0.03
    for across in measured[1:]:
        assert np.abs(across - expected_path(z, ASPECT + np.pi / 4)).max() < 0.03
