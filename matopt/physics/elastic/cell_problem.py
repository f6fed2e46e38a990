"""The elastic cell problem: periodic displacements of brick elements, one voxel each, around a macroscopic strain."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import torch

from matopt.physics.elastic import element
from matopt.physics.elastic.fourier_preconditioner import inverse_symbol, unfolded
from matopt.physics.elastic.gather import Block, blocks
from matopt.physics.numerics.conjugate_gradients import (
    ConjugateGradientsResult,
    TensorVectors,
    Vectors,
    conjugate_gradients,
)

SOLVED_TOGETHER = 2**21
"""How many displacements are solved for at once; the load cases of larger samples are solved one after the other."""


@dataclass(frozen=True, eq=False)
class ElasticCellProblem:
    """Periodic displacements around a unit macroscopic strain, for n samples and their L load cases.

    Displacements are ``(L, n, d, *S)``. The grain's Young's modulus is 1. An element's forces are one product of its
    stiffness with the displacements of its corners, for a block of elements at a time.

    Attributes:
        solid: ``(n, *S)`` densities without what does not carry.
        samples: ``(R,)`` int64, whose densities are those of the rows that are solved for together.
        modes: ``(M, C)``, of :func:`element.modes`.
        stiffness: ``(M, M)`` of an element, in its modes.
        corner_stiffness: ``(C, C)``, the same in its corners.
        loads: ``(L, M)`` element modes of the macroscopic strains.
        symbol: of the preconditioner, see :func:`inverse_symbol`.
    """

    solid: torch.Tensor
    samples: torch.Tensor
    modes: torch.Tensor
    stiffness: torch.Tensor
    corner_stiffness: torch.Tensor
    loads: torch.Tensor
    symbol: torch.Tensor

    vectors: ClassVar[Callable[[Any, torch.Tensor, torch.Tensor], Vectors]] = TensorVectors
    """The class whose vectors conjugate gradients iterate."""

    @classmethod
    def of(cls, solid: torch.Tensor, poisson_ratio: float) -> Self:
        """Set up the problem of densities ``(n, *S)`` without what does not carry."""
        shape = tuple(solid.shape[1:])
        return cls(
            solid,
            torch.arange(len(solid), device=solid.device),
            element.modes(len(shape)).to(solid),
            element.stiffness(poisson_ratio, len(shape)).to(solid),
            element.corner_stiffness(poisson_ratio, len(shape)).to(solid),
            element.unit_strains(len(shape)).to(solid),
            inverse_symbol(shape, poisson_ratio, solid.dtype, solid.device),
        )

    def solve(self, along: torch.Tensor, tolerance: float, max_iterations: int) -> ConjugateGradientsResult:
        """Solve for the displacements ``(L, n, d, *S)``; with residuals and iterations ``(L, n)``.

        Args:
            along: ``(n, d)`` bool, the axes along which a sample carries: stretched along them it keeps an energy.
            tolerance: of the residual.
            max_iterations: of :func:`~matopt.physics.numerics.conjugate_gradients.conjugate_gradients`.
        """
        n, cases, dimensions = len(self.solid), len(self.loads), self.solid.ndim - 1
        room = SOLVED_TOGETHER // max(self.solid.numel() * dimensions, 1)
        # The transforms take two at once.
        together = next((k for k in (cases, 2) if k <= room), 1)
        x = self.solid.new_empty(cases, n, dimensions, *self.solid.shape[1:])
        # What all turns need is allocated once: the C library keeps much of what is freed in between.
        rows, rhs = replace(self, samples=self.samples.repeat(together)), torch.empty_like(x[:together])
        found, uniform = [], self._uniform_energies(along)
        for first in range(0, cases, together):
            self.right_hand_side(range(first, first + together), rhs)
            out = x[first : first + together].flatten(0, 1)
            energy = uniform[first : first + together].flatten()
            solved = conjugate_gradients(rows, rhs.flatten(0, 1), tolerance, max_iterations, out, self.vectors, energy)
            found.append((solved.residual.view(-1, n), solved.iterations.view(-1, n)))
        residual, iterations = (torch.cat(parts) for parts in zip(*found, strict=True))
        return ConjugateGradientsResult(x, residual, iterations)

    def _uniform_energies(self, along: torch.Tensor) -> torch.Tensor:
        """``(L, n)`` float64, of the macroscopic strains without fluctuations; infinite where none may be left."""
        of_full = ((self.loads @ self.stiffness) * self.loads).sum(1, dtype=torch.float64)
        energies = of_full[:, None] * self.solid.flatten(1).sum(1, dtype=torch.float64)
        keeps = torch.zeros_like(energies, dtype=torch.bool)
        keeps[: along.shape[1]] = along.T
        return torch.where(keeps, energies, torch.inf)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The nodal forces of the rows' displacements ``(R, d, *S)``."""
        out = torch.zeros_like(x)
        for block, density in self._blocks:
            block.add_corners(out, self.corner_stiffness @ block.corners(x, density))
        return out

    @cached_property
    def _blocks(self) -> list[tuple[Block, torch.Tensor]]:
        """The blocks of the rows, and the densities of their elements."""
        rows = self.solid[self.samples]
        return [(block, block.elements(rows)) for block in blocks(rows)]

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """Solve the homogeneous grain for nodal forces ``(R, d, *S)``: its displacements."""
        # The first axis of space is the last that is transformed, and has the half of the waves.
        axes = (*range(2, residual.ndim - 1), 1)
        # One component at a time, for what the transforms need besides.
        waves = [torch.fft.rfftn(part, dim=axes) for part in residual.unbind(1)]
        parts = dict(zip(itertools.combinations_with_replacement(range(len(waves)), 2), self._symbol, strict=True))
        out = torch.empty_like(residual)
        for i in range(len(waves)):
            total = waves[0] * parts[0, i]
            for j in range(1, len(waves)):
                total += waves[j] * parts[min(i, j), max(i, j)]
            shape = [residual.shape[axis + 1] for axis in axes]
            out[:, i] = torch.fft.irfftn(total, s=shape, dim=axes, norm="forward")
        return out

    @cached_property
    def _symbol(self) -> torch.Tensor:
        """The symbol of all waves that a transform of real fields has."""
        return unfolded(self.symbol, tuple(self.solid.shape[1:]))

    def select(self, rows: torch.Tensor) -> Self:
        """The systems of these rows (indices)."""
        return replace(self, samples=self.samples[rows])

    def right_hand_side(self, cases: Sequence[int], out: torch.Tensor) -> None:
        """Write the nodal forces ``(len(cases), n, d, *S)`` that balance the unit strains of these load cases."""
        dimensions = self.solid.ndim - 1
        out.zero_()
        for axis in range(dimensions):
            # A uniform stress is unbalanced where the density changes.
            change = self.solid
            for along in range(dimensions):
                behind = change.roll(1, along + 1)
                change = change - behind if along == axis else change + behind
            for force, case in zip(out, cases, strict=True):
                for component in range(dimensions):
                    if stress := self.stress[case, axis, component].item():
                        force[:, component].add_(change, alpha=stress)

    @cached_property
    def stress(self) -> torch.Tensor:
        """``(L, d, d)`` nodal force of each unit strain, by axis of a unit change of density and by component."""
        dimensions = self.solid.ndim - 1
        shapes = element.corners(dimensions)[1:]
        linear = [shapes.index(tuple(int(k == axis) for k in range(dimensions))) for axis in range(dimensions)]
        return (self.loads @ self.stiffness).view(len(self.loads), -1, dimensions)[:, linear]

    def energies(self, x: torch.Tensor) -> torch.Tensor:
        """The effective stiffness ``(n, L, L)`` float64: mean mutual energies of the load cases."""
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
        """The energy ``(n, *S)`` at full density, over the number of voxels, of a mixture ``(n, L)`` of load cases."""
        mixed, loads = self.mixed(x, mixture)
        out = torch.empty_like(self.solid)
        for block in blocks(self.solid):
            strains = self._strains(block, mixed, loads[block.rows])
            energy = self._stresses(strains).mul_(strains).sum(0).view(block.line)
            inner = energy[(slice(None), *[slice(0, n) for n in block.shape])]
            out[block.rows, block.layers] = inner / self.solid[0].numel()
        return out

    def strains_at(self, x: torch.Tensor, mixture: torch.Tensor, voxels: torch.Tensor) -> torch.Tensor:
        """The element modes ``(K, M)`` of a mixture ``(n, L)`` of load cases in voxels ``(K, 1 + d)``, by sample."""
        mixed, loads = self.mixed(x, mixture)
        shape, sample = torch.tensor(mixed.shape[2:], device=x.device), voxels[:, 0]
        lines = mixed.movedim(1, -1)
        at_corners = []
        for corner in element.corners(len(shape)):
            node = (voxels[:, 1:] + torch.tensor(corner, device=x.device)) % shape
            at_corners.append(lines[(sample, *node.unbind(1))])
        return torch.cat(at_corners, 1) @ self.modes.T + loads[sample]

    def mixed(self, x: torch.Tensor, mixture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The displacements ``(n, d, *S)`` and macroscopic strains ``(n, M)`` of a mixture ``(n, L)`` of load cases."""
        return torch.einsum("nl,ln...->n...", mixture.to(x), x), mixture.to(x) @ self.loads

    def _strains(self, block: Block, x: torch.Tensor, loads: torch.Tensor) -> torch.Tensor:
        """The modes ``(M, r, P / r)`` of a block of ``(R, d, *S)`` around macroscopic strains ``(r or 1, M)``."""
        strains = self.modes @ block.corners(x)
        return strains.view(len(strains), block.samples, -1).add_(loads.T[:, :, None])

    def _stresses(self, strains: torch.Tensor) -> torch.Tensor:
        """The stresses, in modes, of strains ``(M, r, P / r)`` at full density."""
        return torch.matmul(self.stiffness, strains.flatten(1)).view(strains.shape)
