"""The elastic cell problem on a periodic lattice of brick elements."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import torch

from matopt.physics import brick
from matopt.physics.blocks import Block, blocks
from matopt.physics.krylov import Solved, conjugate_gradients

SOLVED_TOGETHER = 2**21
"""Displacements (numbers) that are solved for at once; load cases of larger samples have their turns."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """Periodic displacements around a unit macroscopic strain, for n samples and their L load cases.

    Displacements are ``(L, n, d, *S)``. The grain's Young's modulus is 1. An element's forces are one product of its
    stiffness with the displacements of its corners, for a block of elements at a time.

    Attributes:
        solid: ``(n, *S)`` densities without what does not carry.
        rows: ``(R, *S)`` the densities of the rows that are solved for together, samples times load cases.
        modes: ``(M, C)``, of :func:`brick.modes`.
        stiffness: ``(M, M)`` of an element, in its modes.
        corner_stiffness: ``(C, C)``, the same in its corners.
        loads: ``(L, M)`` element modes of the macroscopic strains.
        inverse: ``(d, d)`` parts ``(*F,)`` of the preconditioner.
    """

    solid: torch.Tensor
    rows: torch.Tensor
    modes: torch.Tensor
    stiffness: torch.Tensor
    corner_stiffness: torch.Tensor
    loads: torch.Tensor
    inverse: tuple[tuple[torch.Tensor, ...], ...]

    @staticmethod
    def of(solid: torch.Tensor, poisson_ratio: float) -> Lattice:
        """From densities ``(n, *S)`` without what does not carry."""
        shape = tuple(solid.shape[1:])
        return Lattice(
            solid,
            solid,
            brick.modes(len(shape)).to(solid),
            brick.stiffness(poisson_ratio, len(shape)).to(solid),
            brick.corner_stiffness(poisson_ratio, len(shape)).to(solid),
            brick.unit_strains(len(shape)).to(solid),
            _inverse(shape, poisson_ratio, solid.dtype, solid.device),
        )

    def solve(self, tolerance: float, max_iterations: int) -> Solved:
        """The displacements ``(L, n, d, *S)``, residuals and iterations ``(L, n)``."""
        n, cases, dimensions = len(self.solid), len(self.loads), self.solid.ndim - 1
        together = self.solid.numel() * cases * dimensions <= SOLVED_TOGETHER
        turns = [range(cases)] if together else [range(case, case + 1) for case in range(cases)]
        x = self.solid.new_empty(cases, n, dimensions, *self.solid.shape[1:])
        found = []
        for turn in turns:
            rows = replace(self, rows=self.solid.expand(len(turn), *self.solid.shape).flatten(0, 1))
            out = x[turn.start : turn.stop].flatten(0, 1)
            solved = conjugate_gradients(rows, self.right_hand_side(turn), tolerance, max_iterations, out=out)
            found.append((solved.residual.view(-1, n), solved.iterations.view(-1, n)))
        residual, iterations = (torch.cat(parts) for parts in zip(*found, strict=True))
        return Solved(x, residual, iterations)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Nodal forces of the rows' displacements ``(R, d, *S)``."""
        out = torch.zeros_like(x)
        for block, density in self._blocks:
            block.add_corners(out, self.corner_stiffness @ block.corners(x, density))
        return out

    @cached_property
    def _blocks(self) -> list[tuple[Block, torch.Tensor]]:
        """Blocks of the rows, and the densities of their elements."""
        return [(block, block.elements(self.rows)) for block in blocks(self.rows)]

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """The displacements of a homogeneous grain under these forces."""
        axes = tuple(range(1, residual.ndim - 1))
        # One component at a time, for what the transforms need besides.
        waves = [torch.fft.rfftn(part, dim=axes) for part in residual.unbind(1)]
        out = torch.empty_like(residual)
        for i, row in enumerate(self.inverse):
            total = waves[0] * row[0]
            for wave, factor in zip(waves[1:], row[1:], strict=True):
                total += wave * factor
            out[:, i] = torch.fft.irfftn(total, s=residual.shape[2:], dim=axes)
        return out

    def select(self, rows: torch.Tensor) -> Lattice:
        """The systems of these rows."""
        return replace(self, rows=self.rows[rows])

    def right_hand_side(self, cases: Sequence[int]) -> torch.Tensor:
        """``(len(cases) * n, d, *S)`` nodal forces that balance the unit strains of these load cases."""
        forces = -self.loads[list(cases)] @ self.stiffness @ self.modes
        out = self.solid.new_zeros(len(cases), len(self.solid), self.solid.ndim - 1, *self.solid.shape[1:])
        for block in blocks(self.solid):
            density = block.elements(self.solid)
            for part, force in zip(out, forces, strict=True):
                block.add_corners(part, force[:, None] * density)
        return out.flatten(0, 1)

    def energies(self, x: torch.Tensor) -> torch.Tensor:
        """``(n, L, L)`` float64 mean mutual energies: the effective stiffness."""
        cases = len(self.loads)
        total = torch.zeros(len(self.solid), cases, cases, dtype=torch.float64, device=x.device)
        for sample in range(len(self.solid)):
            solid, fields = self.solid[sample, None], x[:, sample, None]
            for block in blocks(solid):
                strains = x.new_empty(len(self.modes), cases, math.prod(block.line))
                for case, (u, load) in enumerate(zip(fields, self.loads, strict=True)):
                    strains[:, case] = self._strains(block, u, load[None])[:, 0]
                stresses = self._stresses(strains).mul_(block.elements(solid))
                # A mode's energy in a block is summed in the precision of the fields.
                total[sample] += torch.bmm(stresses, strains.mT).sum(0, dtype=torch.float64)
        return (total + total.mT) / 2 / self.solid[0].numel()

    def energy_density(self, x: torch.Tensor, mixture: torch.Tensor) -> torch.Tensor:
        """``(n, *S)`` energy at full density, over the number of voxels, of a mixture ``(n, L)`` of the load cases."""
        mixture = mixture.to(x)
        mixed, loads = torch.einsum("nl,ln...->n...", mixture, x), mixture @ self.loads
        out = torch.empty_like(self.solid)
        for block in blocks(self.solid):
            strains = self._strains(block, mixed, loads[block.rows])
            energy = self._stresses(strains).mul_(strains).sum(0).view(block.line)
            inner = energy[(slice(None), *[slice(0, n) for n in block.shape])]
            out[block.rows, block.layers] = inner / self.solid[0].numel()
        return out

    def _strains(self, block: Block, x: torch.Tensor, loads: torch.Tensor) -> torch.Tensor:
        """``(M, r, P / r)`` element modes of a block of ``(R, d, *S)``, with macroscopic strains ``(r or 1, M)``."""
        strains = self.modes @ block.corners(x)
        return strains.view(len(strains), block.samples, -1).add_(loads.T[:, :, None])

    def _stresses(self, strains: torch.Tensor) -> torch.Tensor:
        return torch.matmul(self.stiffness, strains.flatten(1)).view(strains.shape)


@lru_cache(maxsize=4)
def _inverse(
    shape: tuple[int, ...], poisson_ratio: float, dtype: torch.dtype, device: torch.device
) -> tuple[tuple[torch.Tensor, ...], ...]:
    """``(d, d)`` parts ``(*F,)`` of the inverse of the homogeneous grain's Fourier symbol, which is real.

    It is the symbol of the finite-element stencil itself. What a homogeneous grain does not resist comes back as 0.
    """
    dimensions = len(shape)
    corners = brick.corners(dimensions)
    parts = brick.corner_stiffness(poisson_ratio, dimensions).view(len(corners), dimensions, len(corners), dimensions)
    # The stencil reaches one node in each direction: places 0, 1 and -1.
    stencil = torch.zeros(dimensions, dimensions, *[3] * dimensions, dtype=torch.complex128)
    for (a, here), (b, there) in itertools.product(enumerate(corners), repeat=2):
        stencil[(slice(None), slice(None), *[(v - u) % 3 for u, v in zip(here, there, strict=True)])] += parts[a, :, b]
    waves = stencil
    for axis in range(dimensions - 1, 0, -1):
        waves = torch.tensordot(waves, _phases(shape, axis), dims=([2 + axis], [1])).movedim(-1, 2 + axis)
    first = _phases(shape, 0)
    # Symmetric, so only one of each pair is stored.
    pairs = {
        (i, j): torch.empty(len(first), *waves.shape[3:], dtype=dtype, device=device)
        for i in range(dimensions)
        for j in range(i, dimensions)
    }
    for i, phase in enumerate(first):  # layer by layer, as double precision takes much memory
        symbol = torch.tensordot(waves, phase, dims=([2], [0])).real
        layer = torch.linalg.pinv(symbol.movedim((0, 1), (-2, -1)), atol=1e-10, hermitian=True)
        for (a, b), part in pairs.items():
            part[i] = layer[..., a, b].to(device, dtype)
    return tuple(tuple(pairs[min(a, b), max(a, b)] for b in range(dimensions)) for a in range(dimensions))


def _phases(shape: tuple[int, ...], axis: int) -> torch.Tensor:
    """``(F, 3)`` complex: the waves along an axis at the places 0, 1 and -1."""
    count = shape[axis] // 2 + 1 if axis == len(shape) - 1 else shape[axis]
    angle = -2 * math.pi / shape[axis] * torch.arange(count, dtype=torch.float64)[:, None]
    return torch.exp(1j * angle * torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64))
