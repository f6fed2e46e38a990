"""Connected clusters of a phase: the pores of an image, how many there are and how large each is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from matopt.descriptors.phases import PORE, binary_indicator

SMALL = {2: 6, 3: 15}
"""Clusters of fewer voxels than this are small: debris. In both dimensions an edge of about 2.45 voxels."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """The K connected clusters of one phase in a batch of N microstructures.

    Attributes:
        label: ``(N, *S)`` int64, the clusters numbered from 1 to K through the whole batch; 0 in the other phase.
        sample: ``(K,)`` int64, the microstructure in which each cluster lies.
        size: ``(K,)`` int64, its voxels.
    """

    label: torch.Tensor
    sample: torch.Tensor
    size: torch.Tensor

    @property
    def count(self) -> torch.Tensor:
        """``(N,)`` int64, the clusters of each microstructure."""
        return torch.bincount(self.sample, minlength=len(self.label))

    @property
    def small_count(self) -> torch.Tensor:
        """``(N,)`` int64, those of fewer voxels than :data:`SMALL`."""
        is_small = self.size < SMALL[self.label.ndim - 1]
        return torch.bincount(self.sample[is_small], minlength=len(self.label))


def connected_clusters(density: torch.Tensor, phase: int = PORE) -> Clusters:
    """Label the connected clusters of a phase; voxels that share a face are connected.

    The border of an image ends a cluster: its parts that meet outside are counted one by one.

    Args:
        density: ``(N, 1, *S)`` binary densities, zeros and ones.
        phase: 0 (pore) or 1 (grain).

    Raises:
        ValueError: wrong shape or phase, or grey voxels.

    Source: Hoshen and Kopelman, Phys. Rev. B 14, 3438 (1976), in the form of :func:`scipy.ndimage.label`.
    """
    inside = binary_indicator(density, phase).cpu().numpy()
    # One call labels the whole batch, as no voxel touches one of another microstructure.
    faces = ndimage.generate_binary_structure(inside.ndim - 1, 1)
    structure = np.stack([np.zeros_like(faces), faces, np.zeros_like(faces)])
    label, count = ndimage.label(inside, structure)
    numbered = torch.from_numpy(label).to(density.device, torch.int64)
    index = numbered.nonzero(as_tuple=True)
    sample = torch.zeros(count, dtype=torch.int64, device=density.device)
    sample[numbered[index] - 1] = index[0]
    size = torch.bincount(numbered.flatten(), minlength=count + 1)[1:]
    return Clusters(numbered, sample, size)
