"""Effective elasticity of grains with void pores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import torch

from matopt.errors import InputError
from matopt.physics import brick, percolation
from matopt.physics.adjoint import with_gradient
from matopt.physics.base import SIMULATORS, Simulator, Solution
from matopt.physics.batching import check_density, solve_in_chunks, statuses
from matopt.physics.krylov import conjugate_gradients, dot
from matopt.physics.mirror import mirrored
from matopt.properties import Property

ROWS_TOGETHER = 2**20
"""Displacements (numbers) that are strained at once."""


@SIMULATORS.register("youngs_modulus")
@dataclass(frozen=True)
class YoungsModulus(Simulator):
    """Young's modulus along axis x, ``1/S11`` of the effective stiffness, by periodic finite elements.

    Linear elasticity, plane strain in 2D; one fully integrated bilinear (trilinear) element a voxel, whose stiffness is
    that of the grain times its density, so that pores are exactly void. One solve for each of the d(d+1)/2 macroscopic
    strains gives the stiffness tensor. The energy's error is the square of the field's, and positive: values come from
    above as the iterations go on.

    ``tensor``: the stiffness ``(N, L, L)`` in Pa, in Voigt's order 11, 22, 12 (2D) or 11, 22, 33, 23, 13, 12 (3D),
    engineering shear strains; axis 1 is x, axis 0 of space.

    ``1/S11`` is the least energy over the strains that are free under tension along x, which stays right where the
    stiffness is singular: grains that carry along x alone, as fibres do. Where a voxel is void or carries nothing the
    gradient is one of the many supergradients: the value is concave in the density, and has a kink there.

    Boundary: ``periodic``, or ``mirror`` for samples continued by their mirror images, which are periodic but ``2^d``
    times as large. Periodic is the default by what windows of Berea sandstone show. Over seven slices of 400^2 voxels
    the two agree: 21.6 and 21.8 GPa on average. Windows of 128^2 of the same slices average 26.0 GPa (periodic) and
    27.2 (mirror), those of 64^2 31.8 and 33.8. Small windows are too stiff on average either way, and mirror images,
    which act as frictionless walls, more so; they also scatter more at equal porosity (8.0 against 7.3 GPa at 128^2)
    and take three to four times as long. A seam that does not fit softens a window, which makes up for a part of what
    its small size stiffens.

    Attributes:
        youngs_modulus: of the grain in Pa. The default is quartz, from its bulk modulus of 37 GPa and shear modulus of
            44 GPa (Mavko, Mukerji, Dvorkin, The Rock Physics Handbook).
        poisson_ratio: of the grain.
        boundary: "periodic" or "mirror".
        tolerance: relative residual at which the iterations stop; 1e-3 leaves errors of about 1e-5 in the values.
        max_iterations: at which a sample is given up as ``not_converged``.
    """

    youngs_modulus: float = 94.5e9
    poisson_ratio: float = 0.074
    boundary: Literal["periodic", "mirror"] = "periodic"
    tolerance: float = 1e-3
    max_iterations: int = 2000

    def __post_init__(self) -> None:
        if not 0 < self.youngs_modulus < float("inf"):
            raise InputError(f"youngs_modulus must be positive, in Pa; got {self.youngs_modulus}")
        if not -1 < self.poisson_ratio < 0.5:
            raise InputError(f"poisson_ratio must be between -1 and 0.5; got {self.poisson_ratio}")
        if self.boundary not in ("periodic", "mirror"):
            raise InputError(f"boundary of youngs_modulus must be 'periodic' or 'mirror'; got {self.boundary!r}")

    @property
    def property(self) -> Property:
        """E in Pa."""
        return Property(
            "youngs_modulus",
            "E",
            "Pa",
            "GPa",
            1e-9,
            constants=(("grain_youngs_modulus", self.youngs_modulus), ("grain_poisson_ratio", self.poisson_ratio)),
            title="Young's modulus",
        )

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve a batch; ``voxel_size`` does not matter to a modulus. See :meth:`Simulator.solve`."""
        check_density(density)
        dimensions = density.ndim - 2
        loads = len(brick.voigt_pairs(dimensions))
        vectors = loads * (2**dimensions + 5) * dimensions
        if self.boundary == "periodic":
            return solve_in_chunks(density, vectors, self._solve, (loads, loads))
        return solve_in_chunks(density, vectors * 2**dimensions, lambda d: self._solve(mirrored(d)), (loads, loads))

    def _solve(self, density: torch.Tensor) -> Solution:
        with torch.no_grad():
            solid = density.detach()[:, 0]
            found = percolation.wrapping((solid > 0).cpu().numpy(), corners=True)
            carrying = torch.from_numpy(found.carrying).to(solid.device)
            along_x = torch.from_numpy(found.along[:, 0]).to(solid.device)
            lattice = _Lattice.of(torch.where(carrying, solid, 0.0), self.poisson_ratio)
            solved = conjugate_gradients(lattice, lattice.right_hand_side(), self.tolerance, self.max_iterations)
            strains = lattice.strains(solved.x)
            stiffness = lattice.energies(strains)
            tension = _tension(stiffness)
            modulus = torch.einsum("ni,nij,nj->n", tension, stiffness, tension)
            values = torch.where(along_x, modulus, 0.0).to(solid.dtype) * self.youngs_modulus
            residual = solved.residual.view(len(solid), -1).amax(1).cpu().numpy()
            iterations = solved.iterations.view(len(solid), -1).amax(1).cpu().numpy()
            if density.requires_grad:
                slope = lattice.energy_density(torch.einsum("nl,nl...->n...", tension.to(strains), strains))
                is_loose = (solid > 0) & ~carrying
                slope = torch.where(is_loose | ~_column(along_x, slope), 0.0, slope)[:, None] * self.youngs_modulus
        if density.requires_grad:
            values = with_gradient(density, values, slope)
        status = statuses(found.along[:, 0], residual, self.tolerance)
        return Solution(values, stiffness.to(solid.dtype) * self.youngs_modulus, status, residual, iterations)


def _tension(stiffness: torch.Tensor) -> torch.Tensor:
    """``(n, L)`` strain of least energy among those that stretch axis x by one: uniaxial tension.

    Strains without any stiffness are left at zero by a ridge far below the grain's stiffness, which is 1 here.
    """
    free = stiffness[:, 1:, 1:] + 1e-12 * torch.eye(stiffness.shape[1] - 1).to(stiffness)
    rest = -torch.linalg.solve(free, stiffness[:, 1:, :1])[..., 0]
    return torch.cat([torch.ones_like(rest[:, :1]), rest], 1)


@dataclass(frozen=True, eq=False)
class _Lattice:
    """The cell problem of n samples and their load cases: periodic displacements around a unit macroscopic strain.

    Rows are samples times load cases. The grain's Young's modulus is 1.
    """

    solid: torch.Tensor
    rows: torch.Tensor
    stiffness: torch.Tensor
    loads: torch.Tensor
    inverse: torch.Tensor

    @staticmethod
    def of(solid: torch.Tensor, poisson_ratio: float) -> _Lattice:
        """From densities ``(n, *S)`` without what does not carry."""
        shape = tuple(solid.shape[1:])
        loads = brick.unit_strains(len(shape)).to(solid)
        return _Lattice(
            solid,
            solid[:, None].repeat_interleave(len(loads), 0),
            brick.stiffness(poisson_ratio, len(shape)).to(solid),
            loads,
            _inverse(shape, poisson_ratio, solid.dtype, solid.device),
        )

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        # Strains take several times the memory of displacements: volumes go through row by row.
        rows = max(1, ROWS_TOGETHER // x[0].numel())
        if rows >= len(x):
            return _apply(self.rows, self.stiffness, x)
        pairs = zip(self.rows.split(rows), x.split(rows), strict=True)
        return torch.cat([_apply(solid, self.stiffness, part) for solid, part in pairs])

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        axes = tuple(range(2, residual.ndim))
        waves = torch.view_as_real(torch.fft.rfftn(residual, dim=axes))
        out = torch.empty_like(waves)
        for i, row in enumerate(self.inverse):
            torch.mul(waves[:, 0], row[0], out=out[:, i])
            for j in range(1, len(row)):
                out[:, i].addcmul_(waves[:, j], row[j])
        return torch.fft.irfftn(torch.view_as_complex(out), s=residual.shape[2:], dim=axes)

    def select(self, rows: torch.Tensor) -> _Lattice:
        return replace(self, rows=self.rows[rows])

    def right_hand_side(self) -> torch.Tensor:
        """``(n * L, d, *S)`` nodal forces that balance the unit strains."""
        dimensions = self.solid.ndim - 1
        stresses = (self.loads @ self.stiffness).view(1, len(self.loads), -1, *[1] * dimensions)
        return -brick.forces((stresses * self.solid[:, None, None]).flatten(0, 1), dimensions)

    def strains(self, x: torch.Tensor) -> torch.Tensor:
        """``(n, L, M, *S)`` element modes of the whole deformation."""
        strains = brick.modes(x).unflatten(0, (len(self.solid), len(self.loads)))
        return strains + self.loads.view(1, *self.loads.shape, *[1] * (self.solid.ndim - 1))

    def energies(self, strains: torch.Tensor) -> torch.Tensor:
        """``(n, L, L)`` float64 mean mutual energies: the effective stiffness."""
        total = strains.new_empty(len(strains), len(self.loads), len(self.loads), dtype=torch.float64)
        for a in range(len(self.loads)):
            stresses = torch.matmul(self.stiffness, strains[:, a].flatten(2)).view(strains[:, a].shape)
            stresses *= self.solid[:, None]
            for b in range(a, len(self.loads)):
                total[:, a, b] = total[:, b, a] = dot(stresses, strains[:, b])
        return total / self.solid[0].numel()

    def energy_density(self, strains: torch.Tensor) -> torch.Tensor:
        """``(n, *S)`` energy at full density of strains ``(n, M, *S)``, over the number of voxels."""
        stresses = torch.matmul(self.stiffness, strains.flatten(2)).view(strains.shape)
        return (stresses * strains).sum(1) / self.solid[0].numel()


def _apply(solid: torch.Tensor, stiffness: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    strains = brick.modes(x)
    stresses = torch.matmul(stiffness, strains.flatten(2)).view(strains.shape)
    return brick.forces(stresses.mul_(solid), x.shape[1])


@lru_cache(maxsize=4)
def _inverse(shape: tuple[int, ...], poisson_ratio: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """``(d, d, *F, 2)`` inverse of the homogeneous grain's Fourier symbol, once for the real and the imaginary part.

    It is the symbol of the finite-element stencil itself. What a homogeneous grain does not resist comes back as 0.
    """
    dimensions = len(shape)
    impulses = torch.zeros(dimensions, dimensions, *shape, dtype=torch.float64)
    for i in range(dimensions):
        impulses[(i, i, *[0] * dimensions)] = 1
    response = _apply(
        torch.ones(1, 1, *shape, dtype=torch.float64), brick.stiffness(poisson_ratio, dimensions), impulses
    )
    symbol = torch.fft.rfftn(response, dim=tuple(range(2, 2 + dimensions))).real
    inverse = torch.linalg.pinv(symbol.movedim((0, 1), (-2, -1)), atol=1e-10, hermitian=True).movedim((-2, -1), (0, 1))
    return inverse[..., None].expand(*inverse.shape, 2).to(device, dtype).contiguous()


def _column(flags: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return flags.view(-1, *[1] * (like.ndim - 1))
