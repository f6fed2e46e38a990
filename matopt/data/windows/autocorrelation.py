"""The autocorrelation of phases, from which buffers, slice steps and window sizes follow."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft

DECORRELATED = 0.05
"""Below this correlation one voxel explains less than a quarter of a per cent of the other's variance."""

ENOUGH_VOXELS = 1 << 22
"""Lines are left out beyond this many voxels: the estimate's error is far below :data:`DECORRELATED` by then."""


def autocorrelation(phases: np.ndarray, axis: int) -> np.ndarray:
    """Compute the correlation of voxels 0, 1, ... n // 2 apart along ``axis``, whose length is n.

    The two-point covariance of the grain over its value at distance 0 (Torquato, Random Heterogeneous Materials,
    2002, ch. 2), averaged over all lines along the axis, or evenly spread ones in a large volume. All zeros but the
    first in an image of one phase. Voxels of other numbers than 0 and 1 lie outside, and count in no pair.
    """
    lines = np.moveaxis(phases, axis, -1)
    n = lines.shape[-1]
    lines = lines.reshape(-1, n)
    lines = lines[:: math.ceil(lines.size / ENOUGH_VOXELS)]
    lags = n // 2 + 1
    inside = lines <= 1
    pairs = len(lines) * (n - np.arange(lags))
    if is_masked := not inside.all():
        centred = np.where(inside, lines - np.float32(lines[inside].mean()), np.float32(0))
    else:
        centred = lines - np.float32(lines.mean())
    size = scipy.fft.next_fast_len(n + lags, real=True)  # zeros behind each line: it is not periodic
    sums = _products(centred, size)[:lags]
    if is_masked:
        pairs = _products(inside.astype(np.float32), size)[:lags].round()
    covariance = np.divide(sums, pairs, out=np.zeros(lags), where=pairs > 0)
    if covariance[0] <= 0:
        return np.eye(1, lags)[0]
    return covariance / covariance[0]


def _products(lines: np.ndarray, size: int) -> np.ndarray:
    """Sum over lines, and along each, the products of values 0, 1, ... apart."""
    power = np.zeros(size // 2 + 1)
    for start in range(0, len(lines), 4096):
        transform = scipy.fft.rfft(lines[start : start + 4096], size)
        power += (transform.real**2 + transform.imag**2).sum(0, dtype=np.float64)
    return scipy.fft.irfft(power, size)


def decorrelation_length(phases: np.ndarray, axis: int) -> int:
    """Find the least distance along ``axis``, in voxels, at which the correlation is below :data:`DECORRELATED`.

    Half of the axis, the largest distance at which it can be measured, where the correlation never falls so far.
    """
    below = np.flatnonzero(autocorrelation(phases, axis) < DECORRELATED)
    return int(below[0]) if len(below) else max(1, phases.shape[axis] // 2)


def integral_range(correlation: np.ndarray, dimensions: int) -> float:
    """Integrate an isotropic correlation over the plane (2) or space (3), in voxels.

    A window of V voxels holds V / integral range independent parts: the volume fraction of the grain, f, varies
    between windows with variance f (1 - f) integral range / V (Lantuejoul 1991; Kanit et al. 2003, doi
    10.1016/S0020-7683(03)00143-4). The tail behind the first value that is not positive is noise, and left out.
    """
    negative = np.flatnonzero(correlation <= 0)
    tail = correlation[1 : negative[0] if len(negative) else None]
    r = np.arange(1, len(tail) + 1)
    shell = 2 * np.pi * r if dimensions == 2 else 4 * np.pi * r**2
    return 1.0 + float((shell * tail).sum())
