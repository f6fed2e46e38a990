"""Causal neighbourhoods: what a voxel is drawn from, and pairs of both cut from microstructures."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True)
class Examples:
    """Voxels and what lies in their neighbourhoods.

    Attributes:
        neighbours: ``(n, F)`` uint8 phases at the F offsets.
        phase: ``(n,)`` uint8 of the voxels themselves.
    """

    neighbours: np.ndarray
    phase: np.ndarray


def causal_offsets(dimensions: int, radius: int, reach: int, spacing: int) -> np.ndarray:
    """List the offsets ``(F, dimensions)`` from a voxel to its causal neighbours: those before it in raster order.

    All voxels within ``radius`` along every axis, and beyond, to ``reach``, every ``spacing``-th along every axis.
    """
    sides = range(-reach, reach + 1)
    offsets = np.array([o for o in product(sides, repeat=dimensions) if o < (0,) * dimensions])
    near = (np.abs(offsets) <= radius).all(1)
    return offsets[near | (offsets % spacing == 0).all(1)]


def examples(phases: np.ndarray, offsets: np.ndarray, count: int, flips: bool, seed: int) -> Examples:
    """Cut voxels with their whole neighbourhoods out of microstructures, at random and each at most once.

    Args:
        phases: ``(N, *S)`` uint8.
        offsets: ``(F, len(S))`` of the neighbours.
        count: how many voxels at most.
        flips: cut from the microstructures' mirror images along all axes too.
        seed: of the choice.
    """
    shape = np.array(phases.shape[1:])
    first, last = -offsets.min(0), shape - np.maximum(offsets.max(0), 0)
    places = last - first
    mirrored = np.array(list(product((1, -1) if flips else (1,), repeat=len(shape))))
    total = len(phases) * len(mirrored) * int(places.prod())
    chosen = np.random.default_rng(seed).choice(total, min(count, total), replace=False)
    which, way, *place = np.unravel_index(chosen, (len(phases), len(mirrored), *places))
    sign = mirrored[way]
    position = np.stack(place, 1) + first
    position = np.where(sign > 0, position, shape - 1 - position)
    flat, strides = phases.ravel(), np.array(phases.strides[1:]) // phases.itemsize
    centre = which * int(shape.prod()) + position @ strides
    neighbours = np.empty((len(chosen), len(offsets)), np.uint8)
    for column, offset in enumerate(offsets):
        neighbours[:, column] = flat[centre + sign @ (offset * strides)]
    return Examples(neighbours, flat[centre])
