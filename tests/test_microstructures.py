"""Batches of microstructures: what they may hold, and what they are known by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from matopt.microstructures import Microstructures

PHASES = (np.random.default_rng(0).random((5, 8, 6)) < 0.7).astype(np.uint8)


@pytest.mark.parametrize(
    ("phases", "voxel_size", "told"),
    [
        (PHASES.astype(float), 1e-6, "must be uint8"),
        (PHASES[0], 1e-6, r"shape \(N, \*S\)"),
        (PHASES * 2, 1e-6, "must be 0 .pore. or 1 .grain."),
        (PHASES, 0.0, "voxel_size must be positive"),
        (PHASES, float("nan"), "voxel_size must be positive"),
    ],
)
def test_what_is_no_batch_is_refused(phases: np.ndarray, voxel_size: float, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Microstructures(phases, voxel_size)


def test_a_hash_is_of_shape_and_phases_alone() -> None:
    batch = Microstructures(PHASES, 1e-6)
    assert len(set(batch.hashes)) == 5
    assert Microstructures(PHASES, 2e-6).hashes == batch.hashes
    assert batch[[3, 1]].hashes == (batch.hashes[3], batch.hashes[1])
    assert not set(Microstructures(PHASES.reshape(5, 6, 8), 1e-6).hashes) & set(batch.hashes)
    flipped = PHASES.copy()
    flipped[2, 4, 4] ^= 1
    assert [a == b for a, b in zip(Microstructures(flipped, 1e-6).hashes, batch.hashes, strict=True)].count(False) == 1


def test_density_and_back() -> None:
    batch = Microstructures(PHASES, 1e-6)
    density = batch.density()
    assert density.shape == (5, 1, 8, 6) and density.dtype == torch.float32
    np.testing.assert_allclose(1 - density.mean((1, 2, 3)).numpy(), batch.porosity, atol=1e-6)
    back = Microstructures.from_density(density * 0.5, 1e-6)
    np.testing.assert_array_equal(back.phases, PHASES)


def test_only_batches_of_one_kind_are_joined() -> None:
    batch = Microstructures(PHASES, 1e-6)
    np.testing.assert_array_equal(Microstructures.concatenate([batch[:2], batch[2:]]).phases, PHASES)
    with pytest.raises(ValueError, match="different shapes or voxel sizes"):
        Microstructures.concatenate([batch, Microstructures(PHASES, 2e-6)])
