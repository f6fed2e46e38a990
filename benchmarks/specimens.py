"""What the simulators are measured on: windows of Berea sandstone, and balls."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import tifffile
import torch

from matopt.microstructures import Microstructures

VOXEL = 5.345e-6
"""Edge of a voxel of the scan, in metres."""


def berea(path: Path) -> np.ndarray:
    """``(400, 400, 400)`` uint8, 1 in grains."""
    with zipfile.ZipFile(path) as archive, archive.open("berea.tif") as file:
        return (tifffile.imread(file) > 0).astype(np.uint8)


def density(solid: np.ndarray) -> torch.Tensor:
    """``(N, 1, *S)`` in single precision, of ``(N, *S)``."""
    return torch.from_numpy(solid[:, None].astype(np.float32))


def cube(rock: np.ndarray, size: int, corner: int) -> np.ndarray:
    """``(size, size, size)`` from this corner along every axis."""
    return rock[(slice(corner, corner + size),) * 3]


def slices(rock: np.ndarray, size: int, count: int) -> np.ndarray:
    """``(count, size, size)`` windows of slices as far apart as there is room, at places that differ."""
    room = rock.shape[1] - size + 1
    heights = np.arange(count) * (len(rock) // count)
    return np.stack([rock[z, 7 * z % room :, 3 * z % room :][:size, :size] for z in heights])


def windows(rock: np.ndarray, size: int, dimensions: int, slabs: range) -> Microstructures:
    """All windows side by side in the slices ``slabs``, or in the layers of volumes that they hold."""
    if dimensions == 3:
        slabs = range(slabs.start, slabs.stop - size + 1, size)
    places = range(0, rock.shape[1] - size + 1, size)
    cuts = [
        rock[z if dimensions == 2 else slice(z, z + size), y : y + size, x : x + size]
        for z in slabs
        for y in places
        for x in places
    ]
    return Microstructures(np.stack(cuts), VOXEL)


def ball(size: int, share: float, dimensions: int) -> np.ndarray:
    """True in the disc or sphere in the middle of the cell of which it is this share."""
    x = (np.arange(size) + 0.5) / size - 0.5
    radius = math.sqrt(share / math.pi) if dimensions == 2 else (3 * share / 4 / math.pi) ** (1 / 3)
    return sum(g**2 for g in np.meshgrid(*[x] * dimensions, indexing="ij")) < radius**2
