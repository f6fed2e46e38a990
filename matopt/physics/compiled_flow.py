"""The system of one sample's slow flow in compiled loops: what :class:`~matopt.physics.flow_system.FlowSystem` says."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from matopt.physics import flow_loops
from matopt.physics.aggregates import Aggregates, aggregated
from matopt.physics.flow_system import Places
from matopt.physics.grid import DivergenceForm
from matopt.physics.stencils import Stencils, fill, halved, put, scale, unfilled


@dataclass(frozen=True, eq=False)
class CompiledFlow:
    """One system on a processor; vectors are flat, all velocities and then all pressures.

    Attributes:
        ends: ``(n, 2)`` uint32, the voxels behind and ahead of each face.
        velocities: the friction and its levels.
        network: the matrix of the pores' network.
        aggregates: its coarser levels.
        work: ``(3, N)`` for the cycles of velocities, of the network and of the aggregates.
    """

    ends: np.ndarray
    velocities: Stencils
    network: Stencils
    aggregates: Aggregates
    work: tuple[np.ndarray, np.ndarray, np.ndarray]

    @staticmethod
    def of(faces: Places, cells: Places, friction: Callable[[int], DivergenceForm], like: torch.Tensor) -> CompiledFlow:
        """From where faces ``(1, d, *S)`` and voxels ``(1, *S)`` are open and the friction of velocities by axis."""
        dtype, dimensions = like.numpy().dtype, faces.shape[1]
        face = faces.number()[0]
        grids = face.reshape(dimensions, *[1] * (3 - dimensions), *face.shape[1:])
        velocities = unfilled(grids, len(faces.place), dimensions, dtype, True)
        ends = np.zeros((len(faces.place), 2), np.uint32)
        cell = cells.number()[0]
        for axis, number in enumerate(face):
            form = friction(axis + 1)
            number = number.ravel()
            for other, c in enumerate(form.faces):
                put(number, c.numpy().ravel(), other, velocities.coupling)
            put(number, form.extra.numpy().ravel(), 0, velocities.root[:, None])
            put(number, cell.ravel(), 0, ends)
            put(number, np.roll(cell, -1, axis).ravel(), 1, ends)
        fill(velocities)
        scale(velocities)
        work = np.empty((3, len(velocities.root)), dtype)
        flow_loops.cycle(velocities, faces.is_real.astype(dtype), *work)
        with np.errstate(divide="ignore"):
            mobility = np.maximum(work[1, : len(ends)], velocities.root[: len(ends)] ** -2.0)
        network, aggregates = _network(mobility, ends, faces, cells)
        middle, coarse = (np.zeros((3, len(r)), dtype) for r in (network.root, aggregates.step))
        return CompiledFlow(ends, velocities, network, aggregates, (work, middle, coarse))

    @property
    def batch(self) -> int:
        """A single sample."""
        return 1

    @property
    def faces(self) -> int:
        """How many velocities there are."""
        return len(self.ends)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The system times ``x``."""
        out, vector, faces = np.empty(len(x), x.numpy().dtype), x.numpy(), self.faces
        flow_loops.friction(self.velocities, vector[:faces], self.work[0][0], out[:faces])
        flow_loops.add_gradient(self.ends, vector[faces:], out[:faces])
        out[faces:] = 0
        flow_loops.add_divergence(self.ends, vector[:faces], out[faces:])
        return torch.from_numpy(out)

    def precondition(self, residual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Approximate solutions for ``residual``, and ``residual`` times the matrix of its norm."""
        fine, middle, coarse = self.work
        r, faces = residual.numpy(), self.faces
        solution, dual = np.empty_like(r), np.empty_like(r)
        u, p, change = solution[:faces], solution[faces:], fine[1, :faces]
        flow_loops.cycle(self.velocities, r[:faces], *fine)
        u[:] = change
        np.negative(r[faces:], out=p)
        flow_loops.add_divergence(self.ends, u, p)
        flow_loops.network_cycle(self.network, self.aggregates, p, middle, coarse)
        p += middle[1]
        np.negative(p, out=dual[faces:])
        dual[:faces] = 0
        flow_loops.add_gradient(self.ends, p, dual[:faces])
        flow_loops.cycle(self.velocities, dual[:faces], *fine)
        np.add(u, change, out=dual[:faces])
        u -= change
        return torch.from_numpy(solution), torch.from_numpy(dual)

    def dot(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """``(1,)`` float64."""
        return torch.tensor([flow_loops.dot(a.numpy(), b.numpy())], dtype=torch.float64)

    def add(self, to: torch.Tensor, scalars: torch.Tensor, other: torch.Tensor) -> None:
        """Add a multiple, ``(1,)``."""
        to.add_(other, alpha=scalars.item())

    def unknowns(self, chosen: torch.Tensor) -> torch.Tensor:
        """``(n,)`` bool, all or none."""
        return chosen.expand(len(self.ends) + len(self.network.root))

    def select(self, chosen: torch.Tensor) -> CompiledFlow:
        """All there is."""
        return self


def _network(mobility: np.ndarray, ends: np.ndarray, faces: Places, cells: Places) -> tuple[Stencils, Aggregates]:
    """Voxels that exchange by the mobility of the face between them."""
    shape, dimensions = cells.shape[1:], faces.shape[1]
    number = cells.number().reshape(1, *[1] * (3 - dimensions), *shape)
    network = unfilled(number, len(cells.place), dimensions, mobility.dtype, False)
    axis = faces.place // math.prod(shape)
    for other in range(dimensions):
        along = (axis == other) & faces.is_real
        network.coupling[ends[along, 0], other] = mobility[along]
    fill(network)
    cube = np.zeros(len(cells.place), np.uint32)
    cubes, _ = halved(number, 0, np.zeros([(n + 1) // 2 for n in number.shape[1:]], np.uint8), 0, cube)
    count = int(cells.is_real.sum())
    near, coupling = (part[:count].reshape(-1) for part in (network.near, network.coupling))
    starts = np.arange(count + 1) * (2 * dimensions)
    aggregate, aggregates = aggregated((starts, near, coupling), cube[:count], np.argwhere(cubes >= 0))
    scale(network)
    network.parent[:count], network.weight[:] = aggregate, network.root
    return network, aggregates
