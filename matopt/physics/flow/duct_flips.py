"""How the flow along a duct changes where voxels of its section are opened or shut, by what settles around them.

The summed velocity is the greatest of ``sum(2 u) - friction(u)``, so that each change is an extremum over the
velocities that it frees, all others being held: of one voxel in closed form, of more in a patch, by a solve. The chords
of pores change with the voxels, and so do the walls at their far ends, where velocities are held.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from matopt.physics.flow.chords import Reaches
from matopt.physics.flow.friction import couplings, drag, friction, wall
from matopt.physics.numerics.divergence_form import ends, sides
from matopt.physics.numerics.patches import Patches
from matopt.physics.numerics.settling import Settling, inside


def flips(solid: torch.Tensor, u: torch.Tensor, periodic: bool) -> torch.Tensor:
    """The changes ``(B, *S)`` of the summed velocity where one voxel alone is opened or shut.

    Open, it settles at the v at which ``2 v - sum_pore (v - u_i)^2 - sum_wall c v^2`` is greatest, the walls around it
    having the couplings c of the chords that it then lies on. Its open neighbours no longer have a wall there, and
    those at the far ends of the chords one that is further away. What a shut voxel had is what it would have if it were
    opened again.

    Args:
        solid: ``(B, *S)`` of zeros and ones.
        u: ``(B, *S)`` velocities.
        periodic: whether sections are; else their edges are mirrors.
    """
    pull, relief, weight = torch.ones_like(u), torch.zeros_like(u), torch.zeros_like(u)
    for axis in range(1, u.ndim):
        reaches = Reaches.of(1 - solid, u.square(), axis, periodic)
        coupling = wall(reaches.joined)
        for step, reach in zip((-1, 1), reaches.sides, strict=True):
            is_there = torch.ones_like(u)
            if not periodic:
                is_there.select(axis, 0 if step < 0 else -1).zero_()
            beyond, velocity = solid.roll(-step, axis), u.roll(-step, axis)
            is_open = is_there * (1 - beyond)
            pull += is_open * velocity
            weight += is_open + is_there * beyond * coupling
            relief += is_open * (wall(reach.length) - 1) * velocity.square()
            relief += (wall(reach.length) - coupling) * reach.end
    # Where nothing resists there is nothing to weigh by.
    opened = pull.square() / weight.clamp_min(1) + relief
    return torch.where(solid > 0, opened, -opened)


def changes(
    patches: Patches, solid: torch.Tensor, moved: torch.Tensor, u: torch.Tensor, periodic: bool
) -> torch.Tensor:
    """Estimate the changes ``(m,)`` float64 of the summed velocity in patches.

    Args:
        patches: around the changes.
        solid: ``(B, *S)`` of zeros and ones.
        moved: ``(M, *S)`` those after the changes.
        u: ``(B, *S)`` velocities at ``solid``.
        periodic: whether sections are; else their edges are mirrors.
    """
    before, after = _cut(patches, solid, periodic), _cut(patches, moved, periodic, patches.move)
    start = _cut(patches, u, periodic)
    old_couplings, new_couplings, beyond = [], [], start.new_zeros(len(start))
    rows, each = torch.unique(patches.sample, return_inverse=True)
    for axis in range(1, u.ndim):
        old = couplings(1 - solid[rows], axis, periodic)[each]
        new = couplings(1 - moved[patches.move], axis, periodic)
        behind, ahead = sides(u[patches.sample], axis, periodic)
        relief = (old - new) * (ahead - behind).square()
        old, new, within = (_cut_faces(patches, c, axis, periodic) for c in (old, new, relief))
        old_couplings.append(old)
        new_couplings.append(new)
        # Walls outside the patch, at the far ends of chords that it cuts: velocities there are held.
        beyond += relief.flatten(1).sum(1, dtype=torch.float64) - within.flatten(1).sum(1)
    old = friction(drag(before), old_couplings, periodic=False)
    new = friction(drag(after), new_couplings, periodic=False)
    kept = start * (1 - after)
    change = (2 * (kept - start) - kept * new.apply(kept) + start * old.apply(start)).flatten(1).sum(1)
    force = (1 - after) - new.apply(kept)
    return change + beyond + Settling.of(new, inside(start) & (after < 1)).gain(force)


def _cut(patches: Patches, values: torch.Tensor, periodic: bool, of: torch.Tensor | None = None) -> torch.Tensor:
    """Cut patches with one layer around them."""
    if periodic:
        values = values.roll([1] * (values.ndim - 1), list(range(1, values.ndim)))
    else:
        values = functional.pad(values, (1, 1) * (values.ndim - 1))
    return patches.cut(values, of, ahead=2).double()


def _cut_faces(patches: Patches, values: torch.Tensor, axis: int, periodic: bool) -> torch.Tensor:
    """Cut values ``(m, ...)`` on the faces across an axis, as :func:`sides` has them; 0 where there is no face."""
    if not periodic:
        last = values.narrow(axis, 0, 1)
        values = torch.cat([values, torch.zeros_like(last)], axis)
    return ends(_cut(patches, values, periodic, torch.arange(len(values), device=values.device)), axis)[0]
