"""Effective diffusivity of the pore space, with grains that conduct little or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch

from matopt.errors import InputError
from matopt.physics import percolation
from matopt.physics.adjoint import with_gradient
from matopt.physics.base import SIMULATORS, Simulator, Solution
from matopt.physics.batching import check_density, solve_in_chunks, statuses
from matopt.physics.grid import DivergenceForm, add_to_sides, sides
from matopt.physics.krylov import conjugate_gradients
from matopt.physics.poisson import Inverse, PeriodicInverse, WalledInverse
from matopt.properties import Property


@SIMULATORS.register("diffusivity")
@dataclass(frozen=True)
class Diffusivity(Simulator):
    """Effective diffusivity over that of the free pore, D/D0, by cell-centred finite volumes.

    A voxel of solid fraction s has the diffusivity ``1 - s + s * grain_diffusivity``; a face between two voxels has
    their harmonic mean. D/D0 is the dissipated energy at unit mean gradient, whose error is the square of the field's.

    Boundary: ``fixed`` holds the concentration on the two outer faces of axis x and lets nothing through the sides, as
    an experiment does; it is the same as periodic on the image continued by its mirror images. It is the default
    because a window of an image is not periodic: a periodic seam would cut every pore that reaches it.

    ``tensor``: with ``periodic`` the symmetric tensor ``(N, d, d)`` over D0, entry ``[i, j]`` the flux along axis i for
    a unit gradient along axis j; with ``fixed`` only the flow along x exists, ``(N, 1, 1)``.

    Where a voxel carries nothing at all its gradient is one of the many supergradients: the effective diffusivity is
    concave in the voxels' diffusivities, and has a kink there.

    Attributes:
        grain_diffusivity: of the grain, over D0. None is 0 for volumes and 0.01 for 2D images, whose pores hardly ever
            percolate: it lets them have a value.
        boundary: "fixed" or "periodic".
        tolerance: relative residual at which the iterations stop.
        max_iterations: at which a sample is given up as ``not_converged``.
    """

    version: ClassVar[int] = 2

    grain_diffusivity: float | None = None
    boundary: Literal["fixed", "periodic"] = "fixed"
    tolerance: float = 1e-3
    max_iterations: int = 2000

    def __post_init__(self) -> None:
        if self.grain_diffusivity is not None and not 0 <= self.grain_diffusivity < float("inf"):
            raise InputError(
                f"grain_diffusivity must be at least 0 (over that of the pore); got {self.grain_diffusivity}"
            )
        if self.boundary not in ("fixed", "periodic"):
            raise InputError(f"boundary of diffusivity must be 'fixed' or 'periodic'; got {self.boundary!r}")

    @property
    def property(self) -> Property:
        """D/D0. The constant ``grain_diffusivity_3d`` exists where that of volumes differs from that of 2D images."""
        constants = [("grain_diffusivity", self.grain(2))]
        if self.grain(3) != self.grain(2):
            constants.append(("grain_diffusivity_3d", self.grain(3)))
        return Property("diffusivity", "D/D_0", "1", "1", scale="log", constants=tuple(constants))

    def grain(self, dimensions: int) -> float:
        """The grain's diffusivity over D0 in samples of 2 or 3 dimensions."""
        if self.grain_diffusivity is not None:
            return self.grain_diffusivity
        return 0.01 if dimensions == 2 else 0.0

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve a batch; ``voxel_size`` does not matter to a ratio. See :meth:`Simulator.solve`."""
        check_density(density)
        loads = density.ndim - 2 if self.boundary == "periodic" else 1
        return solve_in_chunks(density, 8 * loads, self._solve, (loads, loads))

    def _solve(self, density: torch.Tensor) -> Solution:
        with torch.no_grad():
            solid = density.detach()[:, 0]
            grain = self.grain(solid.ndim - 1)
            local = 1 - (1 - grain) * solid
            carries = torch.ones(len(solid), dtype=torch.bool)
            if grain == 0:
                find = percolation.wrapping if self.boundary == "periodic" else percolation.crossing
                found = find((local > 0).cpu().numpy())
                local = torch.where(torch.from_numpy(found.carrying).to(local.device), local, 0.0)
                carries = torch.from_numpy(found.along[:, 0])
            problem = _Cell.of(local, self.boundary == "periodic")
            solved = conjugate_gradients(problem, problem.right_hand_side(), self.tolerance, self.max_iterations)
            drops = problem.drops(solved.x)
            tensor = problem.dissipation(drops)
            flows = carries.to(local.device)
            values = torch.where(flows, tensor[:, 0, 0], 0.0)
            residual = solved.residual.view(len(solid), -1).amax(1).cpu().numpy()
            iterations = solved.iterations.view(len(solid), -1).amax(1).cpu().numpy()
            if density.requires_grad:
                slope = problem.sensitivity(drops) * (grain - 1)
                slope = torch.where(flows.view(-1, *[1] * (slope.ndim - 1)), slope, 0.0)[:, None]
        if density.requires_grad:
            values = with_gradient(density, values, slope)
        status = statuses(carries.numpy(), residual, self.tolerance)
        return Solution(values, tensor, status, residual, iterations)


Drops = tuple[list[torch.Tensor], tuple[torch.Tensor, torch.Tensor] | None]
"""Concentration drops across inner faces, an axis each, ``(n, loads, *F)``, and across the two outer ones of axis x."""


@dataclass(frozen=True, eq=False)
class _Cell:
    """The cell problem of n samples and their load cases: the fluctuation around a unit mean gradient.

    Rows are samples times load cases; load case m is the gradient along axis m.
    """

    local: torch.Tensor
    operator: DivergenceForm
    inverse: Inverse
    loads: int

    @staticmethod
    def of(local: torch.Tensor, periodic: bool) -> _Cell:
        """From the local diffusivities ``(n, *S)``."""
        loads = local.ndim - 1 if periodic else 1
        faces = []
        for axis in range(1, local.ndim):
            a, b = sides(local, axis, periodic)
            faces.append((2 * a * b / (a + b).clamp_min(torch.finfo(local.dtype).tiny)).repeat_interleave(loads, 0))
        extra = torch.zeros_like(local)
        if not periodic:
            # The concentration is held half a voxel outside the first and last cell: twice the conductance.
            extra[:, 0] += 2 * local[:, 0]
            extra[:, -1] += 2 * local[:, -1]
        inverse = PeriodicInverse.of(local) if periodic else WalledInverse.of(local)
        return _Cell(local, DivergenceForm(tuple(faces), extra.repeat_interleave(loads, 0), periodic), inverse, loads)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        return self.operator.apply(x)

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        return self.inverse(residual)

    def select(self, rows: torch.Tensor) -> _Cell:
        return replace(self, operator=self.operator.select(rows))

    def right_hand_side(self) -> torch.Tensor:
        """``(n * loads, *S)``, the divergence of the flux that a unit gradient drives by itself."""
        rhs = torch.zeros(len(self.local), self.loads, *self.local.shape[1:]).to(self.local)
        for load in range(self.loads):
            axis = load + 1
            flux = self.operator.faces[load][:: self.loads]
            add_to_sides(rhs[:, load], flux, -flux, axis)
            if not self.operator.periodic:
                rhs[:, load, 0] -= self.local[:, 0]
                rhs[:, load, -1] += self.local[:, -1]
        return rhs.flatten(0, 1)

    def drops(self, x: torch.Tensor) -> Drops:
        """The total concentration drops of the fluctuations ``(n * loads, *S)``."""
        x = x.view(len(self.local), self.loads, *x.shape[1:])
        inner = []
        for axis in range(self.local.ndim - 1):
            behind, ahead = sides(x, axis + 2, self.operator.periodic)
            drop = ahead - behind
            if axis < self.loads:
                drop[:, axis] += 1
            inner.append(drop)
        return inner, None if self.operator.periodic else (0.5 + x[:, :, 0], 0.5 - x[:, :, -1])

    def dissipation(self, drops: Drops) -> torch.Tensor:
        """``(n, loads, loads)`` mean dissipated energies, mutual between load cases."""
        inner, outer = drops
        total = torch.zeros(len(self.local), self.loads, self.loads, dtype=torch.float64, device=self.local.device)
        for axis, drop in enumerate(inner):
            total += _mutual(self.operator.faces[axis][:: self.loads, None] * drop, drop)
        if outer is not None:
            for side, drop in zip((0, -1), outer, strict=True):
                total += _mutual(2 * self.local[:, None, side] * drop, drop)
        return (total / self.local[0].numel()).to(self.local.dtype)

    def sensitivity(self, drops: Drops) -> torch.Tensor:
        """``(n, *S)`` derivative of the dissipation along x with respect to the local diffusivities."""
        inner, outer = drops
        slope = torch.zeros_like(self.local)
        for axis, drop in enumerate(inner, start=1):
            a, b = sides(self.local, axis, self.operator.periodic)
            # d(2ab/(a+b))/da = 2 (b/(a+b))^2; a half of each where nothing is on either side.
            share = torch.where(a + b > 0, b / (a + b).clamp_min(torch.finfo(a.dtype).tiny), 0.5)
            energy = 2 * drop[:, 0].square()
            for_a, for_b = energy * share.square(), energy * (1 - share).square()
            add_to_sides(slope, for_a, for_b, axis)
        if outer is not None:
            slope[:, 0] += 2 * outer[0][:, 0].square()
            slope[:, -1] += 2 * outer[1][:, 0].square()
        return slope / self.local[0].numel()


def _mutual(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``(n, loads, loads)`` dot products over cells, in float64."""
    return torch.einsum("nix,njx->nij", a.flatten(2).double(), b.flatten(2).double())
