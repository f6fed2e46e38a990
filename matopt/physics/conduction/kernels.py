"""How the dissipation in cells that exchange by conductances changes with their diffusivities."""

from __future__ import annotations

import numpy as np

from matopt.physics.numerics.compiler import compiled


@compiled
def add_squares(ahead, conductances, drops, total):
    """Adds the squared flux between neighbours to both.

    Args:
        ahead: ``(N,)`` the neighbour ahead of each cell, N where there is none.
        conductances: ``(N,)`` to it, 0 where there is none.
        drops: ``(N,)`` of the concentration across them, any where there is none.
        total: ``(N,)``.
    """
    for cell in range(np.uint64(len(total))):
        other = np.uint64(ahead[cell]) if ahead[cell] < len(total) else cell
        flux = conductances[cell] * drops[cell]
        total[cell] += flux * flux
        total[other] += flux * flux


@compiled
def add_beside(neighbours, places, x, along, rate, slopes):
    """Adds what cells give to the slopes of places beside them where nothing conducts.

    Those are at the mean concentration of their place: it is twice the squared drop, without what is counted already.

    Args:
        neighbours: ``(N,)`` the cells one step further on, N where there is none.
        places: ``(N,)`` one step further on.
        x: ``(N,)`` fluctuations of the concentration.
        along: what it changes by in that step without them.
        rate: at which diffusivities change.
        slopes: ``(P,)``.
    """
    # Without a branch, as one that cannot be foretold takes longer.
    lonely, end = np.empty(len(x), np.uint32), np.uint64(0)
    for cell in range(np.uint64(len(x))):
        lonely[end] = cell
        end += np.uint64(neighbours[cell] == len(x))
    counted = x.dtype.type(0.5) * along * along
    for cell in lonely[:end]:
        drop = along - x[cell]
        slopes[places[cell]] += rate * (2 * drop * drop - counted)
