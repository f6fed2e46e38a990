"""Cubes of voxels that are none: shape-based interpolation between the slices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage

from matopt.microstructures import OUTSIDE


def cubes(phases: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Resample phases to cubes of the least edge of their voxels, with the same porosity to the voxel.

    The distance to the nearest pore less that to the nearest grain is interpolated by cubic splines, and cut at the
    level that keeps the porosity: an interface that lies elsewhere in the next slice moves there step by step (Raya and
    Udupa, IEEE Trans. Med. Imaging 9 (1990) 32; Herman, Zheng and Bucholtz, IEEE Comput. Graph. Appl. 12 (1992) 69).
    What is outside the sample is given to the nearest voxels.

    Args:
        phases: ``S`` uint8 of 0, 1 and, outside, 2; both phases occur.
        edges: of a voxel along each axis, in any unit.

    Returns:
        uint8 of so many voxels along each axis as cover it.
    """
    factors = [edge / min(edges) for edge in edges]
    distance = scipy.ndimage.distance_transform_edt(phases != 0, edges)
    distance -= scipy.ndimage.distance_transform_edt(phases != 1, edges)
    fine = distance.astype(np.float32)
    for axis, factor in enumerate(factors):
        if factor > 1:  # by a matrix, for an axis alone: scipy's zoom takes 4 voxels along each of them
            spline = scipy.ndimage.zoom(
                np.eye(phases.shape[axis], dtype=np.float32), (factor, 1), order=3, mode="nearest", grid_mode=True
            )
            fine = np.moveaxis(np.tensordot(spline, fine, (1, axis)), 0, axis)
    result = np.ones(fine.shape, np.uint8)
    if (phases == OUTSIDE).any():
        beyond = (phases == OUTSIDE).view(np.uint8)
        result[scipy.ndimage.zoom(beyond, factors, order=0, mode="nearest", grid_mode=True) > 0] = OUTSIDE
    inside = np.flatnonzero(result.ravel() == 1)
    pores = round(np.count_nonzero(phases == 0) / np.count_nonzero(phases != OUTSIDE) * len(inside))
    values = fine.ravel()[inside]
    result.ravel()[inside[np.argpartition(values, pores - 1)[:pores]]] = 0
    return result
