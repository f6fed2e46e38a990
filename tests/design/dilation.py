"""A design space of a user's own, which a study names as ``dilation.py:Dilation``."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from matopt.design.spaces.base import Material, Space


class Dilation(Space):
    """The grain of each start, grown by a distance in voxels: one number a design.

    Args:
        largest: the largest distance.
    """

    step_size = 0.2

    def __init__(self, largest: float = 2.0) -> None:
        self.largest = largest

    def start(self, material: Material, n: int, seed: int) -> torch.Tensor:
        phases = material.microstructures(n, seed).phases
        self.distances = torch.tensor(np.stack([distance_transform_edt(p == 0) for p in phases]), dtype=torch.float32)
        return torch.zeros(len(phases), 1)

    def density(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(4 * (x[:, :, None] + 0.5 - self.distances[rows]))[:, None]

    def project(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return x.clamp(0, self.largest)
