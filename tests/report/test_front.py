"""Fronts of two merits, against their definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matopt.report.front import dominated_area, on_front

merits = st.lists(st.tuples(st.integers(-3, 9), st.integers(-3, 9)), max_size=12).map(
    lambda points: np.array(points, dtype=float).reshape(-1, 2)
)


@given(merits)
def test_no_point_exceeds_those_on_the_front_and_all_others_are_reached(points: np.ndarray) -> None:
    front = on_front(points)
    kept = points[front]
    assert (np.diff(kept[:, 0]) > 0).all() and (np.diff(kept[:, 1]) < 0).all()
    for point in points:
        assert (kept >= point).all(1).any(), "every point is reached by one of the front"
    assert len(set(front.tolist())) == len(front)


@given(merits)
def test_the_area_is_the_number_of_unit_squares_below_some_point(points: np.ndarray) -> None:
    corners = np.stack(np.meshgrid(np.arange(9), np.arange(9)), -1).reshape(-1, 2)
    covered = (points[:, None] >= corners + 1).all(2).any(0)
    assert dominated_area(points, np.zeros(2)) == covered.sum()
