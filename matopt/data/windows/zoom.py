"""Enlarging phases so that their interfaces become smooth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage

from matopt.microstructures import OUTSIDE

BLUR = 0.6
"""Standard deviation in voxels of the blur before a zoom: less leaves the voxels' corners, more loses small pores."""


def enlarged(phases: np.ndarray, zoom: float | Sequence[float]) -> np.ndarray:
    """Refine phases ``zoom`` times, along each axis, with smooth interfaces and the same porosity to the voxel.

    A slight blur, cubic interpolation between the voxels' centres, and the threshold that keeps the porosity. The
    image is mirrored at its edges, so that nothing from outside of it gets in. What is outside the sample is given to
    the nearest voxels, and has no part in the porosity.
    """
    outside = phases == OUTSIDE if phases.max(initial=0) == OUTSIDE else None
    density = phases.astype(np.float32) if outside is None else np.where(outside, np.float32(0.5), phases)
    smooth = scipy.ndimage.gaussian_filter(density, BLUR, mode="reflect")
    fine = scipy.ndimage.zoom(smooth, zoom, order=3, mode="reflect", grid_mode=True)
    result = np.ones(fine.shape, np.uint8)
    places = np.arange(fine.size)
    share = np.count_nonzero(phases == 0) / phases.size
    if outside is not None:
        beyond = scipy.ndimage.zoom(outside.view(np.uint8), zoom, order=0, mode="nearest", grid_mode=True)
        result[beyond > 0] = OUTSIDE
        places = np.flatnonzero(beyond == 0)
        share = np.count_nonzero(phases == 0) / np.count_nonzero(~outside)
    pores = round(share * len(places))
    if pores:
        result.reshape(-1)[places[np.argpartition(fine.ravel()[places], pores - 1)[:pores]]] = 0
    return result
