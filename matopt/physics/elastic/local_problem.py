"""What changes of a sample do to its energy, by displacements that settle nearby while all beyond are held.

The effective energy is the least over the displacements of a sample; over fewer of them it is larger, so that the
energy of the changed sample is estimated from above.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from matopt.physics.elastic import element
from matopt.physics.elastic.cell_problem import ElasticCellProblem
from matopt.physics.numerics.conjugate_gradients import conjugate_gradients
from matopt.physics.numerics.patches import Patches

MARGIN = 2
"""How many voxels around a change settle with it."""

TOLERANCE = 0.1
"""Of the residual; the error of the energy is its square."""

MAX_ITERATIONS = 100
"""What has not settled by then is estimated from further above."""


@dataclass(frozen=True, eq=False)
class LocalProblem:
    """Displacements in patches, of which those at the border are held: systems for conjugate gradients.

    Attributes:
        problem: of the patches as periodic samples, with a layer of void behind their last voxels.
        free: ``(R, d, *S)`` 1 where a displacement is free, 0 where it is held.
    """

    problem: ElasticCellProblem
    free: torch.Tensor

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The nodal forces of the rows' displacements ``(R, d, *S)``, on free nodes."""
        return self.problem.apply(x).mul_(self.free)

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """The homogeneous grain's displacements for nodal forces ``(R, d, *S)``, on free nodes."""
        return self.problem.precondition(residual).mul_(self.free)

    def select(self, rows: torch.Tensor) -> LocalProblem:
        """The systems of these rows (indices)."""
        return LocalProblem(self.problem.select(rows), self.free[rows])


def energy_changes(
    patches: Patches,
    solid: torch.Tensor,
    moved: torch.Tensor,
    displacement: torch.Tensor,
    strain: torch.Tensor,
    poisson_ratio: float,
    mirror: bool,
) -> torch.Tensor:
    """Estimate the changes ``(m,)`` float64 of the summed energy in patches, that of voxels at full density being 1.

    Args:
        patches: around the changes.
        solid: ``(N, *S)`` densities without what does not carry, float64 as all that follow.
        moved: ``(M, *S)`` those after the changes.
        displacement: ``(N, d, *S)`` fluctuations of the displacement at ``solid``.
        strain: ``(N, d, d)`` macroscopic strains.
        poisson_ratio: of the grain.
        mirror: whether samples end in mirrors, at which nodes glide; else they are periodic.
    """
    dimensions = len(patches.shape)
    before, after = (
        torch.nn.functional.pad(grain, (0, 1) * dimensions)
        for grain in (patches.cut(solid), patches.cut(moved, patches.move))
    )
    place = torch.stack(
        torch.meshgrid(*[torch.arange(n + 1, device=solid.device) for n in patches.shape], indexing="ij")
    ).to(displacement)
    # About the patch's first node: where the sample's is does not matter.
    u = patches.cut(displacement, ahead=1) + torch.einsum("mij,j...->mi...", strain[patches.sample], place)
    free = torch.zeros_like(u)
    free[(slice(None), slice(None), *[slice(1, -1)] * dimensions)] = 1
    if mirror:
        _glide(patches, free)
    of_patches = ElasticCellProblem.of(after, poisson_ratio)
    force = of_patches.apply(u).neg_().mul_(free)
    change = replace(of_patches, solid=after - before).apply(u).mul_(u).flatten(1).sum(1, dtype=torch.float64)
    # Grain that is added has more energy than it keeps: what is left of it is to be resolved.
    energy = torch.where(change > 0, change, torch.inf)
    local = LocalProblem(of_patches, free)
    solved = conjugate_gradients(local, force.clone(), TOLERANCE, MAX_ITERATIONS, energy=energy)
    return change - (force * solved.x).flatten(1).sum(1, dtype=torch.float64)


def _glide(patches: Patches, free: torch.Tensor) -> None:
    """Free the nodes of patches ``(m, d, *S)`` that lie on mirrors, along them."""
    dimensions = len(patches.shape)
    ends = [torch.stack(patches.reaches(axis), 1) for axis in range(dimensions)]
    inside = torch.ones_like(free)
    for axis, reach in enumerate(ends):
        for side, at in ((0, 0), (1, -1)):
            layer = inside.select(axis + 2, at)
            is_mirror = reach[:, side].to(free).view(-1, *[1] * (layer.ndim - 1))
            along = torch.ones(dimensions, dtype=torch.float32).to(free)
            along[axis] = 0
            layer.mul_(is_mirror * along.view(1, -1, *[1] * (layer.ndim - 2)))
    free.copy_(inside)


def strain_tensor(strain: torch.Tensor, dimensions: int) -> torch.Tensor:
    """Macroscopic strains ``(n, L)`` in Voigt's order, engineering shear, as tensors ``(n, d, d)``."""
    out = strain.new_zeros(len(strain), dimensions, dimensions)
    for load, (i, j) in enumerate(element.voigt_pairs(dimensions)):
        out[:, i, j] = out[:, j, i] = strain[:, load] * (1.0 if i == j else 0.5)
    return out
