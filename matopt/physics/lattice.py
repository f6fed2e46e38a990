"""The elastic cell problem on a periodic lattice of brick elements."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from matopt.physics import brick
from matopt.physics.krylov import Solved, conjugate_gradients, dot

STRAINED_TOGETHER = 2**19
"""Strains (numbers) that exist at once: they take several times the memory of displacements."""

SOLVED_TOGETHER = 2**21
"""Displacements (numbers) that are solved for at once; load cases of larger samples have their turns."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """Periodic displacements around a unit macroscopic strain, for n samples and their L load cases.

    Displacements are ``(n, L, d, *S)``. The grain's Young's modulus is 1. What is strained goes through in slabs along
    the first axis of space where samples are large.

    Attributes:
        solid: ``(n, *S)`` densities without what does not carry.
        rows: ``(R, 1, *S)`` the densities of the rows that are solved for together, samples times load cases.
        stiffness: ``(M, M)`` of an element, in its modes.
        loads: ``(L, M)`` element modes of the macroscopic strains.
        inverse: ``(d, d, *F, 2)`` the preconditioner.
    """

    solid: torch.Tensor
    rows: torch.Tensor
    stiffness: torch.Tensor
    loads: torch.Tensor
    inverse: torch.Tensor

    @staticmethod
    def of(solid: torch.Tensor, poisson_ratio: float) -> Lattice:
        """From densities ``(n, *S)`` without what does not carry."""
        shape = tuple(solid.shape[1:])
        return Lattice(
            solid,
            solid[:, None],
            brick.stiffness(poisson_ratio, len(shape)).to(solid),
            brick.unit_strains(len(shape)).to(solid),
            _inverse(shape, poisson_ratio, solid.dtype, solid.device),
        )

    def solve(self, tolerance: float, max_iterations: int) -> Solved:
        """The displacements ``(n, L, d, *S)``, residuals and iterations ``(n, L)``."""
        n, cases, dimensions = len(self.solid), len(self.loads), self.solid.ndim - 1
        together = self.solid.numel() * cases * dimensions <= SOLVED_TOGETHER
        turns = [range(cases)] if together else [range(case, case + 1) for case in range(cases)]
        x = self.solid.new_empty(n, cases, dimensions, *self.solid.shape[1:])
        found = []
        for turn in turns:
            rows = replace(self, rows=self.solid.repeat_interleave(len(turn), 0)[:, None])
            solved = conjugate_gradients(rows, self.right_hand_side(turn), tolerance, max_iterations)
            x[:, turn.start : turn.stop] = solved.x.unflatten(0, (n, len(turn)))
            found.append((solved.residual.view(n, -1), solved.iterations.view(n, -1)))
        residual, iterations = (torch.cat(parts, 1) for parts in zip(*found, strict=True))
        return Solved(x, residual, iterations)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Nodal forces of the rows' displacements ``(R, d, *S)``."""
        out = torch.empty_like(x)
        for rows, layers in _slabs(x):
            if layers is None:
                out[rows] = _forces(brick.modes(x[rows]), self.stiffness, self.rows[rows])
            else:
                # The slab's nodes, and on either side the elements and nodes that they touch.
                around = torch.arange(layers.start - 1, layers.stop + 1, device=x.device) % x.shape[2]
                strains = brick.modes(x[rows].index_select(2, around))[:, :, :-1]
                solid = self.rows[rows].index_select(2, around[:-1])
                out[rows, :, layers] = _forces(strains, self.stiffness, solid)[:, :, 1:]
        return out

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """The displacements of a homogeneous grain under these forces."""
        axes = tuple(range(2, residual.ndim))
        waves = torch.view_as_real(torch.fft.rfftn(residual, dim=axes))
        out = torch.empty_like(waves)
        for i, row in enumerate(self.inverse):
            torch.mul(waves[:, 0], row[0], out=out[:, i])
            for j in range(1, len(row)):
                out[:, i].addcmul_(waves[:, j], row[j])
        return torch.fft.irfftn(torch.view_as_complex(out), s=residual.shape[2:], dim=axes)

    def select(self, rows: torch.Tensor) -> Lattice:
        """The systems of these rows."""
        return replace(self, rows=self.rows[rows])

    def right_hand_side(self, cases: Sequence[int]) -> torch.Tensor:
        """``(n * len(cases), d, *S)`` nodal forces that balance the unit strains of these load cases."""
        dimensions = self.solid.ndim - 1
        stresses = (self.loads[list(cases)] @ self.stiffness).view(1, len(cases), -1, *[1] * dimensions)
        out = self.solid.new_empty(len(self.solid), len(cases), dimensions, *self.solid.shape[1:]).flatten(0, 1)
        for rows, layers in _slabs(out):
            picked = range(len(out))[rows]
            sample = [row // len(cases) for row in picked]
            case = [row % len(cases) for row in picked]
            solid = self.solid[sample][:, None]
            if layers is None:
                out[rows] = -brick.forces(stresses[0, case] * solid, dimensions)
            else:
                around = torch.arange(layers.start - 1, layers.stop, device=out.device) % out.shape[2]
                part = stresses[0, case] * solid.index_select(2, around)
                out[rows, :, layers] = -brick.forces(part, dimensions)[:, :, 1:]
        return out

    def energies(self, x: torch.Tensor) -> torch.Tensor:
        """``(n, L, L)`` float64 mean mutual energies: the effective stiffness."""
        cases = len(self.loads)
        total = torch.zeros(len(x), cases, cases, dtype=torch.float64, device=x.device)
        for layers, strains in self._strained(x, self.loads[None]):
            for a in range(cases):
                stresses = torch.matmul(self.stiffness, strains[:, a].flatten(2)).view(strains[:, a].shape)
                stresses *= self.solid[:, None, layers]
                for b in range(a, cases):
                    total[:, a, b] += dot(stresses, strains[:, b])
        total = total.triu() + total.triu(1).mT
        return total / self.solid[0].numel()

    def energy_density(self, x: torch.Tensor, mixture: torch.Tensor) -> torch.Tensor:
        """``(n, *S)`` energy at full density, over the number of voxels, of a mixture ``(n, L)`` of the load cases."""
        mixture = mixture.to(x)
        out = torch.empty_like(self.solid)
        mixed = torch.einsum("nl,nl...->n...", mixture, x)[:, None]
        for layers, strains in self._strained(mixed, (mixture @ self.loads)[:, None]):
            strains = strains[:, 0]
            stresses = torch.matmul(self.stiffness, strains.flatten(2)).view(strains.shape)
            out[:, layers] = (stresses * strains).sum(1) / self.solid[0].numel()
        return out

    def _strained(self, x: torch.Tensor, loads: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """Layers and their elements' modes ``(n, L, M, layers, ...)`` of the whole deformation."""
        flat, count = x.flatten(0, 1), x.shape[3]
        step = max(1, STRAINED_TOGETHER // (flat[:, :, 0].numel() * 2 ** x.shape[2]))
        loads = loads.view(*loads.shape, *[1] * x.shape[2])
        for first in range(0, count, step):
            last = min(first + step, count)
            if step >= count:
                strains = brick.modes(flat)
            else:
                with_next = torch.arange(first, last + 1, device=x.device) % count
                strains = brick.modes(flat.index_select(2, with_next))[:, :, :-1]
            yield slice(first, last), strains.unflatten(0, x.shape[:2]) + loads


def _slabs(x: torch.Tensor) -> Iterator[tuple[slice, slice | None]]:
    """Parts of ``(R, d, *S)`` to strain at once: rows whole, or layers of a row where one is too large."""
    elements = 2 ** x.shape[1]
    rows = STRAINED_TOGETHER // max(1, x[0].numel() * elements)
    if rows:
        yield from ((slice(first, min(first + rows, len(x))), None) for first in range(0, len(x), rows))
        return
    step = max(1, STRAINED_TOGETHER // (x[0, :, 0].numel() * elements))
    for row in range(len(x)):
        for first in range(0, x.shape[2], step):
            yield slice(row, row + 1), slice(first, min(first + step, x.shape[2]))


def _forces(strains: torch.Tensor, stiffness: torch.Tensor, solid: torch.Tensor) -> torch.Tensor:
    stresses = torch.matmul(stiffness, strains.flatten(2)).view(strains.shape)
    return brick.forces(stresses.mul_(solid), strains.ndim - 2)


@lru_cache(maxsize=4)
def _inverse(shape: tuple[int, ...], poisson_ratio: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """``(d, d, *F, 2)`` inverse of the homogeneous grain's Fourier symbol, once for the real and the imaginary part.

    It is the symbol of the finite-element stencil itself. What a homogeneous grain does not resist comes back as 0.
    """
    dimensions = len(shape)
    impulses = torch.zeros(dimensions, dimensions, *[3] * dimensions, dtype=torch.float64)
    for i in range(dimensions):
        impulses[(i, i, *[0] * dimensions)] = 1
    ones = torch.ones(1, 1, *[3] * dimensions, dtype=torch.float64)
    # The stencil reaches one node in each direction: places 0, 1 and -1.
    waves = _forces(brick.modes(impulses), brick.stiffness(poisson_ratio, dimensions), ones).to(torch.complex128)
    for axis in range(dimensions - 1, 0, -1):
        waves = torch.tensordot(waves, _phases(shape, axis), dims=([2 + axis], [1])).movedim(-1, 2 + axis)
    first = _phases(shape, 0)
    inverse = torch.empty(dimensions, dimensions, len(first), *waves.shape[3:], 2, dtype=dtype, device=device)
    for i, phase in enumerate(first):  # layer by layer, as double precision takes much memory
        symbol = torch.tensordot(waves, phase, dims=([2], [0])).real
        layer = torch.linalg.pinv(symbol.movedim((0, 1), (-2, -1)), atol=1e-10, hermitian=True)
        inverse[:, :, i] = layer.movedim((-2, -1), (0, 1))[..., None].to(device, dtype)
    return inverse


def _phases(shape: tuple[int, ...], axis: int) -> torch.Tensor:
    """``(F, 3)`` complex: the waves along an axis at the places 0, 1 and -1."""
    count = shape[axis] // 2 + 1 if axis == len(shape) - 1 else shape[axis]
    angle = -2 * math.pi / shape[axis] * torch.arange(count, dtype=torch.float64)[:, None]
    return torch.exp(1j * angle * torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64))
