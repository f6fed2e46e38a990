"""Slow viscous flow through the pores of a periodic sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from matopt.physics.flow import conjugate_residuals
from matopt.physics.flow.conjugate_residuals import Flow
from matopt.physics.flow.couplings import colours
from matopt.physics.flow.divergence_form import add_to_sides
from matopt.physics.flow.friction import GREY_DRAG, Friction, drag, velocity_in_pores
from matopt.physics.flow.system import FlowSystem, Unknowns
from matopt.physics.numerics.backend import implementation


@dataclass(frozen=True, eq=False)
class Stokes:
    """``-laplace u + drag u + grad p = 1`` along one axis and ``div u = 0``, in voxel units, for B periodic samples.

    Velocities live on the faces between voxels, normal to them, pressures in the voxels (Harlow and Welch, Phys. Fluids
    8 (1965) 2182). A face is open by the product of the pore shares on its two sides; what is closed has no velocity.
    A velocity is reflected at its side where both pairs of voxels there have a wall between them; ahead and behind, a
    closed face is a whole voxel away.

    Attributes:
        solid: ``(B, *S)`` densities, 1 where nothing is to flow.
        faces: that are open, in ``(B, d, *S)``, each ahead of its voxel.
        cells: that are open, in ``(B, *S)``.
        system: their velocities and pressures.
    """

    solid: torch.Tensor
    faces: Unknowns
    cells: Unknowns
    system: FlowSystem

    @staticmethod
    def of(solid: torch.Tensor) -> Stokes:
        """From densities ``(B, *S)``, all of whose pores carry."""
        return Stokes(solid, *assembled(solid, solid < 1, lambda: _friction(solid)))

    def solve(
        self, tolerance: float, max_iterations: int, along: int = 0, carries: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Flow]:
        """The mean velocity along an axis that is pushed along it, ``(B,)`` float64, and the fields.

        The mean is the stationary value of ``2 b.x - x.A x``, whose error is the square of the fields'. A sample
        without anything to hold the flow stays at 0 with the residual 1.

        Args:
            tolerance: of the residual.
            max_iterations: at which it is given up.
            along: the axis of space.
            carries: ``(B,)`` bool, the samples that are worth it; the others stay at 0 with the residual 0.
        """
        rhs = self._push(along)
        if carries is not None:
            rhs = torch.where(self.system.unknowns(carries), rhs, 0.0)
        flow = conjugate_residuals.solve(self.system, rhs, tolerance, max_iterations)
        endless = ~is_held(self.solid) & (self.solid < 1).flatten(1).any(1)
        mean = flow.value.clamp_min(0) / self.solid[0].numel()
        return mean, replace(flow, residual=torch.where(endless, 1.0, flow.residual))

    def mutual(self, a: torch.Tensor, b: torch.Tensor, axes: tuple[int, int]) -> torch.Tensor:
        """``(B,)`` float64 mean velocity along the first axis under a push along the second, to the second order.

        Args:
            a: the unknowns under a push along the first axis.
            b: under one along the second.
            axes: the two.
        """
        first = self.system.dot(self._push(axes[0]), b) + self.system.dot(self._push(axes[1]), a)
        return (first - self.system.dot(a, self.system.apply(b))) / self.solid[0].numel()

    def _push(self, axis: int) -> torch.Tensor:
        """A unit force along an axis."""
        voxels = self.solid[0].numel()
        is_along = self.faces.is_real & (self.faces.place // voxels % self.faces.shape[1] == axis)
        force = torch.from_numpy(is_along).to(self.solid)
        return torch.cat([force, force.new_zeros(len(self.cells.place))])

    def fields(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Velocities ``(B, d, *S)`` on the faces ahead of their voxels, and pressures ``(B, *S)``."""
        faces = self.system.faces
        return self.faces.on_grid(x[:faces]), self.cells.on_grid(x[faces:])

    def sensitivity(self, x: torch.Tensor, along: int = 0) -> torch.Tensor:
        """``(B, *S)`` derivative of the summed velocity along an axis with respect to the densities.

        It is the explicit derivative of the friction: the summed velocity is the greatest of ``sum(2 u) - friction(u)``
        over the velocities without divergence.
        """
        u, p = self.fields(x)
        pore = 1 - self.solid
        axes = range(1, self.solid.ndim)
        force = torch.zeros_like(u)
        force[:, along] = 1
        # In a full voxel that opens the pressure is the one that lets as much in as out.
        friction = _friction(self.solid)
        push = force + _friction_of_neighbours(friction, u)
        inflow, weight = torch.zeros_like(p), torch.zeros_like(p)
        for axis in axes:
            ahead, behind = pore.roll(-1, axis), pore.roll(1, axis)
            behind_push = push[:, axis - 1].roll(1, axis)
            inflow += ahead * (p.roll(-1, axis) - push[:, axis - 1]) + behind * (p.roll(1, axis) + behind_push)
            weight += ahead + behind
        p = torch.where(pore > 0, p, inflow / weight.clamp_min(torch.finfo(p.dtype).tiny))
        for axis in axes:
            force[:, axis - 1] -= p.roll(-1, axis) - p
        slope = torch.zeros_like(p)
        for axis in axes:
            force_here, u_here = force[:, axis - 1], u[:, axis - 1]
            wall = friction.walls[:, axis - 1]
            in_pores = velocity_in_pores(wall, friction.couplings(axis), True, u_here, force_here)
            opening = -GREY_DRAG * in_pores.square()
            ahead = pore.roll(-1, axis)
            add_to_sides(slope, opening * ahead, opening * pore, axis)
            steeper = torch.zeros_like(p)
            for normal in axes:
                if normal != axis:
                    drop = (u[:, normal - 1].roll(-1, axis) - u[:, normal - 1]).square()
                    steeper += drop * wall.roll(-1, normal) + (drop * wall).roll(1, normal)
            add_to_sides(slope, -steeper * ahead, -steeper * pore, axis)
        return slope


def assembled(
    solid: torch.Tensor, has_pressure: torch.Tensor, friction: Callable[[], Friction]
) -> tuple[Unknowns, Unknowns, FlowSystem]:
    """Open faces and voxels of the samples that hold the flow, and their system.

    Args:
        solid: ``(B, *S)`` densities.
        has_pressure: ``(B, *S)`` bool.
        friction: makes that of the velocities, which is not kept longer than it is needed.
    """
    held, colour = is_held(solid).cpu().numpy(), colours(tuple(solid.shape[1:]))
    made = friction()
    faces = Unknowns.of(made.drags.isfinite().cpu().numpy() & held.reshape(-1, *[1] * solid.ndim), colour)
    cells = Unknowns.of(has_pressure.cpu().numpy() & held.reshape(-1, *[1] * (solid.ndim - 1)), colour)
    # Compiled loops take one sample.
    kind = implementation(FlowSystem, solid.device) if len(solid) == 1 else FlowSystem
    velocities = kind.velocity_multigrid(faces, cells, made)
    del made
    return faces, cells, kind.of(faces, cells, velocities)


def is_held(solid: torch.Tensor) -> torch.Tensor:
    """``(B,)`` bool, whether there is anything that holds a flow."""
    return (solid > 0).flatten(1).any(1)


def _friction(solid: torch.Tensor) -> Friction:
    pore, dimensions = 1 - solid, solid.ndim - 1
    # The share of the face ahead along each axis that is closed, which is how far there is a wall.
    closed = solid.new_empty(len(solid), dimensions, *solid.shape[1:])
    for axis in range(dimensions):
        torch.mul(pore, pore.roll(-1, axis + 1), out=closed[:, axis])
    closed.neg_().add_(1)
    return Friction(closed, drag(closed))


def _friction_of_neighbours(friction: Friction, u: torch.Tensor) -> torch.Tensor:
    """``(B, d, *S)``, what velocities exchange."""
    total = torch.zeros_like(u)
    for normal in range(1, u.ndim - 1):
        here = u[:, normal - 1]
        for axis, c in enumerate(friction.couplings(normal), start=1):
            flux = c * (here.roll(-1, axis) - here)
            add_to_sides(total[:, normal - 1], flux, -flux, axis)
    return total
