"""Slow viscous flow through the pores of a periodic sample."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from matopt.physics.krylov import Solved, minimal_residuals
from matopt.physics.poisson import PeriodicInverse
from matopt.physics.viscous import Viscous


@dataclass(frozen=True, eq=False)
class Stokes:
    """``-laplace u + grad p = 1`` along axis x and ``div u = 0``, in voxel units, for a batch of periodic samples.

    Velocities live on the faces between voxels, normal to them, pressures in the voxels (Harlow and Welch, Phys. Fluids
    8 (1965) 2182). A face is as open as the product of the pore shares on its two sides; what is closed has no velocity.
    Unknowns are packed as ``(B, d + 1, *S)``: the d velocities, each at the face ahead of its voxel, and the pressure.

    Attributes:
        pores: ``(B, *S)`` pore shares of voxels, 0 where nothing is to flow.
        viscous: the friction, with rows ``B * d``.
        wave: relates the preconditioner's velocities and pressures, one over the squared size of a pore.
        velocity: Fourier symbol of the preconditioner for a velocity.
        pressure: and for the pressure.
    """

    pores: torch.Tensor
    viscous: Viscous
    velocity: PeriodicInverse
    pressure: PeriodicInverse

    @staticmethod
    def of(pores: torch.Tensor) -> Stokes:
        """From pore shares ``(B, *S)``, all of whose clusters carry."""
        dimensions = pores.ndim - 1
        opening = torch.stack([pores * pores.roll(-1, axis) for axis in range(1, dimensions + 1)], 1)
        normal = torch.arange(dimensions).repeat(len(pores)).to(pores.device)
        viscous = Viscous.of(1 - opening.flatten(0, 1), True, normal)
        screening = 0.1 * (32 / max(pores.shape[1:])) ** 2
        plain = PeriodicInverse.of(pores)
        laplace = torch.where(plain.symbol > 0, 1 / plain.symbol, 0.0)
        return Stokes(
            pores,
            viscous,
            replace(plain, symbol=1 / (laplace + screening)),
            replace(plain, symbol=1 + 10 * screening * plain.symbol),
        )

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        dimensions = x.shape[1] - 1
        out = torch.empty_like(x)
        u, p = x[:, :-1], x[:, -1]
        out[:, :-1] = self.viscous.interior.apply(u.flatten(0, 1)).view(u.shape)
        out[:, -1] = 0
        is_open = self.is_open
        for axis in range(dimensions):
            out[:, axis] += is_open[:, axis] * (p.roll(-1, axis + 1) - p)
            flux = is_open[:, axis] * u[:, axis]
            out[:, -1] += flux.roll(1, axis + 1) - flux
        return out

    @property
    def is_open(self) -> torch.Tensor:
        """``(B, d, *S)`` 1 on faces that let anything through."""
        shape = self.pores.shape
        return (self.viscous.closed < 1).to(self.pores).view(shape[0], -1, *shape[1:])

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        u = residual[:, :-1]
        velocity = self.velocity(u.flatten(0, 1)).view(u.shape) * self.is_open
        pressure = self.pressure(residual[:, -1]) * (self.pores > 0)
        return torch.cat([velocity, pressure[:, None]], 1)

    def select(self, rows: torch.Tensor) -> Stokes:
        dimensions = self.pores.ndim - 1
        faces = (rows[:, None] * dimensions + torch.arange(dimensions, device=rows.device)).flatten()
        return replace(self, pores=self.pores[rows], viscous=self.viscous.select(faces))

    def right_hand_side(self) -> torch.Tensor:
        """``(B, d + 1, *S)``: a unit force along x."""
        shape = self.pores.shape
        rhs = torch.zeros(shape[0], shape[0:].__len__(), *shape[1:]).to(self.pores)
        rhs[:, 0] = self.is_open[:, 0]
        return rhs

    def solve(self, tolerance: float, max_iterations: int) -> Solved:
        """Velocities and pressures."""
        return minimal_residuals(self, self.right_hand_side(), tolerance, max_iterations)
