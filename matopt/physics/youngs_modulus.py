"""Young's modulus of grains with void pores, by homogenisation with finite elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch

from matopt.errors import InputError
from matopt.physics.base import SIMULATORS, Sensitivity, Simulator, Solution, check_iteration
from matopt.physics.elastic import element
from matopt.physics.elastic.bounds import YoungsModulusBounds
from matopt.physics.elastic.cell_problem import ElasticCellProblem
from matopt.physics.elastic.flips import flip_forms, held_corners, in_strains, onset_forms
from matopt.physics.elastic.grey import LAWS, GreyLaw, rate, stiffness_share
from matopt.physics.elastic.local_problem import MARGIN, energy_changes, strain_tensor
from matopt.physics.numerics import local, percolation
from matopt.physics.numerics.adjoint import derivative, with_gradient
from matopt.physics.numerics.backend import implementation
from matopt.physics.numerics.batching import check_density, solve_in_chunks, statuses
from matopt.physics.numerics.boundaries import check_boundary
from matopt.physics.numerics.conjugate_gradients import ConjugateGradientsResult
from matopt.physics.numerics.mirror import folded, mirrored
from matopt.physics.numerics.patches import around
from matopt.properties import Property, Symmetry

DEFINITE = 1e-4
"""Least over largest stiffness from which single precision tells the compliance along every axis."""

CORNERS = "grain hangs together by edges and corners of voxels alone: the value falls as voxels get smaller"
"""Said of samples whose stiffness is the grid's."""

LOOSE = 10.0
"""How much larger than the stretch another strain of uniaxial tension may be; beyond, nothing resists it."""


@SIMULATORS.register("youngs_modulus")
@dataclass(frozen=True)
class YoungsModulus(Simulator):
    """Young's modulus along axis x, ``1/S11`` of the effective stiffness, by periodic finite elements.

    Linear elasticity, plane strain in 2D; one fully integrated bilinear (trilinear) element a voxel, whose stiffness is
    that of the grain times its density (or as ``grey`` says), so that pores are exactly void. One solve for each of the
    d(d+1)/2 macroscopic strains gives the stiffness tensor. The energy's error is the square of the field's, and
    positive: values come from above as the iterations go on.

    ``tensor``: the stiffness ``(N, L, L)`` in Pa, in Voigt's order 11, 22, 12 (2D) or 11, 22, 33, 23, 13, 12 (3D),
    engineering shear strains; axis 1 is x, axis 0 of space.

    ``1/S11`` is the least energy over the strains that are free under tension along x, which stays right where the
    stiffness is singular: grains that carry along x alone, as fibres do. The gradient of the values is the adjoint one
    where there is grain. A void voxel is at a kink: there it is the one-sided derivative, with the corners that grain
    does not hold free to move (:mod:`matopt.physics.elastic.flips`), the limit of that of grey voxels. It is exact but
    for voxels beside grain that floats or hinges, which is taken as void or as held; it is 0 for grain that carries
    nothing, and in samples that do not carry along x.

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
        grey: how stiff a grey voxel is, "linear", "simp" or "ramp", see
            :func:`~matopt.physics.elastic.grey.stiffness_share`; binary samples have the same values with each.
        tolerance: relative residual at which the iterations stop; 1e-3 leaves errors of about 1e-5 in the values.
        max_iterations: at which a sample is given up as ``not_converged``.
    """

    version: ClassVar[int] = 2

    youngs_modulus: float = 94.5e9
    poisson_ratio: float = 0.074
    boundary: Literal["periodic", "mirror"] = "periodic"
    grey: GreyLaw = "linear"
    tolerance: float = 1e-3
    max_iterations: int = 2000

    def __post_init__(self) -> None:
        check_iteration(self.tolerance, self.max_iterations)
        if not 0 < self.youngs_modulus < float("inf"):
            raise InputError(f"youngs_modulus must be positive, in Pa; got {self.youngs_modulus}")
        if not -1 < self.poisson_ratio < 0.5:
            raise InputError(f"poisson_ratio must be between -1 and 0.5; got {self.poisson_ratio}")
        plates = "; plates without friction are 'mirror'" if self.boundary in ("sealed", "fixed") else ""
        check_boundary("youngs_modulus", self.boundary, ("periodic", "mirror"), plates)
        if self.grey not in LAWS:
            raise InputError(f"grey of youngs_modulus must be one of {LAWS}; got {self.grey!r}")

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
            contributions=self.contributions,
        )

    def stands_for(self, dimensions: int) -> str:
        """Along x, and of images that they are strained in their plane. See :meth:`Simulator.stands_for`."""
        return f"along x, {self.boundary}" + (", plane strain" if dimensions == 2 else "")

    def notes(self, phases: np.ndarray) -> list[str]:
        """Of samples whose grain carries through edges and corners of voxels alone."""
        solid = mirrored(torch.from_numpy(phases[:, None])).numpy()[:, 0] if self.boundary == "mirror" else phases
        hangs = percolation.wrapping(solid == 1, corners=True).along[:, 0]
        hangs &= ~percolation.wrapping(solid == 1).along[:, 0]
        return [CORNERS if each else "" for each in hangs]

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve a batch; ``voxel_size`` does not matter to a modulus. See :meth:`Simulator.solve`."""
        check_density(density)
        dimensions = density.ndim - 2
        loads = len(element.voigt_pairs(dimensions))
        solve: Callable[[torch.Tensor], Solution] = self._solve
        if self.boundary == "mirror":

            def solve(chunk: torch.Tensor) -> Solution:
                return self._solve(mirrored(chunk))

        vectors, density = self._vectors(density), stiffness_share(density, self.grey)
        return solve_in_chunks(density, vectors, solve, (loads, loads), self.tolerance, self.max_iterations)

    def contributions(self, density: torch.Tensor, voxel_size: float) -> torch.Tensor:
        """Twice the density of the strain energy ``(N, 1, *S)`` in Pa under tension along x, of unit mean strain.

        Its mean over the voxels is Young's modulus (Hill, J. Mech. Phys. Solids 11 (1963) 357). It is 0 in voids, and
        in samples that do not carry along x.
        """
        share, linear = stiffness_share(density.detach(), self.grey), replace(self, grey="linear")
        # The value is of the first degree in the voxels' stiffnesses: each times its derivative adds up to it.
        slope = derivative(lambda stiffness: linear.solve(stiffness, voxel_size).values, share)
        return share * slope * math.prod(share.shape[2:])

    def _vectors(self, density: torch.Tensor) -> int:
        """How many numbers a voxel a solve holds."""
        dimensions = density.ndim - 2
        # Displacements, residuals, directions, what is transformed and its transform.
        vectors = 5 * len(element.voigt_pairs(dimensions)) * dimensions
        return vectors if self.boundary == "periodic" else vectors * 2**dimensions

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

    def sensitivity(self, density: torch.Tensor, voxel_size: float) -> Sensitivity:
        """Solve binary samples and tell what each of their voxels does; see :meth:`Simulator.sensitivity`."""
        return local.sensitivity(density, self._vectors(density), self._sensitivity)

    def estimated_changes(
        self, density: torch.Tensor, moved: torch.Tensor, sample: torch.Tensor, voxel_size: float
    ) -> torch.Tensor:
        """Estimate what changes do; see :meth:`Simulator.estimated_changes`."""
        return local.estimated_changes(density, moved, sample, self._vectors(density), self._estimated_changes)

    def _solve(self, density: torch.Tensor) -> Solution:
        with torch.no_grad():
            stretched = self._stretched(density.detach()[:, 0])
            solution = self._solution(stretched)
            if not density.requires_grad:
                return solution
            slope = self._onset(stretched) * self.youngs_modulus
        return replace(solution, values=with_gradient(density, solution.values, slope[:, None]))

    def _stretched(self, solid: torch.Tensor) -> _Stretched:
        """Solve for the fields of periodic densities ``(n, *S)``."""
        found = percolation.wrapping((solid > 0).cpu().numpy(), corners=True)
        carrying, along = (torch.from_numpy(a).to(solid.device) for a in (found.carrying, found.along))
        del found
        cell_problem = implementation(ElasticCellProblem, solid.device).of(
            torch.where(carrying, solid, 0.0), self.poisson_ratio
        )
        solved = cell_problem.solve(along, self.tolerance, self.max_iterations)
        stiffness = cell_problem.energies(solved.x)
        return _Stretched(solid, along[:, 0], cell_problem, solved, stiffness, _tension(stiffness))

    def _solution(self, stretched: _Stretched) -> Solution:
        """What is reported of it."""
        dtype, tension, stiffness = stretched.solid.dtype, stretched.tension, stretched.stiffness
        modulus = torch.einsum("ni,nij,nj->n", tension, stiffness, tension)
        values = torch.where(stretched.carries, modulus, 0.0).to(dtype) * self.youngs_modulus
        residual = stretched.solved.residual.amax(0).cpu().numpy()
        iterations = stretched.solved.iterations.amax(0).cpu().numpy()
        status = statuses(stretched.carries.cpu().numpy(), residual, self.tolerance)
        return Solution(values, stiffness.to(dtype) * self.youngs_modulus, status, residual, iterations)

    def _onset(self, stretched: _Stretched) -> torch.Tensor:
        """The derivative ``(n, *S)`` of the value, one-sided in voids, over the grain's modulus."""
        problem, solid, fields = stretched.problem, stretched.solid, (stretched.solved.x, stretched.tension)
        slope = problem.energy_density(*fields)
        held = held_corners(problem.solid > 0)
        voxels = ((problem.solid == 0) & (held > 0)).nonzero()
        forms = onset_forms(self.poisson_ratio, solid.ndim - 1)
        strains = problem.strains_at(*fields, voxels)
        slope[problem.solid == 0] = 0
        slope[voxels.unbind(1)] = in_strains(forms, held[voxels.unbind(1)], strains) / solid[0].numel()
        is_loose = (solid > 0) & (problem.solid == 0)
        return torch.where(is_loose | ~stretched.carries.view(-1, *[1] * (solid.ndim - 1)), 0.0, slope)

    def _sensitivity(self, density: torch.Tensor) -> Sensitivity:
        """The sensitivities of a part of a batch."""
        is_mirror = self.boundary == "mirror"
        stretched = self._stretched((mirrored(density) if is_mirror else density)[:, 0])
        problem, shape = stretched.problem, stretched.solid.shape
        grain = problem.solid > 0
        voxels = (grain | ((held_corners(grain) > 0) & (stretched.solid == 0))).nonzero()
        strains = problem.strains_at(stretched.solved.x, stretched.resisted, voxels)
        flip = torch.zeros_like(stretched.solid)
        changes = in_strains(*flip_forms(grain, voxels, self.poisson_ratio), strains)
        flip[voxels.unbind(1)] = changes / math.prod(shape[1:])
        both = [each[:, None] * self.youngs_modulus for each in (self._onset(stretched), flip)]
        derivative, flip = (folded(each) for each in both) if is_mirror else both
        return Sensitivity(self._solution(stretched), derivative * rate(density, self.grey), flip)

    def _estimated_changes(
        self, density: torch.Tensor, moved: torch.Tensor, sample: torch.Tensor
    ) -> tuple[Solution, torch.Tensor]:
        """What changes do to a part of a batch."""
        is_mirror = self.boundary == "mirror"
        stretched = self._stretched((mirrored(density) if is_mirror else density)[:, 0])
        mixed, _ = stretched.problem.mixed(stretched.solved.x, stretched.resisted)
        strain = strain_tensor(stretched.resisted.double(), density.ndim - 2)
        inner = (slice(None), *[slice(0, n) for n in density.shape[2:]])
        solid = stretched.problem.solid[inner]
        changed = moved[:, 0] != density[sample, 0]
        after = torch.where(changed, moved[:, 0], solid[sample])
        together = local.VOXELS_TOGETHER[density.device.type]
        out = torch.zeros(len(moved), dtype=torch.float64, device=density.device)
        for patches in around(changed, sample, MARGIN, not is_mirror, together):
            out[patches.move] = energy_changes(
                patches, solid.double(), after.double(), mixed.double(), strain, self.poisson_ratio, is_mirror
            )
        return self._solution(stretched), out * (self.youngs_modulus / solid[0].numel())


@dataclass(frozen=True, eq=False)
class _Stretched:
    """The fields of n periodic samples under macroscopic strains.

    Attributes:
        solid: ``(n, *S)`` densities.
        carries: ``(n,)`` whether grain carries along axis x.
        problem: the cell problem.
        solved: its displacements.
        stiffness: ``(n, L, L)``.
        tension: ``(n, L)`` the strain of uniaxial tension.
    """

    solid: torch.Tensor
    carries: torch.Tensor
    problem: ElasticCellProblem
    solved: ConjugateGradientsResult
    stiffness: torch.Tensor
    tension: torch.Tensor

    @property
    def resisted(self) -> torch.Tensor:
        """The same strain without what nothing resists, as between fibres: there it is rounding over almost nothing."""
        return torch.where(self.tension.abs() <= LOOSE, self.tension, 0.0)


def _tension(stiffness: torch.Tensor) -> torch.Tensor:
    """The strain ``(n, L)`` of least energy among those that stretch axis x by one: uniaxial tension.

    Strains without any stiffness are left at zero by a ridge far below the grain's stiffness, which is 1 here.
    """
    free = stiffness[:, 1:, 1:] + 1e-12 * torch.eye(stiffness.shape[1] - 1, dtype=torch.float32).to(stiffness)
    rest = -torch.linalg.solve(free, stiffness[:, 1:, :1])[..., 0]
    return torch.cat([torch.ones_like(rest[:, :1]), rest], 1)
