"""Moves are small, reach every place, and keep what they say that they keep."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from matopt.data.moves import Move, exchange, grow, rim, turn_block
from matopt.testing.images import random_microstructures

SHAPES = [(24, 20), (12, 10, 8)]
MOVES = [turn_block, grow, exchange]


def changed(move: Move, shape: tuple[int, ...], n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """One sample and ``(n, *shape)`` what became of it."""
    (sample,) = random_microstructures(1, shape, seed=0).phases
    random, copies = np.random.default_rng(1), np.stack([sample] * n)
    for copy in copies:
        move(copy, random)
    return sample, copies


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("move", MOVES)
def test_a_move_changes_a_few_voxels_of_both_phases_where_they_meet(move: Move, shape: tuple[int, ...]) -> None:
    sample, copies = changed(move, shape)
    differs = copies != sample
    is_changed = differs.reshape(len(copies), -1).any(1)
    assert is_changed.mean() > 0.95 and differs.mean() < 0.06  # what cannot be made up for elsewhere is left
    assert set(copies.ravel()) == {0, 1} and (differs & (sample == 0)).any() and (differs & (sample == 1)).any()
    border = ndimage.maximum_filter(sample, 3, mode="wrap") != ndimage.minimum_filter(sample, 3, mode="wrap")
    assert ((differs & border).reshape(len(copies), -1).any(1) == is_changed).all()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_exchange_keeps_the_porosity_to_the_voxel_and_the_others_do_not(shape: tuple[int, ...]) -> None:
    for move, is_kept in ((exchange, True), (turn_block, False), (grow, False)):
        sample, copies = changed(move, shape)
        solid = copies.reshape(len(copies), -1).sum(1)
        assert (solid == sample.sum()).all() == is_kept


def test_growing_adds_one_layer_and_no_more() -> None:
    sample, copies = changed(grow, (24, 20))
    for copy in copies:
        phase = int(copy.sum() > sample.sum())
        assert not ((copy != sample) & ~rim(sample, phase)).any()


@pytest.mark.parametrize("phase", [0, 1])
def test_a_sample_of_one_phase_has_blocks_to_turn_and_nothing_to_grow_or_exchange(phase: int) -> None:
    for move, is_changed in ((turn_block, True), (grow, False), (exchange, False)):
        for seed in range(5):
            sample = np.full((8, 8), phase, np.uint8)
            move(sample, np.random.default_rng(seed))
            assert (sample != phase).any() == is_changed


def test_moves_follow_from_the_random_generator_alone() -> None:
    for move in MOVES:
        assert np.array_equal(changed(move, (24, 20))[1], changed(move, (24, 20))[1])
