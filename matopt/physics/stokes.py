"""Slow viscous flow through the pores of a periodic sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch

from matopt.physics.grid import DivergenceForm, add_to_sides
from matopt.physics.krylov import SMALLEST_TOLERANCE, Solved, dot, minimal_residuals
from matopt.physics.poisson import PeriodicInverse
from matopt.physics.viscous import GREY_DRAG, coupling, drag, friction, velocity_in_pores

SETTLED = 0.02
"""Distance of two estimates of the mean velocity, of the first and second order, below which the second is right."""


@dataclass(frozen=True, eq=False)
class Stokes:
    """``-laplace u + drag u + grad p = 1`` along one axis and ``div u = 0``, in voxel units, for B periodic samples.

    Velocities live on the faces between voxels, normal to them, pressures in the voxels (Harlow and Welch, Phys. Fluids
    8 (1965) 2182). A face is open by the product of the pore shares on its two sides; what is closed has no velocity.
    A velocity is reflected at its side where both pairs of voxels there have a wall between them; ahead and behind, a
    closed face is a whole voxel away. Unknowns are packed as ``(B, d + 1, *S)``: the d velocities, each at the face
    ahead of its voxel, and the pressure.

    The preconditioner is ``(-laplace + a)^-1`` for velocities and ``1 + 10 a (-laplace)^-1`` for pressures, on the
    whole grid, with a screening a that follows from the size of the pores. Grey places, whose drag outweighs the rest,
    are scaled to it.

    Attributes:
        solid: ``(B, *S)`` densities, 1 where nothing is to flow.
        couplings: of velocities and their neighbours, an axis each, ``(B * d, *S)``.
        operator: the friction of the velocities, rows ``B * d``.
        is_open: ``(B, d, *S)`` 1 on faces that let anything through.
        screening: ``(B, 1, *1)``, the a of the preconditioner.
        scale: ``(B, d + 1, *S)``, its factors: 1 in pores, 0 on closed faces and in full voxels.
        laplace: the inverse of the Laplacian.
    """

    solid: torch.Tensor
    couplings: tuple[torch.Tensor, ...]
    operator: DivergenceForm
    is_open: torch.Tensor
    screening: torch.Tensor
    scale: torch.Tensor
    laplace: PeriodicInverse

    @staticmethod
    def of(solid: torch.Tensor) -> Stokes:
        """From densities ``(B, *S)``, all of whose pores carry."""
        axes = range(1, solid.ndim)
        closed = torch.stack([1 - (1 - solid) * (1 - solid.roll(-1, axis)) for axis in axes], 1)
        couplings = []
        for axis in axes:
            wall = _wall(solid, axis)
            sideways = [
                torch.ones_like(wall) if axis == normal else 1 + wall * wall.roll(-1, normal) for normal in axes
            ]
            couplings.append(torch.stack(sideways, 1).flatten(0, 1))
        return Stokes(
            solid,
            tuple(couplings),
            friction(closed.flatten(0, 1), couplings, periodic=True),
            (closed < 1).to(solid),
            screening(solid) + _grey_screening(solid, closed),
            _scale(solid, closed),
            PeriodicInverse.of(solid),
        )

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The operators times ``x``."""
        u, p = x[:, :-1], x[:, -1]
        out = torch.zeros_like(x)
        out[:, :-1] = self.operator.apply(u.flatten(0, 1)).view(u.shape)
        for i in range(u.shape[1]):
            out[:, i] += self.is_open[:, i] * (p.roll(-1, i + 1) - p)
            flux = self.is_open[:, i] * u[:, i]
            out[:, -1] += flux.roll(1, i + 1) - flux
        return out

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """Approximate inverses times ``residual``."""
        axes = tuple(range(2, residual.ndim))
        waves = torch.fft.rfftn(residual * self.scale, dim=axes)
        inverse, screening = self.laplace.symbol, self.screening
        waves[:, :-1] *= inverse / (1 + screening * inverse) + (inverse == 0) / screening
        waves[:, -1:] *= 1 + 10 * screening * inverse
        return torch.fft.irfftn(waves, s=residual.shape[2:], dim=axes).mul_(self.scale)

    def select(self, rows: torch.Tensor) -> Self:
        """The systems of these rows."""
        axes = self.is_open.shape[1]
        faces = (rows[:, None] * axes + torch.arange(axes, device=rows.device)).flatten()
        return replace(
            self,
            solid=self.solid[rows],
            operator=self.operator.select(faces),
            is_open=self.is_open[rows],
            screening=self.screening[rows],
            scale=self.scale[rows],
        )

    def solve(
        self, tolerance: float, max_iterations: int, along: int = 0, carries: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Solved]:
        """The mean velocity along an axis that is pushed along it, ``(B,)`` float64, and the fields.

        The mean is the stationary value of ``2 b.x - x.A x``, whose error is the square of the fields'. Where a sample
        all but blocks the flow the residual says little of it: a mean that is not yet near ``b.x``, whose error is of
        the first order, is solved for again, up to a hundred times closer; if that does not do, the residual is their
        distance. A sample without anything to hold the flow stays at 0 with the residual 1.

        Args:
            tolerance: of the relative residual.
            max_iterations: of each attempt.
            along: the axis of space.
            carries: ``(B,)`` bool, the samples that are worth it; the others stay at 0 with the residual 0.
        """
        rows = len(self.solid)
        is_held = (self.operator.extra > 0).view(rows, -1).any(1)
        pushed = is_held if carries is None else is_held & carries
        rhs = torch.zeros(rows, self.solid.ndim, *self.solid.shape[1:]).to(self.solid)
        rhs[:, along] = self.is_open[:, along] * pushed.view(-1, *[1] * (self.solid.ndim - 1))
        solved = minimal_residuals(self, rhs, self._tolerances(rhs, tolerance), max_iterations)
        mean, distance = self._mean(rhs, solved.x)
        for closer in (10, 100):
            again = (distance > SETTLED).nonzero()[:, 0]
            if not len(again) or tolerance / closer < SMALLEST_TOLERANCE[rhs.dtype]:
                break
            part = self.select(again)
            finer = minimal_residuals(part, rhs[again], tolerance / closer, max_iterations)
            solved.x[again], solved.residual[again] = finer.x, finer.residual
            solved.iterations[again] += finer.iterations
            mean[again], distance[again] = part._mean(rhs[again], finer.x)
        residual = torch.where(distance > SETTLED, distance.clamp_max(1), solved.residual)
        endless = ~is_held & (self.solid < 1).flatten(1).any(1)
        return mean.clamp_min(0), replace(solved, residual=torch.where(endless, 1.0, residual))

    def _tolerances(self, rhs: torch.Tensor, tolerance: float) -> float | torch.Tensor:
        """Of the residual, so that the mean is as right as ``tolerance`` promises."""
        return tolerance

    def _mean(self, rhs: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean velocity to the second order, and how far it is from that to the first."""
        first = dot(rhs, x)
        second = 2 * first - dot(x, self.apply(x))
        distance = (first - second).abs() / second.clamp_min(torch.finfo(torch.float64).tiny)
        return second / self.solid[0].numel(), distance

    def mutual(self, a: torch.Tensor, b: torch.Tensor, axes: tuple[int, int]) -> torch.Tensor:
        """``(B,)`` float64 mean velocity along the first axis under a push along the second, to the second order.

        Args:
            a: the fields under a push along the first axis.
            b: under one along the second.
            axes: the two.
        """
        first = dot(self.is_open[:, axes[0]], b[:, axes[0]]) + dot(self.is_open[:, axes[1]], a[:, axes[1]])
        return (first - dot(a, self.apply(b))) / self.solid[0].numel()

    def sensitivity(self, x: torch.Tensor, along: int = 0) -> torch.Tensor:
        """``(B, *S)`` derivative of the summed velocity along an axis with respect to the densities.

        It is the explicit derivative of the friction: the summed velocity is the greatest of ``sum(2 u) - friction(u)``
        over the velocities without divergence.
        """
        u, p = x[:, :-1], x[:, -1]
        pore = 1 - self.solid
        axes = range(1, self.solid.ndim)
        force = torch.zeros_like(u)
        force[:, along] = 1
        # In a full voxel that opens the pressure is the one that lets as much in as out.
        push = force + self._friction_of_neighbours(u)
        inflow, weight = torch.zeros_like(p), torch.zeros_like(p)
        for axis in axes:
            ahead, behind = pore.roll(-1, axis), pore.roll(1, axis)
            behind_push = push[:, axis - 1].roll(1, axis)
            inflow += ahead * (p.roll(-1, axis) - push[:, axis - 1]) + behind * (p.roll(1, axis) + behind_push)
            weight += ahead + behind
        p = torch.where(pore > 0, p, inflow / weight.clamp_min(torch.finfo(p.dtype).tiny))
        for axis in axes:
            force[:, axis - 1] -= p.roll(-1, axis) - p
        closed = 1 - torch.stack([pore * pore.roll(-1, axis) for axis in axes], 1)
        in_pores = velocity_in_pores(closed.flatten(0, 1), self.couplings, True, u.flatten(0, 1), force.flatten(0, 1))
        opening = -GREY_DRAG * in_pores.view(u.shape).square()

        slope = torch.zeros_like(p)
        for axis in axes:
            ahead = pore.roll(-1, axis)
            add_to_sides(slope, opening[:, axis - 1] * ahead, opening[:, axis - 1] * pore, axis)
            wall = _wall(self.solid, axis)
            steeper = torch.zeros_like(p)
            for normal in axes:
                if normal != axis:
                    drop = (u[:, normal - 1].roll(-1, axis) - u[:, normal - 1]).square()
                    steeper += drop * wall.roll(-1, normal) + (drop * wall).roll(1, normal)
            add_to_sides(slope, -steeper * ahead, -steeper * pore, axis)
        return slope

    def _friction_of_neighbours(self, u: torch.Tensor) -> torch.Tensor:
        flat = u.flatten(0, 1)
        total = torch.zeros_like(flat)
        for axis, c in enumerate(self.couplings, start=1):
            flux = c * (flat.roll(-1, axis) - flat)
            add_to_sides(total, flux, -flux, axis)
        return total.view(u.shape)


def _wall(solid: torch.Tensor, axis: int) -> torch.Tensor:
    """How far there is a wall between each voxel and the next, 0 to 1."""
    return coupling(solid, solid.roll(-1, axis)) - 1


def screening(solid: torch.Tensor) -> torch.Tensor:
    """``(B, 1, *1)``: of the order of one over a pore's squared width, from the walls' area over the pores' volume."""
    area = sum((solid - solid.roll(1, axis)).abs().flatten(1).sum(1) for axis in range(1, solid.ndim))
    volume = (1 - solid).flatten(1).sum(1).clamp_min(1)
    return (3 * (area / volume) ** 2 + 1e-4).view(-1, *[1] * solid.ndim)


def pressure_scale(mobility: torch.Tensor, is_open: torch.Tensor) -> torch.Tensor:
    """``(B, 1, *S)``: pressures go up with the drag on a voxel's open faces, from ``(B, d, *S)`` mobilities there."""
    through, faces = torch.zeros_like(mobility[:, 0]), torch.zeros_like(mobility[:, 0])
    for axis in range(1, mobility.ndim - 1):
        add_to_sides(through, mobility[:, axis - 1], mobility[:, axis - 1], axis)
        add_to_sides(faces, is_open[:, axis - 1], is_open[:, axis - 1], axis)
    return torch.where(through > 0, faces / through, 1.0)[:, None]


def _grey_screening(solid: torch.Tensor, closed: torch.Tensor) -> torch.Tensor:
    """``(B, 1, *1)``: what the drag within grey places adds to the screening."""
    volume = (1 - solid).flatten(1).sum(1).clamp_min(1)
    grey = torch.where(closed < 1, GREY_DRAG * closed, 0.0).flatten(1).sum(1) / volume
    return grey.view(-1, *[1] * solid.ndim)


def _scale(solid: torch.Tensor, closed: torch.Tensor) -> torch.Tensor:
    """``(B, d + 1, *S)``: velocities go down with the drag on them, pressures up with that on a voxel's open faces."""
    neighbours = 2 * (solid.ndim - 1)
    mobility = torch.where(closed < 1, neighbours / (neighbours + drag(closed)), 0.0)
    pressure = pressure_scale(mobility, (closed < 1).to(solid)) * (solid < 1)[:, None]
    return torch.cat([mobility, pressure], 1).sqrt()
