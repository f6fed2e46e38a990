"""The elastic cell problem on a processor: what :mod:`matopt.physics.elastic.cell_problem` does, in compiled loops."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from types import ModuleType

import numpy as np
import torch

from matopt.physics.elastic import cell_problem
from matopt.physics.elastic.kernels import elements_2d, elements_3d, fourier, loads, vectors
from matopt.physics.elastic.memory import fill_slivers, reclaim

TRANSFORMED_TOGETHER = 2**18
"""How many complex numbers are transformed at once; for more the C library takes fresh memory, which is slower than
to transform field by field and copy.
"""


class ElasticVectors:
    """The vectors of conjugate gradients, of R rows: displacements, residual forces and directions.

    See :class:`~matopt.physics.numerics.conjugate_gradients.TensorVectors`, which takes and gives the same. An
    iteration is four compiled passes over the vectors and two Fourier transforms. These are complex and take two real
    fields at once, which is quicker than real ones. What is preconditioned and what the stiffness does to the direction
    are never needed together, and share their memory.

    Attributes:
        problem: the systems.
        x: ``(R, d, *S)`` displacements.
        r: ``(R, d, *S)`` residual forces.
        p: ``(R, d, *S)`` directions.
    """

    def __init__(
        self, problem: ElasticCellProblem, x: torch.Tensor, r: torch.Tensor, p: torch.Tensor | None = None
    ) -> None:
        self.problem, self.x, self.r = problem, x, r
        self.p, waves = problem.workspace if p is None else (p, _waves(r))
        if waves[0].numel() > TRANSFORMED_TOGETHER:
            reclaim()
        self._fields = tuple(t.flatten(3).numpy() for t in (x, r, self.p))
        self._owners = vectors.owners(*r.shape[:2])
        self._elements = problem.solid.numpy(), problem.samples.numpy(), problem.stiffness.numpy()
        shape = tuple(r.shape[2:])
        symbol = problem.symbol.view(*problem.symbol.shape[:2], -1, shape[-1])
        self._symbol = symbol.numpy(), (shape[0], math.prod(shape[1:-1]), shape[-1])
        self._step = _kernels(r).step
        self._keep(waves)
        # A step of no length lays the residuals out in the waves.
        self.update_solution(torch.zeros(len(r), dtype=torch.float64))

    def precondition(self) -> torch.Tensor:
        """Solve the homogeneous grain for the residual, ``z = M r``; returns r.z, ``(R,)`` float64."""
        self._keep(self._transformed(self._waves, torch.fft.fftn))
        fourier.multiply(self._layers, *self._symbol, len(self.r))
        self._keep(self._transformed(self._waves, _back))
        return torch.from_numpy(vectors.products(self._fields[1], self._layers, self._owners))

    def update_direction(self, beta: torch.Tensor) -> torch.Tensor:
        """Set ``p = z + beta p``; returns p.A p, ``(R,)`` float64."""
        waves = self._layers, self._owners
        return torch.from_numpy(self._step(self.p.numpy(), *waves, beta.numpy(), *self._elements))

    def update_solution(self, alpha: torch.Tensor) -> torch.Tensor:
        """Add ``alpha p`` to x and ``-alpha A p`` to r; returns r.r, ``(R,)`` float64."""
        return torch.from_numpy(vectors.update_solution(*self._fields, self._layers, self._owners, alpha.numpy()))

    def select(self, rows: torch.Tensor) -> ElasticVectors:
        """The vectors of these rows (indices)."""
        del self._waves, self._layers
        return ElasticVectors(self.problem.select(rows), self.x[rows], self.r[rows], self.p[rows])

    def _transformed(self, waves: torch.Tensor, transform: Callable[..., torch.Tensor]) -> torch.Tensor:
        """Transform waves ``(F, *S)``, in place where they are many."""
        axes = tuple(range(1, waves.ndim))
        if waves.numel() <= TRANSFORMED_TOGETHER:
            return transform(waves, dim=axes)
        for wave in waves.split(1):
            if wave.numel() > TRANSFORMED_TOGETHER:
                fill_slivers()
            wave.copy_(transform(wave, dim=axes))
        return waves

    def _keep(self, waves: torch.Tensor) -> None:
        """Keep waves ``(F, *S)``, and the view of them that the kernels take."""
        self._waves, self._layers = waves, _layers(waves)


def _waves(r: torch.Tensor) -> torch.Tensor:
    """Allocate the waves ``(F, *S)``, complex, of rows ``(R, d, *S)``."""
    return torch.view_as_complex(r.new_zeros(len(vectors.owners(*r.shape[:2])), *r.shape[2:], 2))


def _back(waves: torch.Tensor, dim: tuple[int, ...]) -> torch.Tensor:
    """Transform back, without the division by the number of waves, which the symbol has."""
    return torch.fft.ifftn(waves, dim=dim, norm="forward")


def _layers(waves: torch.Tensor) -> np.ndarray:
    """View waves as ``(F, S[0], 2 m)`` real numbers, see :mod:`matopt.physics.elastic.kernels.vectors`."""
    return torch.view_as_real(waves).flatten(2).numpy()


def _kernels(fields: torch.Tensor) -> ModuleType:
    """The kernels of the elements of ``(R, d, *S)``, in two or three dimensions."""
    return elements_2d if fields.ndim == 4 else elements_3d


class ElasticCellProblem(cell_problem.ElasticCellProblem):
    """Periodic displacements around a unit macroscopic strain, solved for in compiled loops."""

    vectors = ElasticVectors

    @cached_property
    def workspace(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Memory for the directions of all rows and their waves; what is in it does not matter where it is finite."""
        p = self.solid.new_zeros(len(self.samples), self.solid.ndim - 1, *self.solid.shape[1:])
        return p, _waves(p)

    def right_hand_side(self, cases: Sequence[int], out: torch.Tensor) -> None:
        """Write the nodal forces ``(len(cases), n, d, *S)`` that balance the unit strains of these load cases."""
        stress, dimensions = self.stress[list(cases)].numpy(), self.solid.ndim - 1
        if dimensions == 2:
            # As a volume one voxel thick, which is its own neighbour.
            stress = np.pad(stress, ((0, 0), (1, 0), (0, 0))) / np.array(2, stress.dtype)
        solid = self.solid.view(len(self.solid), *[1] * (3 - dimensions), *self.solid.shape[1:]).numpy()
        for case, forces in zip(stress, out, strict=True):
            for density, force in zip(solid, forces.view(len(solid), -1, *solid.shape[1:]), strict=True):
                loads.put_forces(density, case, force.numpy())

    def energies(self, x: torch.Tensor) -> torch.Tensor:
        """The effective stiffness ``(n, L, L)`` float64: mean mutual energies of the load cases."""
        found = [
            _kernels(fields).energies(fields.numpy(), solid.numpy(), self.loads.numpy(), self.stiffness.numpy())
            for fields, solid in zip(x.unbind(1), self.solid, strict=True)
        ]
        lower = torch.from_numpy(np.stack(found) / self.solid[0].numel())
        return lower + lower.tril(-1).mT

    def energy_density(self, x: torch.Tensor, mixture: torch.Tensor) -> torch.Tensor:
        """The energy ``(n, *S)`` at full density, over the number of voxels, of a mixture ``(n, L)`` of load cases."""
        mixed, loads = self.mixed(x, mixture)
        out = torch.empty_like(self.solid)
        for u, load, energy in zip(mixed, loads, out, strict=True):
            _kernels(mixed).energy_density(u.numpy(), load.numpy(), self.stiffness.numpy(), energy.numpy())
        return out / self.solid[0].numel()
