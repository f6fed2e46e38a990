"""Fabric: whether a material is told from its mirror images, or from itself with exchanged axes."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch

from matopt.descriptors.patterns import PATTERNS, counted, pattern_numbers, pattern_planes
from matopt.descriptors.phases import GRAIN, binary_indicator

SPACINGS = (1, 2, 4)
"""Between the voxels of the patterns that are compared: a fabric may lie in edges, or in how bodies are elongated."""

MOST_TOLD = 0.65
"""The share of microstructures that may be told from their images: sandstone, which is nearly alike along all axes, has
.5 to .67; a texture that is stretched by a tenth has .85."""

EDGES = {2: 64, 3: 16}
"""Of the parts that are told, in voxels, by the number of dimensions: a larger part is told by less."""

MOST = 1000
"""As many microstructures are looked at, from all over those that there are."""

MOST_VOXELS = 2**24
"""As many parts of each microstructure are looked at as make these, one at least."""


def mirror_images_alike(density: torch.Tensor) -> bool:
    """Tell whether mirror images of microstructures are as likely as themselves, along every axis.

    They are not where a fabric is slanted, or points one way. See :func:`told_from` for what is asked.

    Args:
        density: ``(N, 1, *S)`` binary densities, zeros and ones.
    """
    return not any(_differs(density, lambda x, axis=axis: x.flip(axis)) for axis in range(2, density.ndim))


def axes_alike(density: torch.Tensor) -> bool:
    """Tell whether microstructures with any two of their axes exchanged are as likely as themselves.

    They are not where grains are elongated along one axis, or lie in beds. See :func:`told_from` for what is asked.

    Args:
        density: ``(N, 1, *S)`` binary densities, zeros and ones.
    """
    pairs = itertools.combinations(range(2, density.ndim), 2)
    return not any(_differs(density, lambda x, pair=pair: x.transpose(*pair)) for pair in pairs)


def told_from(density: torch.Tensor, turned: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Measure which share of parts of microstructures is told from their images, by who knows other microstructures.

    Parts of 64^2 or 16^3 voxels are cut, or as large as the microstructures are, so that the share does not depend on
    how large these are. Frequencies of all patterns of 3 x 3 voxels are compared, of neighbours and of every second and
    fourth voxel. Their differences between a part and its image are projected onto the mean difference of the other
    half of the microstructures: if the symmetry holds, the projection is as often negative as positive, and the share
    one half.

    Args:
        density: ``(N, 1, *S)`` binary densities, zeros and ones; two microstructures at least.
        turned: maps densities to their images.

    Raises:
        ValueError: wrong shape, or grey voxels.
    """
    parts = (_parts(x, MOST_VOXELS // len(density)) for x in density)
    differences = torch.cat([_frequencies(x) - _frequencies(turned(x)) for x in parts])
    differences = differences / differences.square().mean(0).sqrt().clamp_min(torch.finfo(differences.dtype).tiny)
    half = len(differences) // len(density) * (len(density) // 2)
    first, second = differences[:half], differences[half:]
    projected = torch.cat([first @ second.mean(0), second @ first.mean(0)])
    return float(((projected.sign() + 1) / 2).mean())


def _differs(density: torch.Tensor, turned: Callable[[torch.Tensor], torch.Tensor]) -> bool:
    """Whether more than :data:`MOST_TOLD` are told from their images, by the lower end of the 95 % interval of that."""
    density = density[:: max(1, -(-len(density) // MOST))]
    # Of two halves nothing is learnt where there is one, and the interval is wider than all shares below nine.
    return len(density) > 1 and told_from(density, turned) - len(density) ** -0.5 > MOST_TOLD


def _parts(density: torch.Tensor, voxels: int) -> torch.Tensor:
    """Cut ``(1, *S)`` into parts ``(M, 1, *E)`` side by side, of which so many voxels are left, from all over it."""
    edge = min(EDGES[density.ndim - 1], *density.shape[1:])
    for axis in range(1, density.ndim):
        density = density.unfold(axis, edge, edge)
    dims = (density.ndim - 1) // 2
    parts = density.flatten(0, dims).unsqueeze(1)
    return parts[:: -(-len(parts) // max(1, voxels // edge**dims))]


def _frequencies(density: torch.Tensor) -> torch.Tensor:
    """``(N, P)`` float64 frequencies of the patterns of all planes and spacings that fit."""
    solid = binary_indicator(density, GRAIN)
    found = [solid.new_zeros(len(solid), 0, dtype=torch.float64)]
    for (plane, _), spacing in itertools.product(pattern_planes(solid), SPACINGS):
        if min(plane.shape[-2:]) > 2 * spacing:
            counts = counted(pattern_numbers(plane, spacing).flatten(1).long(), PATTERNS).double()
            found.append(counts / counts.sum(1, keepdim=True))
    return torch.cat(found, dim=1)
