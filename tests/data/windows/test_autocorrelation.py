"""Correlations against their closed forms."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from matopt.data.windows.autocorrelation import autocorrelation, decorrelation_length, integral_range


def test_random_strips_have_a_triangular_correlation():
    """Strips of width w with random phases: two voxels r apart share a strip with probability 1 - r / w."""
    random = np.random.default_rng(0)
    strips = np.repeat(random.random((4000, 32)) < 0.5, 8, axis=1)
    shifted = np.stack([np.roll(row, shift) for row, shift in zip(strips, random.integers(0, 8, 4000), strict=True)])
    measured = autocorrelation(shifted.astype(np.uint8), axis=1)
    expected = np.maximum(0, 1 - np.arange(129) / 8)
    np.testing.assert_allclose(measured[:40], expected[:40], atol=0.02)
    assert decorrelation_length(shifted.astype(np.uint8), axis=1) == 8


def test_white_noise_decorrelates_at_once():
    noise = (np.random.default_rng(0).random((50, 60, 70)) < 0.3).astype(np.uint8)
    assert [decorrelation_length(noise, axis) for axis in range(3)] == [1, 1, 1]


def test_it_is_the_covariance_counted_pair_by_pair():
    phases = (gaussian_filter(np.random.default_rng(0).random((40, 30)), 2) > 0.5).astype(np.uint8)
    centred = phases - phases.mean()
    direct = [np.mean(centred[r:] * centred[: 40 - r]) for r in range(21)]
    np.testing.assert_allclose(autocorrelation(phases, 0), np.array(direct) / direct[0], atol=1e-6)


def test_one_phase_is_decorrelated():
    assert decorrelation_length(np.ones((1, 20, 20), np.uint8), 1) == 1


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_integral_range_predicts_how_much_windows_differ(dimensions):
    """Lantuejoul's law: the variance of a volume fraction f between windows of V voxels is f (1 - f) A / V."""
    side, window = (1200, 60) if dimensions == 2 else (160, 20)
    field = gaussian_filter(np.random.default_rng(0).standard_normal((side,) * dimensions), 1.5, mode="wrap")
    phases = (field > 0).astype(np.uint8)
    measured = autocorrelation(phases, 0)
    blocks = phases.reshape((side // window, window) * dimensions)
    fractions = blocks.mean(axis=tuple(range(1, 2 * dimensions, 2)))
    f = phases.mean()
    predicted = f * (1 - f) * integral_range(measured, dimensions) / window**dimensions
    assert fractions.var() == pytest.approx(predicted, rel=0.25)
