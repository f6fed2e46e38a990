"""Stokes flow through the pores of periodic samples, on a staggered grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from matopt.physics.flow import conjugate_residuals
from matopt.physics.flow.conjugate_residuals import ConjugateResidualsResult
from matopt.physics.flow.couplings import colours
from matopt.physics.flow.friction import GREY_DRAG, Friction, couplings_slope, drag, velocity_in_pores
from matopt.physics.flow.system import FlowSystem, Unknowns
from matopt.physics.numerics.backend import implementation
from matopt.physics.numerics.divergence_form import add_to_sides


@dataclass(frozen=True, eq=False)
class Stokes:
    """Stokes flow of B periodic samples: ``-laplace u + drag u + grad p = f`` and ``div u = 0``, in voxel units.

    Velocities live on the faces between voxels, normal to them, pressures in the voxels (Harlow and Welch, Phys. Fluids
    8 (1965) 2182). A face is open by the product of the pore shares on its two sides; what is closed has no velocity.
    A velocity has a wall beside it, half a voxel away, where the next face is closed, be it by one voxel or by both, as
    nothing moves on the edge of one either. It is the wall of slits (:func:`~matopt.physics.flow.friction.wall`). Ahead
    and behind, a closed face is a whole voxel away.

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
        """Set up the flow through densities ``(B, *S)``, all of whose pores carry."""
        return Stokes(solid, *assembled(solid, solid < 1, lambda: _friction(solid)))

    def solve(
        self, tolerance: float, max_iterations: int, along: int = 0, carries: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, ConjugateResidualsResult]:
        """Solve for the flow under a unit pressure gradient along an axis.

        A sample without anything that resists the flow stays at 0 with the residual 1.

        Args:
            tolerance: of the residual.
            max_iterations: at which a sample is given up.
            along: the axis of space.
            carries: ``(B,)`` bool, the samples that are solved for; the others stay at 0 with the residual 0.

        Returns:
            The mean velocity along that axis, ``(B,)`` float64, and the fields. The mean is the stationary value of
            ``2 b.x - x.A x``, whose error is the square of the fields'.
        """
        rhs = self._push(along)
        if carries is not None:
            rhs = torch.where(self.system.unknowns(carries), rhs, 0.0)
        flow = conjugate_residuals.solve(self.system, rhs, tolerance, max_iterations)
        endless = ~is_resisted(self.solid) & (self.solid < 1).flatten(1).any(1)
        mean = flow.value.clamp_min(0) / self.solid[0].numel()
        return mean, replace(flow, residual=torch.where(endless, 1.0, flow.residual))

    def mutual(self, a: torch.Tensor, b: torch.Tensor, axes: tuple[int, int]) -> torch.Tensor:
        """The mean velocity along one axis under a pressure gradient along another, ``(B,)`` float64.

        Its error is of second order in those of the fields.

        Args:
            a: the fields under a pressure gradient along the first axis.
            b: the fields under one along the second.
            axes: the two.
        """
        first = self.system.dot(self._push(axes[0]), b) + self.system.dot(self._push(axes[1]), a)
        return (first - self.system.dot(a, self.system.apply(b))) / self.solid[0].numel()

    def _push(self, axis: int) -> torch.Tensor:
        """The right-hand side of a unit pressure gradient along an axis."""
        voxels = self.solid[0].numel()
        is_along = self.faces.is_real & (self.faces.place // voxels % self.faces.shape[1] == axis)
        force = torch.from_numpy(is_along).to(self.solid)
        return torch.cat([force, force.new_zeros(len(self.cells.place))])

    def fields(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Put the unknowns on grids: velocities ``(B, d, *S)``, ahead of their voxels, and pressures ``(B, *S)``."""
        faces = self.system.faces
        return self.faces.on_grid(x[:faces]), self.cells.on_grid(x[faces:])

    def sensitivity(self, x: torch.Tensor, along: int = 0) -> torch.Tensor:
        """The derivative ``(B, *S)`` of the summed velocity along an axis with respect to the densities.

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
            u_here, open_share = u[:, axis - 1], pore * pore.roll(-1, axis)
            in_pores = velocity_in_pores(1 - open_share, friction.couplings(axis), True, u_here, force[:, axis - 1])
            # How much less is summed for each share that a face is open less.
            closing = -GREY_DRAG * in_pores.square()
            for across in axes:
                if across != axis:
                    drop = (u_here.roll(-1, across) - u_here).square()
                    closing += couplings_slope(open_share, drop, across, periodic=True)
            add_to_sides(slope, closing * pore.roll(-1, axis), closing * pore, axis)
        return slope


def assembled(
    solid: torch.Tensor, has_pressure: torch.Tensor, friction: Callable[[], Friction]
) -> tuple[Unknowns, Unknowns, FlowSystem]:
    """Number the open faces and voxels of the samples that resist the flow, and assemble their system.

    Args:
        solid: ``(B, *S)`` densities.
        has_pressure: ``(B, *S)`` bool, the open voxels.
        friction: makes the friction of the velocities, which is not kept longer than it is needed.
    """
    resisted, colour = is_resisted(solid).cpu().numpy(), colours(tuple(solid.shape[1:]))
    made = friction()
    faces = Unknowns.of(made.drags.isfinite().cpu().numpy() & resisted.reshape(-1, *[1] * solid.ndim), colour)
    cells = Unknowns.of(has_pressure.cpu().numpy() & resisted.reshape(-1, *[1] * (solid.ndim - 1)), colour)
    # Compiled loops take one sample.
    kind = implementation(FlowSystem, solid.device) if len(solid) == 1 else FlowSystem
    velocities = kind.velocity_multigrid(faces, cells, made)
    del made
    return faces, cells, kind.of(faces, cells, velocities)


def is_resisted(solid: torch.Tensor) -> torch.Tensor:
    """Whether a sample has anything that resists a flow, ``(B,)`` bool."""
    return (solid > 0).flatten(1).any(1)


def _friction(solid: torch.Tensor) -> Friction:
    """The friction on the walls and in the grey voxels of densities ``(B, *S)``."""
    pore, dimensions = 1 - solid, solid.ndim - 1
    open_share = solid.new_empty(len(solid), dimensions, *solid.shape[1:])
    for axis in range(dimensions):
        torch.mul(pore, pore.roll(-1, axis + 1), out=open_share[:, axis])
    return Friction(drag(1 - open_share), open_share)


def _friction_of_neighbours(friction: Friction, u: torch.Tensor) -> torch.Tensor:
    """The viscous force ``(B, d, *S)`` that neighbouring velocities exert on each."""
    total = torch.zeros_like(u)
    for normal in range(1, u.ndim - 1):
        here = u[:, normal - 1]
        for axis, c in enumerate(friction.couplings(normal), start=1):
            flux = c * (here.roll(-1, axis) - here)
            add_to_sides(total[:, normal - 1], flux, -flux, axis)
    return total
