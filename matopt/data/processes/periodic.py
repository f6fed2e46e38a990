"""Bodies in a box that repeats: which of them, and of their images, reach into a grid, and into which part of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Axes = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Coordinates along each axis of a grid, increasing."""
Part = tuple[slice, slice, slice]


def bodies_in(axes: Axes, centre: np.ndarray, reach: np.ndarray, edge: float) -> Iterator[tuple[int, Part, Axes]]:
    """Yield each periodic image of a body that reaches into a grid, in the order of the bodies.

    Args:
        axes: of the grid.
        centre: ``(G, 3)`` of the bodies.
        reach: ``(G, 3)`` or ``(G, 1)``, how far a body reaches from its centre along each axis.
        edge: of the box, which repeats along all three axes.

    Yields:
        The body's number, the part of the grid within its reach, and the coordinates there, relative to the body's
        centre, as float32.
    """
    reach = np.broadcast_to(reach, centre.shape)
    body, place = _near(axes, centre, reach, edge)
    first, last = (
        np.stack([a.searchsorted(p) for a, p in zip(axes, ends.T, strict=True)], axis=1)
        for ends in (place - reach[body], place + reach[body])
    )
    is_seen = (first < last).all(1)
    for number, middle, start, stop in zip(body[is_seen], place[is_seen], first[is_seen], last[is_seen], strict=True):
        x_part, y_part, z_part = part = tuple(map(slice, start, stop))
        x, y, z = ((a[p] - c).astype(np.float32) for a, p, c in zip(axes, part, middle, strict=True))
        yield int(number), (x_part, y_part, z_part), (x, y, z)


def _near(axes: Axes, centre: np.ndarray, reach: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the images that reach into a grid: ``(M,)`` numbers of their bodies, ``(M, 3)`` centres."""
    body = np.arange(len(centre))
    place = centre
    for number, axis in enumerate(axes):
        along, far = place[:, number], reach[body, number]
        first = np.ceil((axis[0] - far - along) / edge)
        images = np.maximum(np.floor((axis[-1] + far - along) / edge) - first + 1, 0).astype(int)
        before = np.cumsum(images) - images
        body, place = np.repeat(body, images), np.repeat(place, images, axis=0)
        place[:, number] += edge * (np.repeat(first - before, images) + np.arange(len(body)))
    return body, place


def project(axes: Axes, direction: np.ndarray) -> np.ndarray:
    """Compute the coordinate along ``direction`` ``(3,)`` at each point of the grid that three axes span."""
    x, y, z = axes
    return (x * direction[0])[:, None, None] + (y * direction[1])[:, None] + z * direction[2]
