"""The variance of the volume fraction between blocks of a material, from the correlation within smaller samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from matopt.descriptors.correlation import radial_correlation


def block_variance(density: torch.Tensor, shape: Sequence[int]) -> float:
    """Estimate the variance of the volume fraction of blocks, which may be larger than the samples or have more axes.

    ``Var = 1/V sum_h prod_i (1 - |h_i| / S_i) C(|h|)`` over all vectors ``h`` within a block of shape ``S`` and ``V``
    voxels. The covariance ``C = S2 - phi^2`` is measured on the samples and taken as isotropic, and as zero from its
    first zero crossing on, or from half the samples' edge where it has none.

    Args:
        density: ``(N, 1, *S)`` solid fractions of samples of one material.
        shape: of the blocks in voxels.

    Source: Lantuejoul, J. Microscopy 161, 387 (1991): the variance of a mean over a domain, and the integral range.
    """
    density = density.double()
    mean = float(density.mean())
    lengths, s2 = radial_correlation(density, min(density.shape[2:]) // 2, phase=1)
    lengths, covariance = lengths.cpu().numpy(), s2.mean(0).cpu().numpy() - mean**2
    is_past = np.append(covariance <= 0, True)
    end = int(is_past.argmax())
    steps = np.meshgrid(*[np.arange(1 - edge, edge) for edge in shape], indexing="ij", sparse=True)
    distance = np.sqrt(sum(step**2 for step in steps))
    overlap = math.prod(1 - np.abs(step) / edge for step, edge in zip(steps, shape, strict=True))
    return float((overlap * np.interp(distance, lengths[:end], covariance[:end], right=0.0)).sum()) / math.prod(shape)
