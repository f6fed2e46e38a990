"""Subsets of a front that dominate most."""

from __future__ import annotations

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume
from optuna._hypervolume.hssp import _solve_hssp

from matopt.study.hypervolume import dominating_most


@pytest.mark.parametrize("seed", range(8))
def test_the_points_picked_are_those_of_optunas_own_greedy_search(seed):
    random = np.random.default_rng(seed)
    x = np.unique(random.normal(size=60).round(1 if seed % 2 else 9))  # on a grid many points add the same
    front = np.stack([x, -x if seed % 4 == 1 else -np.sort(random.random(len(x)))], 1)
    reference = front.max(0) + 0.1
    for size in (1, 7, len(front) - 1):
        rows = dominating_most(front, size, reference)
        assert rows == list(_solve_hssp(front, np.arange(len(front)), size, reference))
    most = compute_hypervolume(front, reference)
    assert compute_hypervolume(front[dominating_most(front, 20, reference)], reference) > (1 - 1 / np.e) * most
