"""Effective diffusivity of the pore space, with grains that conduct little or nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from matopt.errors import InputError
from matopt.physics import percolation
from matopt.physics.adjoint import with_gradient
from matopt.physics.base import SIMULATORS, Simulator, Solution
from matopt.physics.batching import check_density, solve_in_chunks, statuses
from matopt.physics.krylov import conjugate_gradients
from matopt.physics.multigrid import Cells, Multigrid
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
        periodic = self.boundary == "periodic"
        if periodic:
            # A network has no place for a voxel that is its own neighbour; two of it are the same sample.
            density = density.repeat(1, 1, *(2 if n == 1 else 1 for n in density.shape[2:]))
        with torch.no_grad():
            solid = density.detach()[:, 0]
            grain = self.grain(solid.ndim - 1)
            local = 1 - (1 - grain) * solid
            conducts = local > 0
            carries = torch.ones(len(solid), dtype=torch.bool)
            if grain == 0:
                find = percolation.wrapping if periodic else percolation.crossing
                found = find(conducts.cpu().numpy())
                conducts = torch.from_numpy(found.carrying).to(local.device)
                carries = torch.from_numpy(found.along[:, 0])
            network = _Network.of(local, Cells.of(conducts, periodic))
            loads = range(solid.ndim - 1 if periodic else 1)
            solved = [
                conjugate_gradients(network.systems, network.sources(load), self.tolerance, self.max_iterations)
                for load in loads
            ]
            flux = torch.stack([network.drops(s.x, load) for load, s in zip(loads, solved, strict=True)], 1)
            tensor = network.dissipation(flux)
            flows = carries.to(local.device)
            values = torch.where(flows, tensor[:, 0, 0], 0.0)
            residual = torch.stack([s.residual for s in solved]).amax(0).cpu().numpy()
            iterations = torch.stack([s.iterations for s in solved]).amax(0).cpu().numpy()
            if density.requires_grad:
                slope = network.sensitivity(solved[0].x, flux[:, 0]) * (grain - 1)
                slope = torch.where(flows.view(-1, *[1] * (slope.ndim - 1)), slope, 0.0)[:, None]
        if density.requires_grad:
            values = with_gradient(density, values, slope)
        status = statuses(carries.numpy(), residual, self.tolerance)
        return Solution(values, tensor, status, residual, iterations)


@dataclass(frozen=True, eq=False)
class _Network:
    """The cell problem of B samples: the fluctuation of the concentration around a unit mean gradient.

    Load case m is the gradient along axis m. Faces are those ahead of each cell along each axis; between fixed
    concentrations two more, behind the first and ahead of the last cells of axis x.

    Attributes:
        cells: that conduct, ``(B, n)`` of them.
        local: ``(B, n)`` their diffusivities, 0 where the row is filled up.
        ahead: ``(B, n, f)`` conductances of the faces.
        systems: of the fluctuations.
    """

    cells: Cells
    local: torch.Tensor
    ahead: torch.Tensor
    systems: Multigrid

    @staticmethod
    def of(local: torch.Tensor, cells: Cells) -> _Network:
        """From the local diffusivities of all cells ``(B, *S)``."""
        flat = torch.cat([local.reshape(-1), local.new_zeros(1)])
        flat[:-1][cells.number[:-1] == cells.place.numel()] = 0
        own, faces = flat[cells.place], []
        for axis in range(local.ndim - 1):
            other = flat[cells.neighbour(axis, 1)]
            faces.append(2 * own * other / (own + other).clamp_min_(torch.finfo(local.dtype).tiny))
        if cells.periodic:
            ahead = torch.stack(faces, -1)
            return _Network(cells, own, ahead, Multigrid.of(cells, ahead, torch.zeros_like(own)))
        # The concentration is held half a voxel outside the first and last cell: twice the conductance.
        at = cells.along(0)
        faces += [2 * own * (at == edge) for edge in (0, cells.shape[0] - 1)]
        ahead = torch.stack(faces, -1)
        return _Network(cells, own, ahead, Multigrid.of(cells, ahead[..., :-2], faces[-2] + faces[-1]))

    def sources(self, load: int) -> torch.Tensor:
        """``(B, n)``, the divergence of the flux that a unit gradient drives by itself."""
        dimensions = len(self.cells.shape)
        rhs = self.ahead[..., load] - torch.cat([c[..., dimensions + load] for c in self.systems.conductances], 1)
        if not self.cells.periodic:
            rhs += 0.5 * (self.ahead[..., -1] - self.ahead[..., -2])
        return rhs

    def drops(self, x: torch.Tensor, load: int) -> torch.Tensor:
        """``(B, n, f)`` the total concentration drops of fluctuations ``(B, n)``."""
        dimensions = len(self.cells.shape)
        columns = torch.cat([c[..., :dimensions] for c in self.systems.columns], 1)
        drops = x.view(-1)[columns] - x[..., None]
        drops[..., load] += 1
        if self.cells.periodic:
            return drops
        return torch.cat([drops, torch.stack([0.5 + x, 0.5 - x], -1)], -1)

    def dissipation(self, drops: torch.Tensor) -> torch.Tensor:
        """``(B, loads, loads)`` mean dissipated energies, mutual between load cases ``(B, loads, n, f)``."""
        flux = (self.ahead[:, None] * drops).flatten(2).double()
        total = torch.einsum("nix,njx->nij", flux, drops.flatten(2).double())
        return (total / math.prod(self.cells.shape)).to(drops.dtype)

    def sensitivity(self, x: torch.Tensor, drops: torch.Tensor) -> torch.Tensor:
        """``(B, *S)`` derivative of the dissipation along x with respect to the local diffusivities.

        Of the conductance c between a and b it is ``dc/da = c^2 / (2 a^2)``. Voxels that do not conduct are taken at
        the mean concentration of their place along x.
        """
        cells, dimensions = self.cells, len(self.cells.shape)
        squares = (self.ahead * drops).square_()
        own = squares.sum(-1)
        for axis in range(dimensions):
            column = torch.cat([c[..., dimensions + axis] for c in self.systems.columns], 1)
            linked = torch.cat([c[..., dimensions + axis] for c in self.systems.conductances], 1) > 0
            own += torch.where(linked, squares[..., axis].reshape(-1)[column], 0.0)
        slope = torch.ones_like(cells.number, dtype=x.dtype)
        is_cell = self.local > 0
        slope[cells.place[is_cell]] = (own / (2 * self.local.square()))[is_cell]
        for axis in range(dimensions):
            for half, step in enumerate((1, -1)):
                linked = torch.cat([c[..., axis + half * dimensions] for c in self.systems.conductances], 1) > 0
                place = cells.neighbour(axis, step)
                wall = (place < len(slope) - 1) & ~linked
                drop = int(axis == 0) - step * x[wall]
                slope.index_add_(0, place[wall], 2 * drop.square() - 0.5 * (axis == 0))
        return slope[:-1].view(-1, *cells.shape).clamp_min_(0) / math.prod(cells.shape)
