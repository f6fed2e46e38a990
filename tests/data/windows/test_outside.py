"""Windows of a sample that does not fill its scan: none holds a voxel of what is around."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from matopt.data.windows.autocorrelation import autocorrelation
from matopt.data.windows.scan import Scan
from matopt.data.windows.splitting import blocked_corners
from matopt.errors import InputError
from matopt.microstructures import OUTSIDE

ROWS, COLUMNS = np.mgrid[:96, :96] - 47.5
ROCK = (gaussian_filter(np.random.default_rng(0).standard_normal((64, 96, 96)), 1.5, mode="wrap") > -0.03).astype(
    np.uint8
)
CORE = np.where(np.hypot(ROWS, COLUMNS) < 44, ROCK, OUTSIDE).astype(np.uint8)


@settings(max_examples=40, deadline=None)
@given(shape=st.tuples(*[st.integers(1, 12)] * 3), size=st.tuples(*[st.integers(1, 5)] * 3), seed=st.integers(0, 99))
def test_a_corner_is_blocked_exactly_where_its_window_meets_the_outside(shape, size, seed):
    outside = np.random.default_rng(seed).random(shape) < 0.05
    blocked = blocked_corners(outside, size)
    for corner in np.ndindex(*(max(0, n - s + 1) for n, s in zip(shape, size, strict=True))):
        window = tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))
        assert blocked[corner] == outside[window].any()


@pytest.mark.parametrize(("stack", "dimensions"), [("volume", 2), ("volume", 3), ("images", 2)])
def test_windows_of_a_core_lie_in_it_and_splits_share_none(stack, dimensions):
    scan = Scan(CORE, 1e-6, stack)
    windows = scan.windows(16, stride=8, dimensions=dimensions)
    chosen = windows.choose({"train": 30, "test": 20}, seed=3, buffer=4)
    depth = 16 if dimensions == 3 else 1
    taken = {}
    for name, corners in chosen.items():
        taken[name] = np.zeros(CORE.shape, bool)
        for a, b, c in corners:
            assert (CORE[a : a + depth, b : b + 16, c : c + 16] != OUTSIDE).all()
            taken[name][a : a + depth, b : b + 16, c : c + 16] = True
    assert [len(corners) for corners in chosen.values()] == [30, 20]
    assert len({tuple(corner) for corner in np.concatenate(list(chosen.values()))}) == 50
    assert not (taken["train"] & taken["test"]).any()
    every = windows.choose({"all": len(windows)})["all"]
    step, (_, row, column) = windows.grid.step[0], windows.grid.origin
    inside = [
        (a, b, c)
        for a in range(0, 64 - depth + 1, step)
        for b in range(row, 96 - 16 + 1, 8)
        for c in range(column, 96 - 16 + 1, 8)
        if (CORE[a : a + depth, b : b + 16, c : c + 16] != OUTSIDE).all()
    ]
    assert sorted(map(tuple, every.tolist())) == inside


def test_the_grid_begins_where_most_windows_lie_in_the_core():
    """A square of 62 fits into a circle of 88, and four of 31: none of them from the corner of the image."""
    for size, number in ((62, 1), (31, 4)):
        windows = Scan(CORE[:1], 1e-6, "images").windows(size)
        assert len(windows) == number
        (parts,) = windows.split(all=number)
        assert len(parts) == number
    with pytest.raises(InputError, match="no window of 63 voxels lies wholly in the sample"):
        Scan(CORE[:1], 1e-6, "images").windows(63).split(train=1)


def test_a_sample_that_only_starts_half_way_is_split_along_it():
    """Blocks that are moved along to share out what is left may lie where nothing is; then they are not moved."""
    late = CORE.copy()
    late[:40] = OUTSIDE
    windows = Scan(late, 1e-6).windows(24, stride=4, slice_step=1)
    parts = windows.split(train=20, test=20, buffer=2)
    assert [len(part) for part in parts] == [20, 20]
    with pytest.raises(InputError, match="the scan cannot hold train 5000"):
        windows.split(train=5000, test=20, buffer=2)
    with pytest.raises(InputError, match="no window of 90 voxels lies wholly in the sample"):
        Scan(CORE, 1e-6).windows(90).split(train=1)


def test_statistics_are_of_the_sample_alone():
    """Of the core they are close to those of the rock that it was cut from, and far from what its surroundings make."""
    core, rock = Scan(CORE, 1e-6), Scan(ROCK, 1e-6)
    assert core.is_masked and not rock.is_masked
    assert core.porosity == pytest.approx((CORE == 0).sum() / (CORE != OUTSIDE).sum())
    for axis in range(3):
        np.testing.assert_allclose(autocorrelation(CORE, axis)[:24], autocorrelation(ROCK, axis)[:24], atol=0.03)
        assert core.decorrelation_length(axis) == pytest.approx(rock.decorrelation_length(axis), abs=1)
