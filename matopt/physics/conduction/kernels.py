"""Compiled loops of the derivative of the dissipation with respect to the diffusivities of the voxels."""

from __future__ import annotations

import numpy as np

from matopt.physics.numerics.compiler import compiled


@compiled
def add_squares(ahead, conductances, drops, total):
    """Add the squared flux between neighbouring cells to both.

    Args:
        ahead: ``(N,)`` the neighbour ahead of each cell, N where there is none.
        conductances: ``(N,)`` to that neighbour, 0 where there is none.
        drops: ``(N,)`` of the concentration to that neighbour, any number where there is none.
        total: ``(N,)``, added to.
    """
    for cell in range(np.uint64(len(total))):
        other = np.uint64(ahead[cell]) if ahead[cell] < len(total) else cell
        flux = conductances[cell] * drops[cell]
        total[cell] += flux * flux
        total[other] += flux * flux


@compiled
def add_beside(neighbours, places, x, along, squares, sums, counts):
    """Add up the drops from cells to the voxels beside them that do not conduct.

    Args:
        neighbours: ``(N,)`` the cells one step away in some direction, N where there is none.
        places: ``(N,)`` positions in the framed grids one step away in that direction.
        x: ``(N,)`` fluctuations of the concentration.
        along: the drop of the mean concentration in that step.
        squares: ``(P,)``, their squares are added to.
        sums: ``(P,)``, added to.
        counts: ``(P,)``, one is added to for each.
    """
    # Without a branch, as one that cannot be predicted takes longer.
    lonely, end = np.empty(len(x), np.uint32), np.uint64(0)
    for cell in range(np.uint64(len(x))):
        lonely[end] = cell
        end += np.uint64(neighbours[cell] == len(x))
    for cell in lonely[:end]:
        drop, place = along - x[cell], places[cell]
        squares[place] += drop * drop
        sums[place] += drop
        counts[place] += 1
