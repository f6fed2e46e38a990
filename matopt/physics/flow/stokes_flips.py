"""How slow flow through a sample changes where one voxel is opened or shut, by what settles in the voxel itself.

The summed velocity is the stationary value of ``2 f.u - u.A u``, with the pressures as multipliers of ``div u = 0``. A
change is that value over the velocities through the voxel's faces and its pressure, all other velocities and pressures
being held; beside it, walls that come or go along its neighbours, and at the far ends of their chords, change their
friction.
"""

from __future__ import annotations

import torch

from matopt.physics.flow.chords import Reaches
from matopt.physics.flow.friction import wall


def flips(solid: torch.Tensor, u: torch.Tensor, p: torch.Tensor, along: int) -> torch.Tensor:
    """The changes ``(B, *S)`` of the summed velocity where one voxel alone is opened or shut.

    What a shut voxel had is what it would have if it were opened again, among the velocities and pressures there were.

    Along each axis the two faces drag on each other: with velocities ``v = (behind, ahead)``, forces b of all that is
    held and the pressure q of the voxel, ``M v = b + q (-1, 1)``. As much flows in as out, which gives q.

    Args:
        solid: ``(B, *S)``, 1 where nothing flows, else 0.
        u: ``(B, d, *S)`` velocities on the faces ahead of the voxels, in voxel units.
        p: ``(B, *S)`` pressures.
        along: the axis of space along which a unit pressure gradient pushes.
    """
    opened, pairs = torch.zeros_like(solid), []
    for axis in range(1, solid.ndim):
        ahead = _face(solid, u[:, axis - 1], axis)
        drags, forces, is_open = [], [], []
        for side, (drag, pull, relief) in ((-1, tuple(each.roll(1, axis) for each in ahead)), (1, ahead)):
            through = u[:, axis - 1].roll(1 if side < 0 else 0, axis)
            there = 1 - solid.roll(-side, axis)
            force = pull + through.roll(-side, axis) - side * p.roll(-side, axis) + (axis - 1 == along)
            drags.append(drag)
            forces.append(force * there)
            is_open.append(there)
            opened += there * relief
        joint = is_open[0] * is_open[1]
        determinant = drags[0] * drags[1] - joint
        inverse = is_open[0] * drags[1] / determinant, is_open[1] * drags[0] / determinant
        pairs.append((forces, inverse, joint / determinant))
    outflow, mobility = torch.zeros_like(solid), torch.zeros_like(solid)
    for (behind, ahead), (first, second), mutual in pairs:
        outflow += (second - mutual) * ahead - (first - mutual) * behind
        mobility += first + second - 2 * mutual
    pressure = -outflow / torch.where(mobility > 0, mobility, 1.0)
    for (behind, ahead), (first, second), mutual in pairs:
        pushed, pulled = behind - pressure, ahead + pressure
        opened += behind * (first * pushed + mutual * pulled) + ahead * (second * pulled + mutual * pushed)
    return torch.where(solid > 0, opened, -opened)


def _face(solid: torch.Tensor, through: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of the face ahead of each voxel, if it is open: its drag, the pull of those beside it, and their relief.

    The relief is the friction along the walls that closed it, and at the far ends of the chords that it cut.
    """
    is_open = (1 - solid) * (1 - solid.roll(-1, axis))
    drag = torch.full_like(solid, 2.0)  # of what is ahead and behind, a voxel away, open or not
    pull, relief = torch.zeros_like(solid), torch.zeros_like(solid)
    for across in range(1, solid.ndim):
        if across != axis:
            reaches = Reaches.of(is_open, through.square(), across, periodic=True)
            coupling = wall(reaches.joined)
            for step, reach in zip((-1, 1), reaches.sides, strict=True):
                beside, velocity = is_open.roll(-step, across), through.roll(-step, across)
                drag += beside + (1 - beside) * coupling
                pull += velocity
                relief += beside * (wall(reach.length) - 1) * velocity.square()
                relief += (wall(reach.length) - coupling) * reach.end
    return drag, pull, relief
