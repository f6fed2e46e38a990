"""The cell problem of diffusion: concentrations on a network of voxels under a unit mean gradient."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch

from matopt.physics.conduction.cells import Cells, by_sample
from matopt.physics.conduction.slopes import add_slopes
from matopt.physics.conduction.system import Conduction
from matopt.physics.numerics.backend import implementation
from matopt.physics.numerics.conjugate_gradients import ConjugateGradientsResult, dot


@dataclass(frozen=True, eq=False)
class Network:
    """The cell problem of B samples: the fluctuation of the concentration around a unit mean gradient.

    Load case m is the gradient along axis m.

    Attributes:
        cells: the N that conduct.
        local: ``(N,)`` their diffusivities, 0 for spare numbers.
        faces: ``(N,)`` each, conductances: ahead along each axis; between fixed concentrations also behind the first
            cells along x and ahead of the last.
        systems: of the fluctuations.
    """

    cells: Cells
    local: torch.Tensor
    faces: tuple[torch.Tensor, ...]
    systems: Conduction

    @staticmethod
    def of(local: torch.Tensor, cells: Cells, cluster: torch.Tensor | None = None) -> Network:
        """Set up the problem.

        Args:
            local: ``(B, *S)`` diffusivities of all voxels.
            cells: the voxels that conduct.
            cluster: ``(B, *S)``, the clusters of cells that are connected, numbered from 1 in each sample; without it
                each sample is one.
        """
        own, ahead = cells.gather(local), []
        for axis in range(len(cells.shape)):
            other = cells.of_neighbours(own, axis)
            ahead.append((2 * own * other).div_((own + other).clamp_min_(torch.finfo(own.dtype).tiny)))
        if cells.periodic:
            of_cells = None if cluster is None else cells.gather(cluster)
            return Network(cells, own, tuple(ahead), Conduction.of(cells, ahead, torch.zeros_like(own), of_cells))
        # The concentration is fixed half a voxel outside the first and last cell: twice the conductance.
        outer = [2 * own * cells.at_edge(ahead=side) for side in (False, True)]
        return Network(cells, own, (*ahead, *outer), Conduction.of(cells, ahead, outer[0] + outer[1]))

    def solve(self, load: int, flows: torch.Tensor, tolerance: float, max_iterations: int) -> ConjugateGradientsResult:
        """Solve for the fluctuations ``(N,)`` under the gradient along an axis.

        Args:
            load: the axis.
            flows: ``(B,)`` bool, the samples in which anything flows along it: they dissipate some of its energy.
            tolerance: of the residual.
            max_iterations: of :func:`~matopt.physics.numerics.conjugate_gradients.conjugate_gradients`.
        """
        dimensions = len(self.cells.shape)
        # The divergence of the flux that a unit gradient drives by itself.
        rhs = self.faces[load] - self.cells.of_neighbours(self.faces[load], dimensions + load)
        if not self.cells.periodic:
            rhs.add_(self.faces[-1] - self.faces[-2], alpha=0.5)
        energy = torch.where(flows, self._uniform_energy(load), torch.inf)
        return self.systems.solve(rhs, tolerance, max_iterations, energy)

    def _uniform_energy(self, load: int) -> torch.Tensor:
        """``(B,)`` float64, dissipated by a unit gradient without fluctuations."""
        crossed = self.faces[load]
        if not self.cells.periodic:
            crossed = crossed + (self.faces[-2] + self.faces[-1]) / 4
        return by_sample(crossed, self.cells.counts).sum(1, dtype=torch.float64)

    def drops(self, x: torch.Tensor, load: int) -> list[torch.Tensor]:
        """The drops ``(N,)`` of the whole concentration across each face, of fluctuations; any where none conducts."""
        drops = [self.cells.of_neighbours(x, axis).sub_(x) for axis in range(len(self.cells.shape))]
        drops[load] += 1
        return drops if self.cells.periodic else [*drops, 0.5 + x, 0.5 - x]

    def dissipation(self, drops: list[list[torch.Tensor]]) -> torch.Tensor:
        """The mean dissipated energies ``(B, loads, loads)``, mutual between the load cases: the diffusivity tensor."""
        loads, counts = len(drops), self.cells.counts
        total = torch.zeros(self.cells.batch, loads, loads, dtype=torch.float64, device=self.local.device)
        for face, conductances in enumerate(self.faces):
            for i, j in itertools.combinations_with_replacement(range(loads), 2):
                total[:, i, j] += dot(
                    by_sample(conductances * drops[i][face], counts), by_sample(drops[j][face], counts)
                )
        total = (total / math.prod(self.cells.shape)).to(self.local.dtype)
        return total + total.triu(1).mT

    def sensitivity(self, x: torch.Tensor, drops: list[torch.Tensor], rate: float) -> torch.Tensor:
        """The derivative ``(B, *S)`` of the dissipation along x where the local diffusivities change at a rate.

        Of the conductance c between voxels a and b it is ``dc/da = c^2 / (2 a^2)``. A voxel that does not conduct has
        the one-sided derivative: it starts with twice its diffusivity on each face to a cell, and its concentration
        settles where the energy is least, at the mean of theirs.
        """
        cells, dimensions = self.cells, len(self.cells.shape)
        rate /= math.prod(cells.shape)
        total = torch.zeros_like(x)
        beside = tuple(x.new_zeros(len(cells.number)) for _ in range(3))
        for conductance, drop in zip(self.faces[dimensions:], drops[dimensions:], strict=True):
            total += (conductance * drop).square_()
        implementation(add_slopes, x.device)(cells, self.faces, x, drops, total, beside)
        if not cells.periodic:
            for values, behind, ahead in zip(beside, (0.25, 0.5, 1), (0.25, -0.5, 1), strict=True):
                layers = cells.inner(values)
                layers[:, 0] += behind
                layers[:, -1] += ahead
        for values in beside:
            cells.fold(values)
        squares, sums, counts = beside
        slope = squares.sub_(sums.square_().div_(counts.clamp_min_(1))).mul_(2 * rate)
        # Also where cells have others beside them.
        slope.scatter_(0, cells.place.long(), total.mul_(rate / 2).div_(self.local.square()))
        return cells.inner(slope.clamp_max_(0) if rate < 0 else slope.clamp_min_(0))
