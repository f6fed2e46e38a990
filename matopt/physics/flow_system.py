"""Systems of slow flow, ``A u + grad p = f`` and ``div u = 0``, on open faces and voxels alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.sparse import csr_array

from matopt.physics import sparse
from matopt.physics.aggregation import Aggregation
from matopt.physics.grid import DivergenceForm

PIECE = 64
"""Samples are filled up to whole pieces of so many unknowns, so that sums over samples are sums over pieces."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where the unknowns of a batch are: one sample's after the other's, each filled up to whole pieces.

    Attributes:
        shape: of the grids, ``(B, ...)``.
        place: ``(n,)`` int64 index in the grids.
        is_real: ``(n,)`` bool, False where filled up.
        owner: ``(n / PIECE,)`` sample of each piece.
    """

    shape: tuple[int, ...]
    place: np.ndarray
    is_real: np.ndarray
    owner: np.ndarray

    @staticmethod
    def of(has_unknown: np.ndarray) -> Places:
        """From ``(B, ...)`` bool."""
        found = np.flatnonzero(has_unknown)
        sample = found // max(has_unknown[0].size, 1)
        counts = np.bincount(sample, minlength=len(has_unknown))
        pieces = -(-counts // PIECE)
        shift = np.cumsum(pieces * PIECE - counts) - (pieces * PIECE - counts)
        place = np.zeros(pieces.sum() * PIECE, np.int64)
        is_real = np.zeros(len(place), bool)
        at = np.arange(len(found)) + shift[sample]
        place[at], is_real[at] = found, True
        return Places(has_unknown.shape, place, is_real, np.repeat(np.arange(len(counts)), pieces))

    @cached_property
    def number(self) -> np.ndarray:
        """int32 on the grids: the unknown's index, -1 where there is none."""
        number = np.full(self.shape, -1, np.int32)
        number.reshape(-1)[self.place[self.is_real]] = np.flatnonzero(self.is_real)
        return number

    def on_grid(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(n,)`` on the grids, 0 where there is no unknown."""
        grid = torch.zeros(self.shape, dtype=x.dtype, device=x.device)
        is_real = torch.from_numpy(self.is_real).to(x.device)
        grid.view(-1)[torch.from_numpy(self.place).to(x.device)[is_real]] = x[is_real]
        return grid


@dataclass(frozen=True, eq=False)
class FlowSystem:
    """B systems side by side; vectors are flat, all velocities and then all pressures.

    The preconditioner solves the upper triangle of the factors of the system, approximately: velocities by one cycle
    of multigrid, and pressures by ``1 + (div m grad)^-1``, one more cycle. The first term is the viscous one, of pressures that
    vary within a pore; the second that of pressures that vary along pores, which drive flow as in a network of
    channels: the mobility m of a face is the velocity under a unit force everywhere, ``A^-1 1``.

    Attributes:
        friction: sparse, A.
        gradient: sparse.
        divergence: sparse, minus the divergence, which is the transposed gradient.
        velocities: approximate inverse of the friction.
        pressures: approximate inverse of the network's matrix.
        owner: ``(n / PIECE,)`` sample of each piece of a vector.
        batch: B.
        weight: of residuals, which makes them alike in pores and in tight places.
    """

    friction: torch.Tensor
    gradient: torch.Tensor
    divergence: torch.Tensor
    velocities: Aggregation
    pressures: Aggregation
    owner: torch.Tensor
    batch: int
    weight: torch.Tensor

    @staticmethod
    def of(
        faces: Places, cells: Places, friction: Callable[[int], DivergenceForm], like: torch.Tensor
    ) -> FlowSystem:
        """From where faces ``(B, d, *S)`` and voxels ``(B, *S)`` are open and the friction of velocities by axis."""
        axes = range(faces.shape[1])
        parts = [_friction(faces.number[:, axis], friction(axis + 1)) for axis in axes]
        data, row, column = (np.concatenate(p) for p in zip(*parts, strict=True))
        n = len(faces.place)
        a = csr_array((data, (row, column)), shape=(n, n))
        group, *along = _coordinates(faces, len(axes))
        velocities = Aggregation.constant(a, group, np.stack(along, 1), np.repeat(faces.owner, PIECE), like)
        behind, ahead = _ends(faces, cells)
        ones = faces.is_real.astype(a.dtype)
        grad = csr_array(
            (
                np.stack([-ones, ones], 1).ravel(),
                np.stack([behind, ahead], 1).ravel(),
                np.arange(0, 2 * n + 1, 2),
            ),
            shape=(n, len(cells.place)),
        )
        real = torch.from_numpy(ones).to(like)
        mobility = velocities(real).maximum(velocities.levels[0].inverse_diagonal).cpu().numpy()
        network = _network(mobility, behind, ahead, len(cells.place))
        group, *along = _coordinates(cells, len(axes))
        pressures = Aggregation.smoothed(network, group, np.stack(along, 1), np.repeat(cells.owner, PIECE), like)
        return FlowSystem(
            velocities.levels[0].matrix,
            sparse.on_device(grad, like),
            sparse.on_device(grad.T.tocsr(), like),
            velocities,
            pressures,
            torch.from_numpy(np.concatenate([faces.owner, cells.owner])).to(like.device),
            faces.shape[0],
            torch.cat([torch.from_numpy(mobility).to(like), 1 + pressures.levels[0].inverse_diagonal]),
        )

    @property
    def faces(self) -> int:
        """How many velocities there are."""
        return self.friction.shape[0]

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The systems times ``x``."""
        u, p = x[: self.faces], x[self.faces :]
        return torch.cat([(self.friction @ u).add_(self.gradient @ p), self.divergence @ u])

    def precondition(self, residual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Approximate solutions for ``residual``, and estimates ``(B,)`` of their squared energy norms."""
        force, source = residual[: self.faces], residual[self.faces :]
        u = self.velocities(force)
        excess = (self.divergence @ u).sub_(source)
        p = self.pressures(excess).add_(excess)
        error = self.dot(torch.cat([force, excess]), torch.cat([u, p]))
        return torch.cat([u.sub_(self.velocities(self.gradient @ p)), p]), error

    def dot(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """``(B,)`` float64 dot products; only pieces are summed in the precision of the vectors."""
        pieces = (a * b).view(-1, PIECE).sum(1).double()
        if self.batch == 1:
            return pieces.sum().view(1)
        return pieces.new_zeros(self.batch).index_add_(0, self.owner, pieces)

    def spread(self, scalars: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Scalars ``(B,)`` for each unknown."""
        if self.batch == 1:
            return scalars.to(like)
        return scalars.to(like)[self.owner].repeat_interleave(PIECE)

    def unknowns(self, rows: torch.Tensor) -> torch.Tensor:
        """``(n,)`` bool, the unknowns of these samples."""
        chosen = torch.zeros(self.batch, dtype=torch.bool, device=rows.device)
        chosen[rows] = True
        return chosen[self.owner].repeat_interleave(PIECE)

    def select(self, rows: torch.Tensor) -> FlowSystem:
        """The systems of these rows, in ascending order."""
        kept = self.unknowns(rows)
        faces, cells = kept[: self.faces], kept[self.faces :]
        velocities = self.velocities.select(rows, self.batch)
        number = torch.zeros(self.batch, dtype=torch.int64, device=rows.device)
        number[rows] = torch.arange(len(rows), device=rows.device)
        return FlowSystem(
            velocities.levels[0].matrix,
            sparse.part(self.gradient, faces, cells),
            sparse.part(self.divergence, cells, faces),
            velocities,
            self.pressures.select(rows, self.batch),
            number[self.owner[kept.view(-1, PIECE)[:, 0]]],
            len(rows),
            self.weight[kept],
        )


def _coordinates(places: Places, dimensions: int) -> tuple[np.ndarray, ...]:
    """The grid of each unknown, among all of the batch's, and its coordinates there."""
    inner = places.shape[-dimensions:]
    size = int(np.prod(inner))
    return (places.place // size, *np.unravel_index(places.place % size, inner))


def _friction(number: np.ndarray, form: DivergenceForm) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entries, rows and columns of the friction of the velocities numbered ``(B, *S)``."""
    is_open = number >= 0
    data, rows, columns = [form.diagonal.cpu().numpy()[is_open]], [number[is_open]], [number[is_open]]
    for axis, c in enumerate(form.faces, start=1):
        c = c.cpu().numpy()
        linked = (c > 0) & is_open
        here, there, weight = number[linked], np.roll(number, -1, axis)[linked], -c[linked]
        data += [weight, weight]
        rows += [here, there]
        columns += [there, here]
    return np.concatenate(data), np.concatenate(rows), np.concatenate(columns)


def _ends(faces: Places, cells: Places) -> tuple[np.ndarray, np.ndarray]:
    """The voxels' numbers behind and ahead of each face."""
    dimensions = faces.shape[1]
    behind = np.zeros(len(faces.place), np.int32)
    ahead = np.zeros(len(faces.place), np.int32)
    for axis in range(dimensions):
        number = faces.number[:, axis]
        is_open = number >= 0
        behind[number[is_open]] = cells.number[is_open]
        ahead[number[is_open]] = np.roll(cells.number, -1, axis + 1)[is_open]
    return behind, ahead


def _network(mobility: np.ndarray, behind: np.ndarray, ahead: np.ndarray, size: int) -> csr_array:
    """``-div m grad`` on voxels; its rows sum to 0."""
    linked = behind != ahead
    m, a, b = mobility[linked], behind[linked], ahead[linked]
    diagonal = np.bincount(a, m, size) + np.bincount(b, m, size)
    here = np.arange(size, dtype=np.int32)
    data = np.concatenate([-m, -m, diagonal.astype(m.dtype)])
    return csr_array((data, (np.concatenate([a, b, here]), np.concatenate([b, a, here]))), shape=(size, size))
