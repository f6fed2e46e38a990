"""Percolation against a plain search on a tiling of the sample."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from matopt.physics.numerics.percolation import crossing, wrapping

SAMPLES = st.one_of(arrays.array_shapes(min_dims=2, max_dims=2, max_side=6), st.just((3, 3, 3))).flatmap(
    lambda shape: arrays.arrays(bool, shape)
)


@given(SAMPLES, st.booleans())
@settings(max_examples=150, deadline=None)
def test_wrapping_is_what_a_large_tiling_connects(sample, corners):
    dimensions = sample.ndim
    # Enough periods for any path within the sample to leave it: a cluster that meets its own image carries.
    repeats = 2 * max(3, sample.size // 4) + 1 if dimensions == 2 else 9
    middle = repeats // 2
    tiled = np.tile(sample, [repeats] * dimensions)
    labels, _ = ndimage.label(tiled, ndimage.generate_binary_structure(dimensions, dimensions if corners else 1))
    periods = labels.reshape([n for size in sample.shape for n in (repeats, size)])
    periods = periods.transpose(*range(0, 2 * dimensions, 2), *range(1, 2 * dimensions, 2))
    home = periods[(middle,) * dimensions]
    carrying, along = np.zeros(sample.shape, bool), np.zeros(dimensions, bool)
    for offset in np.ndindex(*[3] * dimensions):
        shift = np.array(offset) - 1
        for factor in range(1, middle + 1 if dimensions == 2 else 3):
            same = (home > 0) & (home == periods[tuple(middle + factor * shift)]) & shift.any()
            carrying |= same
            along |= (shift != 0) & same.any()
    found = wrapping(sample[None], corners)
    # Windings of (2, 1) and steeper are missed by this search, never the other way round.
    assert not (carrying & ~found.carrying[0]).any() and not (along & ~found.along[0]).any()
    if sample.size <= 12:
        assert (carrying == found.carrying[0]).all() and (along == found.along[0]).all()


def test_a_stair_that_winds_twice_before_it_closes_carries_along_both_axes():
    sample = np.zeros((4, 4), bool)
    sample[[0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 1, 2, 2, 3, 3, 0]] = True
    found = wrapping(sample[None])
    assert found.along.all() and (found.carrying[0] == sample).all()


def test_a_closed_ring_across_the_seam_does_not_carry():
    sample = np.zeros((6, 6), bool)
    sample[[0, 0, 0, 5, 5, 5, 1, 1, 1], [0, 1, 5, 0, 1, 5, 0, 1, 5]] = True
    sample[0, 0] = False
    assert not wrapping(sample[None]).along.any()


def test_corners_connect_only_where_asked():
    sample = np.eye(5, dtype=bool)
    assert not wrapping(sample[None]).along.any()
    assert wrapping(sample[None], corners=True).along.all()


def test_crossing_keeps_the_clusters_from_face_to_face():
    sample = np.zeros((5, 6), bool)
    sample[:, 1] = True
    sample[:4, 3] = True
    sample[2, 5] = True
    found = crossing(sample[None])
    assert found.along.tolist() == [[True, False]]
    assert found.carrying[0].sum() == 5 and found.carrying[0, :, 1].all()


def test_nothing_and_everything():
    both = np.stack([np.zeros((3, 4), bool), np.ones((3, 4), bool)])
    assert wrapping(both).along.tolist() == [[False, False], [True, True]]
    assert crossing(both).along[:, 0].tolist() == [False, True]
