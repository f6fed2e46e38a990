"""The elastic cell problem on a processor, by compiled loops."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import torch

from matopt.physics.lattice import Lattice
from matopt.physics.loops import sections, vectors, volumes


class LatticeVectors:
    """The vectors of displacements and forces of R rows, for :func:`~matopt.physics.krylov.conjugate_gradients`.

    An iteration is four compiled passes over the vectors and two Fourier transforms. These are complex and take two
    rows at once, which is quicker than real ones. What is preconditioned and what the stiffness does to the direction
    are never needed together, and share their memory.

    Attributes:
        lattice: the systems.
        x: ``(R, d, *S)``.
        r: ``(R, d, *S)``.
        p: ``(R, d, *S)``.
    """

    def __init__(self, lattice: Lattice, x: torch.Tensor, r: torch.Tensor, p: torch.Tensor | None = None) -> None:
        self.lattice, self.x, self.r = lattice, x, r
        self.p = torch.zeros_like(r) if p is None else p
        self._rows = tuple(t.flatten(1).numpy() for t in (x, r, self.p))
        self._elements = lattice.solid.numpy(), lattice.samples.numpy(), lattice.stiffness.numpy()
        pairs, kind = (len(r) + 1) // 2, torch.complex(r.new_zeros(0), r.new_zeros(0)).dtype
        self._keep([torch.zeros(pairs, *r.shape[2:], dtype=kind) for _ in range(r.shape[1])])
        # A step of no length lays the residuals out in the waves.
        self.advance(torch.zeros(len(r), dtype=torch.float64))

    def precondition(self) -> torch.Tensor:
        """``z = M r``, the displacements of a homogeneous grain under these forces; ``(R,)`` float64, r.z."""
        axes = tuple(range(1, self.r.ndim - 1))
        self._keep([torch.fft.fftn(self._waves.pop(0), dim=axes) for _ in range(self.r.shape[1])])
        vectors.multiply_by_symbol(self._pairs, self.lattice.symbol.flatten(2).numpy(), self.r.shape[2])
        self._keep([torch.fft.ifftn(self._waves.pop(0), dim=axes) for _ in range(self.r.shape[1])])
        return torch.from_numpy(vectors.products(self._rows[1], self._pairs))

    def turn(self, beta: torch.Tensor) -> torch.Tensor:
        """``p = z + beta p``; ``(R,)`` float64, p.A p."""
        vectors.turn(self._rows[2], self._pairs, beta.numpy())
        return torch.from_numpy(_loops(self.p).apply(self.p.numpy(), *self._elements, self._forces))

    def advance(self, alpha: torch.Tensor) -> torch.Tensor:
        """``x += alpha p`` and ``r -= alpha A p``; ``(R,)`` float64, r.r."""
        return torch.from_numpy(vectors.advance(*self._rows, self._forces, self._pairs, alpha.numpy()))

    def select(self, rows: torch.Tensor) -> LatticeVectors:
        """The vectors of these rows (indices)."""
        self._keep([])
        return LatticeVectors(self.lattice.select(rows), self.x[rows], self.r[rows], self.p[rows])

    def _keep(self, waves: list[torch.Tensor]) -> None:
        """Keep waves ``(P, *S)`` of the components, as two rows side by side and as row after row in one memory."""
        self._waves = waves
        numbers = [torch.view_as_real(wave).numpy() for wave in waves]
        self._pairs = tuple(n.reshape(len(n), -1, 2) for n in numbers)
        self._forces = tuple(n.reshape(2 * len(n), -1) for n in numbers)


def _loops(fields: torch.Tensor) -> ModuleType:
    """For ``(R, d, *S)``."""
    return sections if fields.ndim == 4 else volumes


class CompiledLattice(Lattice):
    """A lattice whose loops are compiled."""

    vectors = LatticeVectors

    def energies(self, x: torch.Tensor) -> torch.Tensor:
        """``(n, L, L)`` float64 mean mutual energies: the effective stiffness."""
        found = [
            _loops(fields).energies(fields.numpy(), solid.numpy(), self.loads.numpy(), self.stiffness.numpy())
            for fields, solid in zip(x.unbind(1), self.solid, strict=True)
        ]
        return torch.from_numpy(np.stack(found) / self.solid[0].numel())

    def energy_density(self, x: torch.Tensor, mixture: torch.Tensor) -> torch.Tensor:
        """``(n, *S)`` energy at full density, over the number of voxels, of a mixture ``(n, L)`` of the load cases."""
        mixed, loads = self._mixed(x, mixture)
        out = torch.empty_like(self.solid)
        for u, load, energy in zip(mixed, loads, out, strict=True):
            _loops(mixed).energy_density(u.numpy(), load.numpy(), self.stiffness.numpy(), energy.numpy())
        return out / self.solid[0].numel()
