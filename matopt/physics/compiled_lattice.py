"""The elastic cell problem on a processor, by compiled loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from types import ModuleType

import numpy as np
import torch

from matopt.physics.lattice import Lattice
from matopt.physics.loops import sections, symbols, vectors, volumes

TRANSFORMED_TOGETHER = 2**20
"""Numbers (complex) whose transform may take memory of its own; more of them are transformed field by field."""


class LatticeVectors:
    """The vectors of displacements and forces of R rows, for :func:`~matopt.physics.krylov.conjugate_gradients`.

    An iteration is five compiled passes over the vectors and two Fourier transforms. These are complex and take two
    real fields at once, which is quicker than real ones. What is preconditioned and what the stiffness does to the
    direction are never needed together, and share their memory.

    Attributes:
        lattice: the systems.
        x: ``(R, d, *S)``.
        r: ``(R, d, *S)``.
        p: ``(R, d, *S)``.
    """

    def __init__(
        self, lattice: CompiledLattice, x: torch.Tensor, r: torch.Tensor, p: torch.Tensor | None = None
    ) -> None:
        self.lattice, self.x, self.r = lattice, x, r
        self.p, waves = lattice.workspace if p is None else (p, _waves(r))
        self._rows = tuple(t.flatten(1).numpy() for t in (x, r, self.p))
        self._elements = lattice.solid.numpy(), lattice.samples.numpy(), lattice.stiffness.numpy()
        shape = tuple(r.shape[2:])
        self._symbol = lattice.symbol.flatten(2).numpy(), (shape[0], math.prod(shape[1:-1]), shape[-1])
        self._loops = _loops(r)
        self._keep(waves)
        # A step of no length lays the residuals out in the waves.
        self.advance(torch.zeros(len(r), dtype=torch.float64))

    def precondition(self) -> torch.Tensor:
        """``z = M r``, the displacements of a homogeneous grain under these forces; ``(R,)`` float64, r.z."""
        waves = self._transformed(self._waves, torch.fft.fftn)
        symbols.multiply(_pairs(waves), *self._symbol, self.r.shape[0])
        waves = self._transformed(waves, torch.fft.ifftn)
        if waves is not self._waves:
            self._keep(waves)
        return torch.from_numpy(vectors.products(self._rows[1], self._pairs))

    def turn(self, beta: torch.Tensor) -> torch.Tensor:
        """``p = z + beta p``; ``(R,)`` float64, p.A p."""
        vectors.turn(self._rows[2], self._pairs, beta.numpy())
        p = self.p.numpy()
        return torch.from_numpy(self._loops.apply(p, *self._elements, self._forces.reshape(p.shape)))

    def advance(self, alpha: torch.Tensor) -> torch.Tensor:
        """``x += alpha p`` and ``r -= alpha A p``; ``(R,)`` float64, r.r."""
        return torch.from_numpy(vectors.advance(*self._rows, self._forces, self._pairs, alpha.numpy()))

    def select(self, rows: torch.Tensor) -> LatticeVectors:
        """The vectors of these rows (indices)."""
        del self._waves, self._pairs, self._forces
        return LatticeVectors(self.lattice.select(rows), self.x[rows], self.r[rows], self.p[rows])

    def _transformed(self, waves: torch.Tensor, transform: Callable[..., torch.Tensor]) -> torch.Tensor:
        axes = tuple(range(1, waves.ndim))
        if waves.numel() <= TRANSFORMED_TOGETHER:
            return transform(waves, dim=axes)
        for wave in waves.split(1):
            wave.copy_(transform(wave, dim=axes))
        return waves

    def _keep(self, waves: torch.Tensor) -> None:
        """Keep waves ``(F, *S)``, as pairs of real numbers too, and as the rows that share their memory."""
        self._waves = waves
        self._pairs = _pairs(waves)
        self._forces = self._pairs.reshape(-1)[: self._rows[1].size].reshape(self._rows[1].shape)


def _waves(r: torch.Tensor) -> torch.Tensor:
    """``(F, *S)`` complex, for rows ``(R, d, *S)``."""
    return torch.view_as_complex(r.new_zeros(vectors.fields(len(r), r.shape[1]), *r.shape[2:], 2))


def _pairs(waves: torch.Tensor) -> np.ndarray:
    """``(F, n, 2)``, real and imaginary parts."""
    numbers = torch.view_as_real(waves).numpy()
    return numbers.reshape(numbers.shape[0], -1, 2)


def _loops(fields: torch.Tensor) -> ModuleType:
    """For ``(R, d, *S)``."""
    return sections if fields.ndim == 4 else volumes


class CompiledLattice(Lattice):
    """A lattice whose loops are compiled."""

    vectors = LatticeVectors

    @cached_property
    def workspace(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The direction of all rows and their waves; what they hold does not matter, as long as it is finite."""
        p = self.solid.new_zeros(len(self.samples), self.solid.ndim - 1, *self.solid.shape[1:])
        return p, _waves(p)

    def energies(self, x: torch.Tensor) -> torch.Tensor:
        """``(n, L, L)`` float64 mean mutual energies: the effective stiffness."""
        found = [
            _loops(fields).energies(fields.numpy(), solid.numpy(), self.loads.numpy(), self.stiffness.numpy())
            for fields, solid in zip(x.unbind(1), self.solid, strict=True)
        ]
        lower = torch.from_numpy(np.stack(found) / self.solid[0].numel())
        return lower + lower.tril(-1).mT

    def energy_density(self, x: torch.Tensor, mixture: torch.Tensor) -> torch.Tensor:
        """``(n, *S)`` energy at full density, over the number of voxels, of a mixture ``(n, L)`` of the load cases."""
        mixed, loads = self._mixed(x, mixture)
        out = torch.empty_like(self.solid)
        for u, load, energy in zip(mixed, loads, out, strict=True):
            _loops(mixed).energy_density(u.numpy(), load.numpy(), self.stiffness.numpy(), energy.numpy())
        return out / self.solid[0].numel()
