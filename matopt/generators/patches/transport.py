"""Moves images so that their patches become distributed like those of others: sliced optimal transport."""

from __future__ import annotations

import torch
from torch.nn import functional

CORRELATE = {2: functional.conv2d, 3: functional.conv3d}
SPREAD = {2: functional.conv_transpose2d, 3: functional.conv_transpose3d}
"""Correlation with a patch at all places, and its adjoint, by the number of dimensions."""


def directions(dimensions: int, edge: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """Draw orthonormal directions in the space of patches, ``(count, 1, edge, ...)``."""
    random = torch.randn(edge**dimensions, count, generator=generator, dtype=torch.float32)
    return torch.linalg.qr(random).Q.T.reshape(count, 1, *[edge] * dimensions).contiguous()


def project(images: torch.Tensor, along: torch.Tensor) -> torch.Tensor:
    """Project all patches of ``images`` ``(N, 1, *S)`` onto K directions: ``(N, K, P)``."""
    return CORRELATE[images.ndim - 2](images, along).flatten(2)


def transported(images: torch.Tensor, wanted: torch.Tensor, along: torch.Tensor) -> torch.Tensor:
    """Move images one step towards having patches whose projections are distributed as wanted.

    On a line, optimal transport takes the r-th smallest value to the r-th smallest one. A voxel moves by the mean of
    what the patches that hold it ask for.

    Args:
        images: ``(N, 1, *S)``.
        wanted: ``(N, K, P)`` projections, in any order.
        along: ``(K, 1, edge, ...)`` orthonormal directions.
    """
    here = CORRELATE[images.ndim - 2](images, along)
    own, order = here.flatten(2).sort(2)
    moves = torch.empty_like(own).scatter_(2, order, wanted.sort(2).values - own).view_as(here)
    spread = SPREAD[images.ndim - 2]
    patches_of_voxel = spread(torch.ones_like(here[:1, :1]), torch.ones_like(along[:1]))
    return images + spread(moves, along) / patches_of_voxel


def ranked(images: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Give the voxels of images ``(N, 1, *S)`` the values ``wanted`` ``(N, V)``, in any order, by their rank."""
    own = images.flatten(1)
    return torch.empty_like(own).scatter_(1, own.argsort(1), wanted.sort(1).values).view_as(images)
