"""Slow viscous flow through the pores of a periodic sample."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from matopt.physics.grid import DivergenceForm
from matopt.physics.krylov import Solved, dot, minimal_residuals
from matopt.physics.poisson import PeriodicInverse
from matopt.physics.viscous import coupling, friction


@dataclass(frozen=True, eq=False)
class Stokes:
    """``-laplace u + grad p = 1`` along axis x and ``div u = 0``, in voxel units, for a batch of periodic samples.

    Velocities live on the faces between voxels, normal to them, pressures in the voxels (Harlow and Welch, Phys. Fluids
    8 (1965) 2182). A face is open by the product of the pore shares on its two sides; what is closed has no velocity.
    Across a velocity's side the coupling is the mean over its two halves, each between one pair of voxels; ahead and
    behind, a closed face is a whole voxel away. Unknowns are packed as ``(B, d + 1, *S)``: the d velocities, each at the
    face ahead of its voxel, and the pressure.

    Attributes:
        solid: ``(B, *S)`` densities, 1 where nothing is to flow.
        couplings: of velocities and their neighbours, an axis each, ``(B * d, *S)``.
        operator: the friction of the velocities, rows ``B * d``.
        is_open: ``(B, d, *S)`` 1 on faces that let anything through.
        velocity: the preconditioner's inverse of the velocities' operator.
        pressure: and of the pressure's.
    """

    solid: torch.Tensor
    couplings: tuple[torch.Tensor, ...]
    operator: DivergenceForm
    is_open: torch.Tensor
    velocity: PeriodicInverse
    pressure: PeriodicInverse

    @staticmethod
    def of(solid: torch.Tensor) -> Stokes:
        """From densities ``(B, *S)``, all of whose pores carry."""
        axes = range(1, solid.ndim)
        pore = 1 - solid
        closed = torch.stack([1 - pore * pore.roll(-1, axis) for axis in axes], 1)
        couplings = []
        for axis in axes:
            between = coupling(solid, solid.roll(-1, axis))
            halves = [
                torch.ones_like(between) if axis == normal else 1 + (between - 1) * (between.roll(-1, normal) - 1)
                for normal in axes
            ]
            couplings.append(torch.stack(halves, 1).flatten(0, 1))
        plain = PeriodicInverse.of(solid)
        laplace = torch.where(plain.symbol > 0, 1 / plain.symbol, 0.0)
        screening = 0.1 * (32 / max(solid.shape[1:])) ** 2
        return Stokes(
            solid,
            tuple(couplings),
            friction(closed.flatten(0, 1), couplings, periodic=True),
            (closed < 1).to(solid),
            replace(plain, symbol=1 / (laplace + screening)),
            replace(plain, symbol=1 + 10 * screening * plain.symbol),
        )

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        u, p = x[:, :-1], x[:, -1]
        out = torch.zeros_like(x)
        out[:, :-1] = self.operator.apply(u.flatten(0, 1)).view(u.shape)
        for i in range(u.shape[1]):
            out[:, i] += self.is_open[:, i] * (p.roll(-1, i + 1) - p)
            flux = self.is_open[:, i] * u[:, i]
            out[:, -1] += flux.roll(1, i + 1) - flux
        return out

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        u = residual[:, :-1]
        velocity = self.velocity(u.flatten(0, 1)).view(u.shape) * self.is_open
        pressure = self.pressure(residual[:, -1]) * (self.solid < 1)
        return torch.cat([velocity, pressure[:, None]], 1)

    def select(self, rows: torch.Tensor) -> Stokes:
        axes = self.is_open.shape[1]
        faces = (rows[:, None] * axes + torch.arange(axes, device=rows.device)).flatten()
        return replace(
            self, solid=self.solid[rows], operator=self.operator.select(faces), is_open=self.is_open[rows]
        )

    def right_hand_side(self) -> torch.Tensor:
        """``(B, d + 1, *S)``: a unit force along x."""
        rhs = torch.zeros(len(self.solid), self.solid.ndim, *self.solid.shape[1:]).to(self.solid)
        rhs[:, 0] = self.is_open[:, 0]
        return rhs

    def solve(self, tolerance: float, max_iterations: int) -> Solved:
        """Velocities and pressures."""
        return minimal_residuals(self, self.right_hand_side(), tolerance, max_iterations)
