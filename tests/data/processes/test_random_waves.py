"""The spinodal structure against what is known of levelled Gaussian fields."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtri

from matopt.data.processes.random_waves import RandomWaves
from matopt.descriptors.correlation import two_point_correlation
from matopt.descriptors.surface import specific_surface
from matopt.microstructures import Microstructures

WAVELENGTH, SPREAD, POROSITY = 16, 0.15, 0.35
LEVEL = ndtri(POROSITY)


@pytest.fixture(scope="module")
def slices() -> Microstructures:
    origin = np.zeros(3)
    drawn = [RandomWaves(np.random.default_rng(seed), SPREAD, POROSITY) for seed in range(24)]
    return Microstructures(np.array([s.phases(origin, (1, 160, 160), 1 / WAVELENGTH)[0] for s in drawn]), 1e-6)


def covariance(r: float, wavelength: float) -> float:
    """Of the field: the mean of sin(k r) / (k r) over log-normal wave numbers."""
    z = np.linspace(-5, 5, 2001)
    weight = np.exp(-(z**2) / 2)
    k = 2 * np.pi / wavelength * np.exp(SPREAD * z)
    return float((weight * np.sinc(k * r / np.pi)).sum() / weight.sum())


def s2(r: float, wavelength: float = WAVELENGTH) -> float:
    """Berk, Phys. Rev. Lett. 58, 2718 (1987): P(both ends below the level), an integral over the correlation."""
    angle = np.arcsin(covariance(r, wavelength))
    return POROSITY**2 + quad(lambda t: np.exp(-(LEVEL**2) / (1 + np.sin(t))), 0, angle)[0] / (2 * np.pi)


def test_s2_is_that_of_a_levelled_gaussian_field(slices: Microstructures) -> None:
    radius = 40
    measured = two_point_correlation(slices.density(), radius).mean(0).numpy()
    along = (measured[radius, radius:] + measured[radius:, radius]) / 2
    steps = range(radius + 1)
    assert np.abs(along - [s2(r) for r in steps]).max() < 0.01
    assert np.abs(along - [s2(r, 1.25 * WAVELENGTH) for r in steps]).max() > 0.02
    assert along[0] == pytest.approx(POROSITY, abs=0.01)


def test_the_specific_surface_is_that_of_rice_s_formula() -> None:
    seeds = range(6)
    drawn = [RandomWaves(np.random.default_rng(s), SPREAD, POROSITY) for s in seeds]
    volumes = Microstructures(np.array([v.phases(np.zeros(3), (64,) * 3, 1 / 24) for v in drawn]), 1e-6)
    mean_square = (2 * np.pi) ** 2 * np.exp(2 * SPREAD**2)  # of the wave number
    expected = 2 / np.pi * np.sqrt(mean_square / 3) * np.exp(-(LEVEL**2) / 2)
    assert float(specific_surface(volumes.density(), 1 / 24).mean()) == pytest.approx(expected, rel=0.06)


def test_the_field_is_gaussian_with_mean_0_and_variance_1() -> None:
    axis = 3.7 * np.arange(12.0)
    values = np.array([RandomWaves(np.random.default_rng(s), SPREAD, 0.5).at((axis,) * 3) for s in range(6)])
    assert values.mean() == pytest.approx(0, abs=0.05)
    assert values.var() == pytest.approx(1, abs=0.05)
    assert (values**4).mean() / values.var() ** 2 == pytest.approx(3, abs=0.2)
    assert np.mean(values > 1) == pytest.approx(0.1587, abs=0.015)
