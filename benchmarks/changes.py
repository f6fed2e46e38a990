"""Changes of binary samples: single voxels by where they are, blocks, and layers of the grain's surface."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import ndimage

BLOCK = 3


def changes(sample: np.ndarray, count: int, window: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Each kind of change with up to ``count`` changed samples ``(n, *S)`` of ``(*S)``, 1 in grain.

    Args:
        sample: uint8.
        count: how many of each kind.
        window: edge of the box in which the grain grows or shrinks by a layer.
        seed: of where.
    """
    rng, grain = np.random.default_rng(seed), sample > 0
    cross = ndimage.generate_binary_structure(sample.ndim, 1)
    wider = ndimage.maximum_filter(grain, footprint=cross, mode="wrap")
    thinner = ndimage.minimum_filter(grain, footprint=cross, mode="wrap")
    touched = ndimage.maximum_filter(grain, size=3, mode="wrap")
    places = {
        "cut grain at a pore": grain & ~thinner,
        "cut grain inside": thinner,
        "fill pore at grain": wider & ~grain,
        "fill pore inside": ~touched,
    }
    for name, place in places.items():
        at = np.argwhere(place)
        at = at[rng.permutation(len(at))[:count]]
        moved = np.repeat(sample[None], len(at), 0)
        moved[(np.arange(len(at)), *at.T)] ^= 1
        yield name, moved
    for name, value in (("cut a block", 0), ("fill a block", 1)):
        yield name, _in_boxes(sample, lambda old, v=value: np.full_like(old, v), BLOCK, count, rng)
    for name, layer in (("erode a layer", thinner), ("dilate a layer", wider)):
        yield name, _in_boxes(sample, layer.astype(np.uint8), window, count, rng)


def _in_boxes(
    sample: np.ndarray,
    new: np.ndarray | Callable[[np.ndarray], np.ndarray],
    edge: int,
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Change the sample in boxes that differ from it."""
    found = []
    while len(found) < count:
        box = tuple(slice(a, a + edge) for a in rng.integers(0, np.array(sample.shape) - edge + 1))
        moved = sample.copy()
        moved[box] = new(sample[box]) if callable(new) else new[box]
        if (moved != sample).any():
            found.append(moved)
    return np.stack(found)


def solid_nearby(sample: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """What knows no physics, ``(n,)``: the solid fraction around each changed voxel, summed over them."""
    around = ndimage.uniform_filter(sample.astype(float), 5, mode="wrap")
    return ((moved != sample) * around).reshape(len(moved), -1).sum(1)
