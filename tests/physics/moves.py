"""Changes of binary samples, by what they do: voxels by where they are, blocks and layers."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage


def places(sample: np.ndarray) -> dict[str, np.ndarray]:
    """Where voxels of a periodic sample ``(*S)`` bool, True in grains, are: masks by name."""
    cross = ndimage.generate_binary_structure(sample.ndim, 1)
    at_pore = sample & ndimage.maximum_filter(~sample, footprint=cross, mode="wrap")
    at_grain = ~sample & ndimage.maximum_filter(sample, footprint=cross, mode="wrap")
    deep = ~ndimage.maximum_filter(sample, size=3, mode="wrap")
    return {"grain at pore": at_pore, "grain inside": sample & ~at_pore, "pore at grain": at_grain, "pore inside": deep}


def flipped(sample: np.ndarray, place: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Flip some of the voxels where ``place`` is: their indices ``(K, d)``, and the samples ``(K, *S)``."""
    at = np.argwhere(place)
    at = at[np.random.default_rng(seed).permutation(len(at))[:count]]
    out = np.repeat(sample[None], len(at), 0)
    out[(np.arange(len(at)), *at.T)] ^= True
    return at, out


def blocks(sample: np.ndarray, to: bool, count: int, seed: int, edge: int = 3) -> np.ndarray:
    """Fill (or cut) blocks of the sample that are not full (or empty), ``(count, *S)``."""

    def fill(out: np.ndarray, box: tuple[slice, ...]) -> None:
        out[box] = to

    return _changed(sample, edge, count, seed, fill)


def layers(sample: np.ndarray, to: bool, count: int, seed: int, edge: int = 16) -> np.ndarray:
    """Dilate (or erode) the grain by one layer in boxes of the sample, ``(count, *S)``."""
    cross = ndimage.generate_binary_structure(sample.ndim, 1)
    moved = (ndimage.maximum_filter if to else ndimage.minimum_filter)(sample, footprint=cross, mode="wrap")

    def fill(out: np.ndarray, box: tuple[slice, ...]) -> None:
        out[box] = moved[box]

    return _changed(sample, edge, count, seed, fill)


def _changed(sample: np.ndarray, edge: int, count: int, seed: int, change) -> np.ndarray:
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        out = sample.copy()
        change(out, tuple(slice(a, a + edge) for a in rng.integers(0, np.array(sample.shape) - edge + 1)))
        if (out != sample).any():
            found.append(out)
    return np.stack(found)


def as_density(samples: np.ndarray) -> torch.Tensor:
    """``(N, 1, *S)`` float64 of ``(N, *S)``."""
    return torch.from_numpy(samples[:, None].astype(np.float64))


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    """Pearson's."""
    return torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1].item()
