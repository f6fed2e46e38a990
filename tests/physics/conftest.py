"""Images that the physics is tested on."""

from __future__ import annotations

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def berea_windows(berea: np.ndarray) -> torch.Tensor:
    """Twelve windows ``(12, 1, 64, 64)`` of slices far apart."""
    cuts = [berea[z, z % 300 : z % 300 + 64, z // 2 : z // 2 + 64] for z in range(10, 400, 33)]
    return torch.from_numpy(np.stack(cuts)[:, None].astype(np.float32))


@pytest.fixture
def rock() -> torch.Tensor:
    """Two made-up rocks ``(2, 1, 12, 15)``, about 75 % grain, that carry along both axes in grain."""
    noise = np.random.default_rng(3).random((2, 1, 12, 15))
    return torch.from_numpy((noise > 0.25).astype(np.float64))
