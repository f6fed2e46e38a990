"""The variance of the volume fraction between blocks of a material, from the correlation within smaller samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from matopt.descriptors.correlation import radial_correlation

Covariance = tuple[np.ndarray, np.ndarray]
"""Rising lengths in voxels, and the covariance of the solid fraction at each: beyond them it is zero."""

TRUSTED = 20
"""Samples whose variance says as much as the correlation does: that of so many errs by a third, root mean square, and
so does what the correlation says of the process models, whose covariance is negative beyond its first zero crossing."""

VOXELS_AT_ONCE = 2**22
"""How many are correlated at once: each takes some hundred bytes meanwhile."""


def block_variance(density: torch.Tensor, shape: Sequence[int]) -> float:
    """Estimate the variance of the volume fraction of blocks, which may be larger than the samples or have more axes.

    Args:
        density: ``(N, 1, *S)`` solid fractions of samples of one material.
        shape: of the blocks in voxels.
    """
    return variance_of_blocks(radial_covariance(density), shape)


def radial_covariance(density: torch.Tensor) -> Covariance:
    """Measure ``C = S2 - phi^2`` of samples ``(N, 1, *S)`` of one material, taken as isotropic.

    It ends at its first zero crossing, or at half the samples' edge where it has none. What that leaves out, and what
    of a material is not isotropic, shows in the variance between samples: so it is multiplied by a number, with which
    blocks of their shape vary as they do, the more nearly the more samples there are (:data:`TRUSTED`).
    """
    n, shape = len(density), density.shape[2:]
    parts = density.split(max(1, VOXELS_AT_ONCE // math.prod(shape)))
    found = [radial_correlation(part.double(), min(shape) // 2, phase=1) for part in parts]
    lengths, s2 = found[0][0].cpu().numpy(), torch.cat([values for _, values in found]).mean(0).cpu().numpy()
    covariance = s2 - float(density.double().mean()) ** 2
    is_past = np.append(covariance <= 0, True)
    end = int(is_past.argmax())
    lengths, covariance = lengths[:end], covariance[:end]
    if n == 1 or end == 0:
        return lengths, covariance
    measured = float(density.double().flatten(1).mean(1).var())
    share = measured / variance_of_blocks((lengths, covariance), shape)
    return lengths, covariance * ((n - 1) * share + TRUSTED) / (n - 1 + TRUSTED)


def variance_of_blocks(covariance: Covariance, shape: Sequence[int]) -> float:
    """Give the variance of the volume fraction of blocks of a shape in voxels.

    ``Var = 1/V sum_h prod_i (1 - |h_i| / S_i) C(|h|)`` over all vectors ``h`` within a block of shape ``S`` and ``V``
    voxels.

    Source: Lantuejoul, J. Microscopy 161, 387 (1991): the variance of a mean over a domain, and the integral range.
    """
    steps = np.meshgrid(*[np.arange(1 - edge, edge) for edge in shape], indexing="ij", sparse=True)
    distance = np.sqrt(sum(step**2 for step in steps))
    overlap = math.prod(1 - np.abs(step) / edge for step, edge in zip(steps, shape, strict=True))
    return float((overlap * np.interp(distance, *covariance, right=0.0)).sum()) / math.prod(shape)
