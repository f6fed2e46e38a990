"""The Euler number of a phase: its clusters less its holes in 2D, less its loops and plus its cavities in 3D."""

from __future__ import annotations

import itertools

import torch

from matopt.descriptors.phases import PORE, indicator


def euler_number(density: torch.Tensor, phase: int = PORE) -> torch.Tensor:
    """Measure the Euler number of a phase, whose voxels are connected through faces, inside each image.

    The alternating sum over the cells of the complex that joins the centres of neighbouring voxels: voxels, less pairs
    of them, plus squares of four, in 3D less cubes of eight. The border of the image counts as the other phase.

    Args:
        density: ``(N, 1, *S)`` solid fractions; grey voxels count by the products of their values.
        phase: 0 (pore) or 1 (grain).

    Returns:
        ``(N,)``, whole numbers of binary microstructures. Differentiable.

    Raises:
        ValueError: wrong shape or phase.

    Source: Ohser and Muecklich, *Statistical Analysis of Microstructures in Materials Science* (2000), section 4.2.
    """
    inside = indicator(density, phase)
    total = inside.new_zeros(len(inside))
    for extended in itertools.product((False, True), repeat=inside.ndim - 1):
        cells = inside
        for axis, is_extended in enumerate(extended, start=1):
            if is_extended:
                steps = cells.shape[axis] - 1
                cells = cells.narrow(axis, 0, steps) * cells.narrow(axis, 1, steps)
        total = total + (-1) ** sum(extended) * cells.flatten(1).sum(1)
    return total
