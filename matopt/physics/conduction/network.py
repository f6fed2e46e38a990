"""The cell problem of diffusion on a network of voxels."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch

from matopt.physics.conduction.cells import Cells, by_sample
from matopt.physics.conduction.system import Conduction
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
        """Assemble the network.

        Args:
            local: ``(B, *S)`` diffusivities.
            cells: that conduct.
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
        # The concentration is held half a voxel outside the first and last cell: twice the conductance.
        outer = [2 * own * cells.at_edge(ahead=side) for side in (False, True)]
        return Network(cells, own, (*ahead, *outer), Conduction.of(cells, ahead, outer[0] + outer[1]))

    def solve(self, load: int, flows: torch.Tensor, tolerance: float, max_iterations: int) -> ConjugateGradientsResult:
        """Find the fluctuations ``(N,)``.

        Args:
            load: the axis of the mean gradient.
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
        add = self.add_slopes_compiled if x.device.type == "cpu" else self.add_slopes
        add(x, drops, rate, total, slope)
        cells.fold(slope, rate)
        # Also where cells have others beside them.
        slope.scatter_(0, cells.place.long(), total.mul_(rate / 2).div_(self.local.square()))
        return cells.inner(slope.clamp_max_(0) if rate < 0 else slope.clamp_min_(0))

    def add_slopes(
        self, x: torch.Tensor, drops: list[torch.Tensor], rate: float, total: torch.Tensor, slope: torch.Tensor
    ) -> None:
        """Adds the squared fluxes between cells to ``total``, and to ``slope`` what cells give to places beside them.

        Args:
            x: ``(N,)`` fluctuations under a gradient along x.
            drops: of these, see :meth:`drops`.
            rate: at which diffusivities change.
            total: ``(N,)``.
            slope: ``(P,)``, of all places; those of cells come to nothing.
        """
        cells, dimensions = self.cells, len(self.cells.shape)
        for axis in range(dimensions):
            squares = (self.faces[axis] * drops[axis]).square_()
            total += squares
            total += cells.of_neighbours(squares, dimensions + axis)
        for k, step in enumerate(cells.steps):
            along = {0: 1, dimensions: -1}.get(k, 0)
            # Twice the squared drop to the place's mean concentration, without what is counted there already.
            slope.scatter_add_(0, cells.place.long() + step, rate * (2 * (along - x).square_() - along**2 / 2))

    def add_slopes_compiled(
        self, x: torch.Tensor, drops: list[torch.Tensor], rate: float, total: torch.Tensor, slope: torch.Tensor
    ) -> None:
        """As :meth:`add_slopes`, on a processor; other devices need nothing that compiles."""
        from matopt.physics.conduction.kernels import add_beside, add_squares

        cells, dimensions, number = self.cells, len(self.cells.shape), x.numpy().dtype.type
        for axis in range(dimensions):
            add_squares(*(t.numpy() for t in (cells.neighbours[axis], self.faces[axis], drops[axis], total)))
        for k, (neighbour, step) in enumerate(zip(cells.neighbours, cells.steps, strict=True)):
            along, place = number({0: 1, dimensions: -1}.get(k, 0)), (cells.place + step).numpy()
            add_beside(neighbour.numpy(), place, x.numpy(), along, number(rate), slope.numpy())
