"""Slow flow on a processor: what :mod:`matopt.physics.flow.system` does, for one sample, in compiled loops."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from matopt.physics.flow.friction import Friction
from matopt.physics.flow.kernels import cycles
from matopt.physics.flow.kernels.aggregation import Aggregates, aggregated
from matopt.physics.flow.kernels.grid_multigrid import Stencils, fill, halved, put_friction, put_mobility, unfilled
from matopt.physics.flow.system import Unknowns


@dataclass(frozen=True, eq=False)
class FlowSystem:
    """The saddle-point system of one sample; vectors are flat, all velocities and then all pressures.

    See :class:`matopt.physics.flow.system.FlowSystem`, which takes and gives the same.

    Attributes:
        ends: ``(n, 2)`` uint32, the voxels behind and ahead of each face.
        velocities: the friction and its coarser levels.
        network: the matrix of the pore network.
        aggregates: the network's coarser levels.
        work: room for the cycles, ``(2, N)`` of velocities and of the network and ``(3, N)`` of the aggregates.
    """

    ends: np.ndarray
    velocities: Stencils
    network: Stencils
    aggregates: Aggregates
    work: tuple[np.ndarray, np.ndarray, np.ndarray]

    @staticmethod
    def velocity_multigrid(faces: Unknowns, cells: Unknowns, friction: Friction) -> tuple[Stencils, np.ndarray]:
        """The friction of the velocities and its coarser levels, and the voxels behind and ahead of each face."""
        dimensions, shape = faces.shape[1], (*[1] * (4 - len(faces.shape[1:])), *cells.shape[1:])
        face = faces.number().reshape(dimensions, *shape)
        drags = friction.drags.numpy().reshape(face.shape)
        stencils = unfilled(face, len(faces.place), dimensions, drags.dtype, True)
        ends, number = np.zeros((len(faces.place), 2), np.uint32), cells.number().reshape(shape)
        for normal in range(dimensions):
            across = tuple(c.numpy().reshape(shape) for c in friction.couplings(normal + 1))
            put_friction(face[normal], number, normal, across, drags[normal], stencils, ends)
        fill(stencils)
        return stencils, ends

    @staticmethod
    def of(faces: Unknowns, cells: Unknowns, friction: tuple[Stencils, np.ndarray]) -> FlowSystem:
        """The system of the open faces ``(1, d, *S)`` and voxels ``(1, *S)``, and of :meth:`velocity_multigrid`."""
        velocities, ends = friction
        work = np.empty((2, len(velocities.diagonal)), velocities.diagonal.dtype)
        work[0, : len(ends)] = faces.is_real
        cycles.cycle(velocities, len(ends), *work)
        # At least what the face's own friction lets through.
        mobility = np.maximum(work[1, : len(ends)], 1 / velocities.diagonal[: len(ends)].clip(1e-36))
        network, aggregates = _network(mobility, ends, faces, cells)
        # The cycles of velocities and of pressures take turns.
        split = 2 * len(network.diagonal)
        end = split + 3 * len(aggregates.step)
        room = work.reshape(-1) if work.size >= end else np.empty(end, work.dtype)
        middle, coarse = room[:split].reshape(2, -1), room[split:end].reshape(3, -1)
        return FlowSystem(ends, velocities, network, aggregates, (work, middle, coarse))

    @property
    def batch(self) -> int:
        """How many samples there are: one."""
        return 1

    @property
    def faces(self) -> int:
        """How many velocities there are."""
        return len(self.ends)

    def apply(self, x: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Multiply the system by ``x``, into ``out`` where it is given."""
        out = torch.empty_like(x) if out is None else out
        cycles.apply(self.velocities, self.ends, x.numpy(), out.numpy())
        return out

    def precondition(
        self, residual: torch.Tensor, out: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Solve approximately for ``residual``, into ``out`` where it is given; with its squared norm ``(1,)``.

        Leaves ``residual`` times the matrix of the norm in its place.
        """
        out = torch.empty_like(residual) if out is None else out
        parts = self.velocities, self.ends, self.network, self.aggregates
        square = cycles.precondition(*parts, residual.numpy(), out.numpy(), *self.work)
        return out, torch.tensor([square], dtype=torch.float64)

    def dot(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The dot product ``(1,)`` in float64."""
        return torch.tensor([cycles.dot(a.numpy(), b.numpy())], dtype=torch.float64)

    def add(
        self, to: torch.Tensor, scalars: torch.Tensor, other: torch.Tensor, out: torch.Tensor | None = None
    ) -> None:
        """Add ``other`` times the scalar ``(1,)``, into ``out`` where it is given."""
        torch.add(to, other, alpha=scalars.item(), out=to if out is None else out)

    def unknowns(self, chosen: torch.Tensor) -> torch.Tensor:
        """Mark all unknowns, ``(n,)`` bool, or none, as the mask ``(1,)`` says."""
        return chosen.expand(len(self.ends) + len(self.network.diagonal))

    def select(self, samples: torch.Tensor) -> FlowSystem:
        """The system itself: there is one sample to choose."""
        return self


def _network(mobility: np.ndarray, ends: np.ndarray, faces: Unknowns, cells: Unknowns) -> tuple[Stencils, Aggregates]:
    """The pore network, voxels coupled by the mobility of the face between them, and its coarser levels."""
    shape, dimensions = cells.shape[1:], faces.shape[1]
    number = cells.number().reshape(1, *[1] * (3 - dimensions), *shape)
    network = unfilled(number, len(cells.place), dimensions, mobility.dtype, False)
    put_mobility(ends, faces.place // math.prod(shape), mobility, network)
    cube = np.zeros(len(cells.place), np.uint32)
    cubes, _ = halved(number, 0, np.zeros([(n + 1) // 2 for n in number.shape[1:]], np.uint8), 0, cube)
    place, shape = np.flatnonzero(cubes >= 0).astype(np.uint32), cubes.shape
    del number, cubes
    real = slice(int(cells.is_real.sum()))
    near, coupling = network.near[real], network.coupling[real]
    network.parent[real], aggregates = aggregated(near, coupling, cube[real], place, shape)
    fill(network)
    return network, aggregates
