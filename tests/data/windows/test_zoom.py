"""A zoom keeps porosity and clusters, and makes interfaces smooth."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from matopt.data.windows.zoom import enlarged


def blobs(*shape: int, sigma: float = 2.0, seed: int = 0) -> np.ndarray:
    field = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma, mode="wrap")
    return (field > 0).astype(np.uint8)


@pytest.mark.parametrize("shape", [(32, 32), (20, 20, 20)])
@pytest.mark.parametrize("zoom", [2, 3])
def test_a_zoom_keeps_porosity_to_the_voxel_and_the_clusters(shape, zoom):
    for seed in range(5):
        coarse = blobs(*shape, sigma=2.5, seed=seed)
        fine = enlarged(coarse, zoom)
        assert fine.shape == tuple(zoom * n for n in shape)
        assert np.count_nonzero(fine) == np.count_nonzero(coarse) * zoom ** len(shape)
        # Where a voxel and all its neighbours agree, the fine voxels must: nothing has moved.
        inner = coarse.astype(float)
        inner = gaussian_filter(inner, 1.0, truncate=2.0)
        repeated = np.kron(np.where(inner > 0.98, 1, np.where(inner < 0.02, 0, -1)), np.ones((zoom,) * len(shape)))
        agree = repeated >= 0
        assert (fine[agree] == repeated[agree]).mean() > 0.999


def test_a_zoom_is_smooth_and_centred():
    """A disc stays a disc: of the same area and centre, and nearer to the true circle than repeated voxels are."""
    y, x = np.mgrid[:64, :64] + 0.5
    fine_y, fine_x = (np.mgrid[:256, :256] + 0.5) / 4
    disc = (np.hypot(y - 30, x - 35) < 12).astype(np.uint8)
    truth = np.hypot(fine_y - 30, fine_x - 35) < 12
    fine = enlarged(disc, 4)
    assert label(fine)[1] == 1
    assert fine_y[fine == 1].mean() == pytest.approx(30, abs=0.02)
    assert fine_x[fine == 1].mean() == pytest.approx(35, abs=0.02)
    assert (fine != truth).sum() < 0.75 * (np.kron(disc, np.ones((4, 4))) != truth).sum()


@pytest.mark.parametrize("phase", [0, 1])
def test_a_window_of_one_phase_stays_one(phase):
    assert (enlarged(np.full((8, 8), phase, np.uint8), 2) == phase).all()
