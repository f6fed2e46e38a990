"""Young's modulus of grains with void pores, by homogenisation with finite elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from matopt.errors import InputError
from matopt.physics.base import SIMULATORS, Simulator, Solution
from matopt.physics.elastic import element
from matopt.physics.elastic.bounds import YoungsModulusBounds
from matopt.physics.elastic.cell_problem import ElasticCellProblem
from matopt.physics.numerics import percolation
from matopt.physics.numerics.adjoint import with_gradient
from matopt.physics.numerics.backend import implementation
from matopt.physics.numerics.batching import check_density, solve_in_chunks, statuses
from matopt.physics.numerics.mirror import mirrored
from matopt.properties import Property, Symmetry

DEFINITE = 1e-4
"""Least over largest stiffness from which single precision tells the compliance along every axis."""


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
    times as large. Periodic is the default by what windows of Berea sandstone show (``benchmarks/README.md``). Over
    seven slices of 400^2 voxels the two agree: 17.4 GPa on average. Windows of 128^2 of the same slices average 22.4
    GPa (periodic) and 23.0 (mirror), those of 64^2 31.0 and 32.4. Small windows are too stiff on average either way,
    and mirror images, which act as frictionless walls, more so; they also scatter more at equal porosity (7.3 against
    6.3 GPa at 128^2) and take three to six times as long. A seam that does not fit softens a window, which makes up
    for a part of what its small size stiffens.

    Attributes:
        youngs_modulus: of the grain in Pa. The default is quartz, from its bulk modulus of 37 GPa and shear modulus of
            44 GPa (Mavko, Mukerji, Dvorkin, The Rock Physics Handbook).
        poisson_ratio: of the grain.
        boundary: "periodic" or "mirror".
        tolerance: relative residual at which the iterations stop; 1e-3 leaves errors of about 1e-5 in the values.
        max_iterations: at which a sample is given up as ``not_converged``.
    """

    version: ClassVar[int] = 2

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
        """Young's modulus E in Pa, between Hashin and Shtrikman's bounds of the grain."""
        shifts = self.boundary == "periodic"
        return Property(
            "youngs_modulus",
            "E",
            "Pa",
            "GPa",
            1e-9,
            constants=(("grain_youngs_modulus", self.youngs_modulus), ("grain_poisson_ratio", self.poisson_ratio)),
            title="Young's modulus",
            increases_with_solid=True,
            symmetries=(Symmetry(shifts), Symmetry(shifts, alike=(1, 2))),
            length_power=0,
            bounds=YoungsModulusBounds(self.youngs_modulus, self.poisson_ratio),
        )

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve a batch; ``voxel_size`` does not matter to a modulus. See :meth:`Simulator.solve`."""
        check_density(density)
        dimensions = density.ndim - 2
        loads = len(element.voigt_pairs(dimensions))
        vectors = 5 * loads * dimensions  # displacements, residuals, directions, what is transformed and its transform
        if self.boundary == "periodic":
            return solve_in_chunks(density, vectors, self._solve, (loads, loads), self.tolerance, self.max_iterations)
        vectors *= 2**dimensions
        return solve_in_chunks(
            density, vectors, lambda d: self._solve(mirrored(d)), (loads, loads), self.tolerance, self.max_iterations
        )

    def exchanged(self, tensor: np.ndarray, dimensions: int) -> np.ndarray:
        """Young's moduli ``(N, d - 1)`` along axes y (and z), ``1/S22``: Pa; NaN where something has no stiffness."""
        loads = len(element.voigt_pairs(dimensions))
        stiffness = tensor.reshape(-1, loads, loads).astype(np.float64)
        least_and_largest = np.linalg.eigvalsh(stiffness)[:, [0, -1]]
        definite = least_and_largest[:, 0] > DEFINITE * least_and_largest[:, 1]
        found = np.full((len(stiffness), dimensions - 1), np.nan)
        compliance = np.linalg.inv(stiffness[definite])
        found[definite] = 1 / np.diagonal(compliance, axis1=1, axis2=2)[:, 1:dimensions]
        return found

    def _solve(self, density: torch.Tensor) -> Solution:
        with torch.no_grad():
            solid = density.detach()[:, 0]
            found = percolation.wrapping((solid > 0).cpu().numpy(), corners=True)
            carrying, along = (torch.from_numpy(a).to(solid.device) for a in (found.carrying, found.along))
            del found
            along_x = along[:, 0]
            cell_problem = implementation(ElasticCellProblem, solid.device).of(
                torch.where(carrying, solid, 0.0), self.poisson_ratio
            )
            solved = cell_problem.solve(along, self.tolerance, self.max_iterations)
            stiffness = cell_problem.energies(solved.x)
            tension = _tension(stiffness)
            modulus = torch.einsum("ni,nij,nj->n", tension, stiffness, tension)
            values = torch.where(along_x, modulus, 0.0).to(solid.dtype) * self.youngs_modulus
            residual = solved.residual.amax(0).cpu().numpy()
            iterations = solved.iterations.amax(0).cpu().numpy()
            if density.requires_grad:
                slope = cell_problem.energy_density(solved.x, tension)
                is_loose = (solid > 0) & ~carrying
                has_none = is_loose | ~along_x.view(-1, *[1] * (solid.ndim - 1))
                slope = torch.where(has_none, 0.0, slope)[:, None] * self.youngs_modulus
        if density.requires_grad:
            values = with_gradient(density, values, slope)
        status = statuses(along_x.cpu().numpy(), residual, self.tolerance)
        return Solution(values, stiffness.to(solid.dtype) * self.youngs_modulus, status, residual, iterations)


def _tension(stiffness: torch.Tensor) -> torch.Tensor:
    """The strain ``(n, L)`` of least energy among those that stretch axis x by one: uniaxial tension.

    Strains without any stiffness are left at zero by a ridge far below the grain's stiffness, which is 1 here.
    """
    free = stiffness[:, 1:, 1:] + 1e-12 * torch.eye(stiffness.shape[1] - 1).to(stiffness)
    rest = -torch.linalg.solve(free, stiffness[:, 1:, :1])[..., 0]
    return torch.cat([torch.ones_like(rest[:, :1]), rest], 1)
