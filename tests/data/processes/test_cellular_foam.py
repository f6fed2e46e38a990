"""Foams, and the tessellation that their walls are, against closed forms and brute force."""

import numpy as np
import pytest
from scipy.ndimage import label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from matopt.data.processes.cellular_foam import CellularFoam
from matopt.data.processes.laguerre import Laguerre
from matopt.data.processes.packing import nearest_image


@pytest.fixture(scope="module")
def poisson() -> Laguerre:
    """The Voronoi cells of independent points, one to a unit of volume."""
    return Laguerre(10 * np.random.default_rng(0).random((1000, 3)), np.zeros(1000), 10.0)


def test_poisson_voronoi_cells_have_the_known_mean_number_of_faces(poisson: Laguerre) -> None:
    """2 + 48 pi^2 / 35 = 15.54; Meijering, Philips Res. Rep. 8, 270 (1953)."""
    assert len(poisson.height) / len(poisson.facets) == pytest.approx(2 + 48 * np.pi**2 / 35, abs=0.25)


def test_every_wall_has_two_sides(poisson: Laguerre) -> None:
    assert set(np.bincount(poisson.wall)) == {2}
    order = np.argsort(poisson.wall, kind="stable").reshape(-1, 2)
    np.testing.assert_allclose(poisson.normal[order[:, 0]], -poisson.normal[order[:, 1]], atol=1e-9)
    np.testing.assert_allclose(poisson.height[order[:, 0]], poisson.height[order[:, 1]])  # of equal spheres


@pytest.fixture(scope="module")
def foam() -> CellularFoam:
    return CellularFoam(np.random.default_rng(1), 5.0, 0.7, 0.3, 0.0)


def test_the_clearance_is_the_distance_to_the_nearest_wall_of_a_laguerre_cell(foam: CellularFoam) -> None:
    random = np.random.default_rng(2)
    axes = tuple(np.sort(5 * random.random(6)) for _ in range(3))
    place = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    shifts = 5.0 * np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    centre = (foam.centre + shifts[:, None]).reshape(-1, 3)
    power = ((place - centre) ** 2).sum(2) - np.tile(foam.radius, len(shifts)) ** 2
    nearest = power.argmin(1)
    apart = np.linalg.norm(centre - centre[nearest][:, None], axis=2)
    excess = power - power.min(1, keepdims=True)
    walls = np.divide(excess, 2 * apart, out=np.full_like(excess, np.inf), where=apart > 0)
    np.testing.assert_allclose(foam.clearance(axes).ravel(), walls.min(1), atol=2e-4)


def clusters(pores: np.ndarray) -> int:
    """The number of face-connected clusters of a volume that repeats."""
    number, n = label(pores)
    pairs = [np.stack([number.take(0, a).ravel(), number.take(-1, a).ravel()]) for a in range(3)]
    first, last = np.concatenate([p[:, (p > 0).all(0)] for p in pairs], axis=1) - 1
    return int(connected_components(coo_array((np.ones(len(first)), (first, last)), shape=(n, n)))[0])


def test_a_closed_foam_has_as_many_pores_as_cells_of_the_mean_size_asked_for(foam: CellularFoam) -> None:
    pores = foam.phases(np.zeros(3), (100,) * 3, 0.05) == 0
    assert len(foam.centre) == round(5**3 / (np.pi / 6))
    assert clusters(pores) == pytest.approx(len(foam.centre), rel=0.05)  # some lose a tip
    assert pores.mean() == pytest.approx(0.7, abs=0.01)


def test_burst_walls_join_pores_and_leave_the_others_thicker() -> None:
    closed, burst = (CellularFoam(np.random.default_rng(1), 5.0, 0.7, 0.3, share) for share in (0.0, 0.3))
    pores = burst.phases(np.zeros(3), (100,) * 3, 0.05) == 0
    assert clusters(pores) < 0.1 * len(burst.centre)
    assert burst.thickness > 1.3 * closed.thickness
    assert pores.mean() == pytest.approx(0.7, abs=0.01)


def test_thin_walls_have_the_area_of_poisson_voronoi_walls(poisson: Laguerre) -> None:
    """2.910 to a unit of volume with one cell in it; Meijering (1953). A wall holds its area times its thickness."""
    random, half = np.random.default_rng(3), 0.01
    place = 10 * random.random((4000, 3))
    centre = 10 * np.random.default_rng(0).random((1000, 3))
    offset = nearest_image(place[:, None] - centre, 10.0)
    cell = (offset**2).sum(2).argmin(1)
    near = 0
    for own, x in zip(cell, offset[np.arange(len(place)), cell], strict=True):
        facets = poisson.facets[own]
        near += (poisson.height[facets] - poisson.normal[facets] @ x < half).sum()
    assert near / len(place) / (2 * half) == pytest.approx(2.910, rel=0.2)
