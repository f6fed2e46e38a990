"""The saddle-point systems of slow flow, ``A u + grad p = f`` and ``div u = 0``, on open faces and voxels alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array

from matopt.physics.flow.aggregation_multigrid import Aggregation
from matopt.physics.flow.couplings import GridCouplings
from matopt.physics.flow.friction import Friction
from matopt.physics.numerics import sparse

PIECE = 64
"""Unknowns of a piece. Each sample is padded to whole pieces, so that sums over samples are sums over pieces."""


@dataclass(frozen=True, eq=False)
class Unknowns:
    """The numbering of the unknowns of a batch: sample by sample, within it by colour, padded to whole pieces.

    Attributes:
        shape: of the grids, ``(B, ...)``.
        place: ``(n,)`` flat index in the grids.
        is_real: ``(n,)`` bool, False where padded.
        owner: ``(n / PIECE,)`` sample of each piece.
    """

    shape: tuple[int, ...]
    place: np.ndarray
    is_real: np.ndarray
    owner: np.ndarray

    @staticmethod
    def of(has_unknown: np.ndarray, colour: np.ndarray) -> Unknowns:
        """Number the unknowns of a mask ``(B, ..., *S)`` by the colours ``(*S)`` of :func:`couplings.colours`."""
        shape, size = has_unknown.shape, math.prod(has_unknown.shape[1:])
        masks = [np.broadcast_to(colour == c, shape[1:]) for c in range(colour.max() + 1)]
        found = [np.concatenate([np.flatnonzero(sample & mask) for mask in masks]) for sample in has_unknown]
        pieces = [-(-len(at) // PIECE) for at in found]
        place = np.zeros(sum(pieces) * PIECE, np.int32 if has_unknown.size < 2**31 else np.int64)
        is_real = np.zeros(len(place), bool)
        for sample, (at, end) in enumerate(zip(found, np.cumsum(pieces) * PIECE, strict=True)):
            here = slice(end - pieces[sample] * PIECE, end - pieces[sample] * PIECE + len(at))
            place[here], is_real[here] = at + sample * size, True
        return Unknowns(shape, place, is_real, np.repeat(np.arange(len(pieces), dtype=np.int32), pieces))

    @property
    def owners(self) -> np.ndarray:
        """``(n,)`` the sample of each unknown."""
        return np.repeat(self.owner, PIECE)

    def number(self) -> np.ndarray:
        """The index of the unknown in each grid cell, int32 on the grids, -1 where there is none."""
        number = np.full(self.shape, -1, np.int32)
        real = np.flatnonzero(self.is_real)
        number.reshape(-1)[self.place[real]] = real
        return number

    def on_grid(self, x: torch.Tensor) -> torch.Tensor:
        """Put values ``(n,)`` on the grids, 0 where there is no unknown."""
        grid = torch.zeros(self.shape, dtype=x.dtype, device=x.device)
        is_real = torch.from_numpy(self.is_real).to(x.device)
        grid.view(-1)[torch.from_numpy(self.place).to(x.device)[is_real].long()] = x[is_real]
        return grid


@dataclass(frozen=True, eq=False)
class FlowSystem:
    """B saddle-point systems side by side; vectors are flat, all velocities and then all pressures.

    The preconditioner is the inverse of the system's symmetric factors, approximately: velocities by one cycle of
    multigrid, and pressures by ``1 + (div m grad)^-1``, one more cycle. The first term is the viscous one, of pressures
    that vary within a pore; the second is of pressures that vary along pores, which drive flow as in a network of
    channels: the mobility m of a face is the velocity there under a unit force everywhere, ``A^-1 1``.

    Attributes:
        friction: sparse, the matrix A.
        gradient: sparse, of pressures on faces.
        divergence: sparse, minus the divergence of velocities, which is the transposed gradient.
        velocities: multigrid for the friction.
        pressures: multigrid for the network's matrix ``div m grad``.
        owner: ``(n / PIECE,)`` sample of each piece of a vector.
        batch: B.
    """

    friction: torch.Tensor
    gradient: torch.Tensor
    divergence: torch.Tensor
    velocities: Aggregation
    pressures: Aggregation
    owner: torch.Tensor
    batch: int

    @staticmethod
    def velocity_multigrid(faces: Unknowns, cells: Unknowns, friction: Friction) -> Aggregation:
        """The friction of the velocities on open faces ``(B, d, *S)``, and its multigrid."""
        return Aggregation.with_dirichlet(_frictions(faces.number(), faces.owners, friction), friction.drags)

    @staticmethod
    def of(faces: Unknowns, cells: Unknowns, velocities: Aggregation) -> FlowSystem:
        """The systems of the open faces ``(B, d, *S)`` and voxels ``(B, *S)``, and of :meth:`velocity_multigrid`."""
        face, cell, like = faces.number(), cells.number(), velocities.levels[0].inverse_diagonal
        behind, ahead = _ends(face, cell, len(faces.place))
        ones = faces.is_real.astype(like[:0].numpy(force=True).dtype)
        entries = np.stack([-ones, ones], 1).ravel(), np.stack([behind, ahead], 1).ravel()
        grad = csr_array(
            (*entries, np.arange(0, 2 * len(ones) + 1, 2, dtype=np.int32)), shape=(len(ones), len(cells.place))
        )
        lumped = velocities(torch.from_numpy(ones).to(like))
        mobility = torch.maximum(lumped, like)
        pressures = Aggregation.pure_neumann(_network(mobility.cpu().numpy(), face, cell, cells.owners), like)
        return FlowSystem(
            velocities.levels[0].matrix,
            sparse.on_device(grad, like),
            sparse.on_device(grad.T.tocsr(), like),
            velocities,
            pressures,
            torch.from_numpy(np.concatenate([faces.owner, cells.owner])).to(like.device),
            faces.shape[0],
        )

    @property
    def faces(self) -> int:
        """How many velocities there are."""
        return self.friction.shape[0]

    def apply(self, x: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Multiply the systems by ``x``, into ``out`` where it is given."""
        u, p = x[: self.faces], x[self.faces :]
        force = sparse.product(self.gradient, p, sparse.product(self.friction, u))
        return torch.cat([force, sparse.product(self.divergence, u)], out=out)

    def precondition(
        self, residual: torch.Tensor, out: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Solve approximately for ``residual``, into ``out`` where it is given; with its squared norms ``(B,)``.

        Leaves ``residual`` times the matrix of the norm in its place. The norm is that of the error that the residual
        stands for: both signs of what the pressures do count.
        """
        force, source = residual[: self.faces], residual[self.faces :]
        u = self.velocities(force)
        excess = sparse.product(self.divergence, u).sub_(source)
        p = self.pressures(excess).add_(excess)
        driven = self.velocities(sparse.product(self.gradient, p))
        dual = torch.cat([u + driven, -p])
        square = self.dot(residual, dual)
        residual.copy_(dual)
        return torch.cat([u - driven, p], out=out), square

    def dot(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The dot products ``(B,)`` in float64; only pieces are summed in the precision of the vectors."""
        pieces = (a * b).view(-1, PIECE).sum(1).double()
        if self.batch == 1:
            return pieces.sum().view(1)
        return pieces.new_zeros(self.batch).index_add_(0, self.owner, pieces)

    def add(
        self, to: torch.Tensor, scalars: torch.Tensor, other: torch.Tensor, out: torch.Tensor | None = None
    ) -> None:
        """Add ``other`` times the scalars ``(B,)`` of the samples, in ``out`` where it is given."""
        torch.addcmul(to, self.spread(scalars, to), other, out=to if out is None else out)

    def spread(self, scalars: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Repeat scalars ``(B,)`` for each unknown of their sample."""
        if self.batch == 1:
            return scalars.to(like)
        return scalars.to(like)[self.owner].repeat_interleave(PIECE)

    def unknowns(self, chosen: torch.Tensor) -> torch.Tensor:
        """Mark the unknowns, ``(n,)`` bool, of the samples that a mask ``(B,)`` chooses."""
        return chosen[self.owner].repeat_interleave(PIECE)

    def select(self, samples: torch.Tensor) -> FlowSystem:
        """Keep the systems of some samples (indices, each once and in order)."""
        chosen = torch.zeros(self.batch, dtype=torch.bool, device=self.owner.device)
        chosen[samples] = True
        kept = self.unknowns(chosen)
        faces, cells = kept[: self.faces], kept[self.faces :]
        velocities = self.velocities.select(chosen)
        return FlowSystem(
            velocities.levels[0].matrix,
            sparse.part(self.gradient, faces, cells),
            sparse.part(self.divergence, cells, faces),
            velocities,
            self.pressures.select(chosen),
            (chosen.cumsum(0) - 1)[self.owner[kept.view(-1, PIECE)[:, 0]]],
            int(chosen.sum()),
        )


def _frictions(face: np.ndarray, owner: np.ndarray, friction: Friction) -> GridCouplings:
    """The couplings of the velocities numbered ``(B, d, *S)`` by their friction, a grid for each sample and axis."""
    dimensions, size = face.shape[1], len(owner)
    dtype = friction.drags[:0].numpy(force=True).dtype
    couplings = GridCouplings(
        face.reshape(-1, *face.shape[2:]), np.zeros((size, dimensions), dtype), np.zeros(size, dtype), owner
    )
    for axis in range(dimensions):
        form = friction.along(axis + 1)
        at = face[:, axis] >= 0
        here = face[:, axis][at]
        for other, c in enumerate(form.faces):
            couplings.ahead[here, other] = c.numpy(force=True)[at]
        couplings.dirichlet[here] = form.extra.numpy(force=True)[at]
    return couplings


def _ends(face: np.ndarray, cell: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the voxels behind and ahead of each face, ``(n,)`` each."""
    behind, ahead = np.zeros(size, np.int32), np.zeros(size, np.int32)
    for axis in range(face.shape[1]):
        at = face[:, axis] >= 0
        here = face[:, axis][at]
        behind[here], ahead[here] = cell[at], np.roll(cell, -1, axis + 1)[at]
    return behind, ahead


def _network(mobility: np.ndarray, face: np.ndarray, cell: np.ndarray, owner: np.ndarray) -> GridCouplings:
    """The pore network: voxels coupled by the mobility of the face between them."""
    at = cell >= 0
    ahead = np.zeros((len(owner), face.shape[1]), mobility.dtype)
    with_none = np.append(mobility, mobility.dtype.type(0))  # at -1
    for axis in range(face.shape[1]):
        ahead[cell[at], axis] = with_none[face[:, axis][at]]
    return GridCouplings(cell, ahead, np.zeros(len(owner), mobility.dtype), owner)
