"""The cell problem of diffusion on a network of voxels."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch

from matopt.physics.conduction.cells import Cells, by_sample
from matopt.physics.conduction.slopes import add_slopes
from matopt.physics.conduction.system import Conduction
from matopt.physics.numerics.backend import implementation
from matopt.physics.numerics.conjugate_gradients import Solved, dot


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
    def of(local: torch.Tensor, cells: Cells) -> Network:
        """From the local diffusivities of all cells ``(B, *S)``."""
        own, ahead = cells.gather(local), []
        for axis in range(len(cells.shape)):
            other = cells.of_neighbours(own, axis)
            ahead.append((2 * own * other).div_((own + other).clamp_min_(torch.finfo(own.dtype).tiny)))
        if cells.periodic:
            return Network(cells, own, tuple(ahead), Conduction.of(cells, ahead, torch.zeros_like(own)))
        # The concentration is held half a voxel outside the first and last cell: twice the conductance.
        outer = [2 * own * cells.at_edge(ahead=side) for side in (False, True)]
        return Network(cells, own, (*ahead, *outer), Conduction.of(cells, ahead, outer[0] + outer[1]))

    def solve(self, load: int, tolerance: float, max_iterations: int) -> Solved:
        """The fluctuations, ``(N,)``."""
        dimensions = len(self.cells.shape)
        # The divergence of the flux that a unit gradient drives by itself.
        rhs = self.faces[load] - self.cells.of_neighbours(self.faces[load], dimensions + load)
        if not self.cells.periodic:
            rhs.add_(self.faces[-1] - self.faces[-2], alpha=0.5)
        return self.systems.solve(rhs, tolerance, max_iterations)

    def drops(self, x: torch.Tensor, load: int) -> list[torch.Tensor]:
        """The total concentration drops ``(N,)`` across the faces, of fluctuations; any where none conducts."""
        drops = [self.cells.of_neighbours(x, axis).sub_(x) for axis in range(len(self.cells.shape))]
        drops[load] += 1
        return drops if self.cells.periodic else [*drops, 0.5 + x, 0.5 - x]

    def dissipation(self, drops: list[list[torch.Tensor]]) -> torch.Tensor:
        """``(B, loads, loads)`` mean dissipated energies, mutual between the load cases."""
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
        """``(B, *S)`` derivative of the dissipation along x where the local diffusivities change at a rate.

        Of the conductance c between a and b it is ``dc/da = c^2 / (2 a^2)``. Voxels that do not conduct are taken at
        the mean concentration of their place along x.
        """
        cells, dimensions = self.cells, len(self.cells.shape)
        rate /= math.prod(cells.shape)
        slope, total = x.new_full((len(cells.number),), rate), torch.zeros_like(x)
        for conductance, drop in zip(self.faces[dimensions:], drops[dimensions:], strict=True):
            total += (conductance * drop).square_()
        implementation(add_slopes, x.device)(cells, self.faces, x, drops, rate, total, slope)
        cells.fold(slope, rate)
        # Also where cells have others beside them.
        slope.scatter_(0, cells.place.long(), total.mul_(rate / 2).div_(self.local.square()))
        return cells.inner(slope.clamp_max_(0) if rate < 0 else slope.clamp_min_(0))
