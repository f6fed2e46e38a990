"""How the flow along a duct changes where voxels of its section are opened or shut, by what settles around them.

The summed velocity is the greatest of ``sum(2 u) - friction(u)``, so that each change is an extremum over the
velocities that it frees, all others being held: of one voxel in closed form, of more in a patch, by a solve.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional

from matopt.physics.flow.friction import coupling, drag, friction
from matopt.physics.numerics.divergence_form import DivergenceForm, ends
from matopt.physics.numerics.patches import Patches
from matopt.physics.numerics.settling import Settling, inside


def flips(solid: torch.Tensor, u: torch.Tensor, periodic: bool) -> torch.Tensor:
    """The changes ``(B, *S)`` of the summed velocity where one voxel alone is opened or shut.

    Open, it settles at the v at which ``2 v - sum_pore (v - u_i)^2 - 2 n v^2`` is greatest, with n walls around it. Its
    open neighbours have one more or one less wall, of a friction ``2 u_i^2``. What a shut voxel had is what it would
    have if it were opened again.

    Args:
        solid: ``(B, *S)`` of zeros and ones.
        u: ``(B, *S)`` velocities.
        periodic: whether sections are; else their edges are mirrors.
    """
    pull, walls, weight = torch.full_like(u, 1.0), torch.zeros_like(u), torch.zeros_like(u)
    for other, velocity, is_there in _neighbours(solid, u, periodic):
        is_open = is_there * (1 - other)
        pull += is_open * velocity
        weight += is_there * (1 + other)
        walls += is_open * velocity.square()
    # Held, the neighbours have a friction of u_i^2 with the voxel at rest, and of 2 u_i^2 with a wall there.
    opened = pull.square() / weight.clamp_min(1) + walls
    return torch.where(solid > 0, opened, -opened)


def _neighbours(
    solid: torch.Tensor, u: torch.Tensor, periodic: bool
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """The densities and velocities of the voxels on each side, and 1 where there is one, 0 beyond an edge."""
    for axis in range(1, u.ndim):
        for step in (-1, 1):
            is_there = torch.ones_like(u)
            if not periodic:
                is_there.select(axis, 0 if step < 0 else -1).zero_()
            yield solid.roll(-step, axis), u.roll(-step, axis), is_there


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
    exists = [torch.ones_like(ends(start, axis)[0]) for axis in range(1, start.ndim)]
    if not periodic:
        for axis, faces in enumerate(exists, start=1):
            for layer, is_edge in zip((0, -1), patches.reaches(axis - 1), strict=True):
                faces.select(axis, layer).mul_((~is_edge).to(faces).view(-1, *[1] * (faces.ndim - 2)))
    old, new = (_operator(grid, exists) for grid in (before, after))
    kept = start * (1 - after)
    change = (2 * (kept - start) - kept * new.apply(kept) + start * old.apply(start)).flatten(1).sum(1)
    force = (1 - after) - new.apply(kept)
    return change + Settling.of(new, inside(start) & (after < 1)).gain(force)


def _operator(solid: torch.Tensor, exists: list[torch.Tensor]) -> DivergenceForm:
    """The friction in patches ``(m, *S)``, with the faces that exist."""
    couplings = [coupling(*ends(solid, axis)) * there for axis, there in enumerate(exists, start=1)]
    return friction(drag(solid), couplings, periodic=False)


def _cut(patches: Patches, values: torch.Tensor, periodic: bool, of: torch.Tensor | None = None) -> torch.Tensor:
    """Cut patches with one layer around them."""
    if periodic:
        values = values.roll([1] * (values.ndim - 1), list(range(1, values.ndim)))
    else:
        values = functional.pad(values, (1, 1) * (values.ndim - 1))
    return patches.cut(values, of, ahead=2).double()
