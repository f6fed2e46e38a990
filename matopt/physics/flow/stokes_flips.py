"""How slow flow through a sample changes where one voxel is opened or shut, by what settles in the voxel itself.

The summed velocity is the stationary value of ``2 f.u - u.A u``, with the pressures as multipliers of ``div u = 0``. A
change is that value over the velocities through the voxel's faces and its pressure, all other velocities and pressures
being held; beside it, walls that come or go along its neighbours change their friction.
"""

from __future__ import annotations

import torch


def flips(solid: torch.Tensor, u: torch.Tensor, p: torch.Tensor, along: int) -> torch.Tensor:
    """The changes ``(B, *S)`` of the summed velocity where one voxel alone is opened or shut.

    What a shut voxel had is what it would have if it were opened again, among the velocities and pressures there were.

    Args:
        solid: ``(B, *S)``, 1 where nothing flows, else 0.
        u: ``(B, d, *S)`` velocities on the faces ahead of the voxels, in voxel units.
        p: ``(B, *S)`` pressures.
        along: the axis of space along which a unit pressure gradient pushes.
    """
    opened = _through_faces(solid, u, p, along) + _relief(solid, u)
    return torch.where(solid > 0, opened, -opened)


def _through_faces(solid: torch.Tensor, u: torch.Tensor, p: torch.Tensor, along: int) -> torch.Tensor:
    """What the velocities through an open voxel's faces to its open neighbours would add.

    Along each axis the two faces drag on each other: with velocities ``v = (behind, ahead)``, forces b of all that is
    held and the pressure q of the voxel, ``M v = b + q (-1, 1)``. As much flows in as out, which gives q.
    """
    pairs = []
    for axis in range(1, solid.ndim):
        drags, forces, is_open = zip(*(_face(solid, u, p, along, axis, side) for side in (-1, 1)), strict=True)
        joint = is_open[0] * is_open[1]
        determinant = drags[0] * drags[1] - joint
        inverse = is_open[0] * drags[1] / determinant, is_open[1] * drags[0] / determinant
        pairs.append((forces, inverse, joint / determinant))
    outflow, mobility = torch.zeros_like(solid), torch.zeros_like(solid)
    for (behind, ahead), (first, second), mutual in pairs:
        outflow += (second - mutual) * ahead - (first - mutual) * behind
        mobility += first + second - 2 * mutual
    pressure = -outflow / torch.where(mobility > 0, mobility, 1.0)
    total = torch.zeros_like(solid)
    for (behind, ahead), (first, second), mutual in pairs:
        pushed, pulled = behind - pressure, ahead + pressure
        total += behind * (first * pushed + mutual * pulled) + ahead * (second * pulled + mutual * pushed)
    return total


def _face(
    solid: torch.Tensor, u: torch.Tensor, p: torch.Tensor, along: int, axis: int, side: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of the face of each voxel on a side, the voxel being open: its drag, the force on it, and whether it is open."""
    beyond, through = solid.roll(-side, axis), _through(u, axis, side)
    is_open = 1 - beyond
    force = through.roll(-side, axis) - side * p.roll(-side, axis) + (axis - 1 == along)
    drag = torch.full_like(solid, 2.0)  # of what is ahead and behind, a voxel away, open or not
    for normal in range(1, solid.ndim):
        if normal != axis:
            for step in (-1, 1):
                force = force + through.roll(-step, normal)
                drag += 1 + solid.roll(-step, normal) * beyond.roll(-step, normal)
    return drag, force * is_open, is_open


def _relief(solid: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """The friction along walls of a shut voxel's neighbours that are none once it is open."""
    total = torch.zeros_like(solid)
    for axis in range(1, solid.ndim):
        for side in (-1, 1):
            # Both pairs of voxels beside a velocity make its wall: the voxel, and the next one along the velocity.
            beyond, squares = solid.roll(-side, axis), _through(u, axis, side).square()
            for normal in range(1, solid.ndim):
                if normal != axis:
                    total += beyond * (squares.roll(-1, normal) + squares.roll(1, normal))
    return total


def _through(u: torch.Tensor, axis: int, side: int) -> torch.Tensor:
    """The velocities ``(B, *S)`` along an axis through the faces of the voxels on a side."""
    return u[:, axis - 1] if side > 0 else u[:, axis - 1].roll(1, axis)
