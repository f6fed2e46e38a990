"""Patches of samples around what has changed in them, all of one size, for what is solved for there alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Patches:
    """Boxes of one size in the samples of a batch.

    Attributes:
        move: ``(m,)`` int64, the change that each is around.
        sample: ``(m,)`` int64, the sample that it is cut out of.
        start: ``(m, d)`` int64, the first voxel.
        shape: voxels along each axis.
        period: the shape of the samples. Patches of periodic samples run on behind their last voxels.
    """

    move: torch.Tensor
    sample: torch.Tensor
    start: torch.Tensor
    shape: tuple[int, ...]
    period: tuple[int, ...]

    def cut(self, values: torch.Tensor, of: torch.Tensor | None = None, ahead: int = 0) -> torch.Tensor:
        """Cut the patches ``(m, *shape)`` out of ``(N, *S)``; ``(m, K, *shape)`` out of ``(N, K, *S)``.

        Args:
            values: of samples, or of samples continued beyond their last voxels.
            of: ``(m,)`` the row of each patch; its sample where not given.
            ahead: how many layers more are cut ahead along each axis.
        """
        spatial = len(self.shape)
        has_fields = values.ndim > spatial + 1
        rows = self.sample if of is None else of
        index = rows.view(-1, *[1] * spatial)
        for axis, (n, extent) in enumerate(zip(values.shape[-spatial:], self.shape, strict=True)):
            along = (self.start[:, axis, None] + torch.arange(extent + ahead, device=rows.device)) % n
            index = index * n + along.view(len(rows), *[-1 if a == axis else 1 for a in range(spatial)])
        if not has_fields:
            return values.reshape(-1)[index]
        lines = values.movedim(1, -1).reshape(-1, values.shape[1])
        return lines[index].movedim(-1, 1)

    def reaches(self, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Whether each patch begins at the sample's first voxel along an axis, and ends at its last: ``(m,)`` bool."""
        first = self.start[:, axis]
        return first == 0, first + self.shape[axis] == self.period[axis]


def around(changed: torch.Tensor, sample: torch.Tensor, margin: int, periodic: bool, voxels: int) -> Iterator[Patches]:
    """Find patches around changes, those of like extents together: rounded up to powers of two.

    Args:
        changed: ``(M, *S)`` bool, what changes; where nothing does there is no patch.
        sample: ``(M,)`` int64, of each change.
        margin: how far the patch goes beyond what changes, where the sample has room.
        periodic: whether patches may run over the samples' ends.
        voxels: how many are given together at most, where a patch is no larger.
    """
    period = tuple(changed.shape[1:])
    first, extent = zip(*(_extents(changed, axis, periodic) for axis in range(len(period))), strict=True)
    first, extent = torch.stack(first, 1), torch.stack(extent, 1)
    rounded = 2 ** extent.double().clamp_min(1).log2().ceil().long()
    moves = (extent[:, 0] > 0).nonzero()[:, 0]
    kinds, kind = torch.unique(rounded[moves], dim=0, return_inverse=True)
    room = torch.tensor(period, device=changed.device)
    for k, size in enumerate(kinds):
        shape = torch.minimum(size + 2 * margin, room)
        for rows in moves[kind == k].split(max(1, voxels // int(shape.prod()))):
            start = first[rows] - (shape - extent[rows] + 1) // 2
            if not periodic:
                start = torch.minimum(start.clamp_min(0), room - shape)
            yield Patches(rows, sample[rows], start, tuple(shape.tolist()), period)


def _extents(changed: torch.Tensor, axis: int, periodic: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The first layer along an axis that changes, and how many there are from it to the last: ``(M,)`` each.

    In periodic samples it is the shortest run of layers that has all of them. Where nothing changes both are 0.
    """
    n = changed.shape[axis + 1]
    layers = changed.movedim(axis + 1, 1).flatten(2).any(2)
    number = torch.arange(n, device=changed.device)
    first = torch.where(layers, number, n).amin(1)
    last = torch.where(layers, number, -1).amax(1)
    extent = last - first + 1
    if periodic:
        # Behind the largest gap between two layers that change.
        twice = torch.where(layers.repeat(1, 2), torch.arange(2 * n, device=changed.device), -1)
        before = twice.cummax(1).values[:, n - 1 : -1]
        gap = torch.where(layers, twice[:, n:] - before, 0)
        first, extent = gap.argmax(1), n + 1 - gap.amax(1)
    is_changed = layers.any(1)
    return torch.where(is_changed, first, 0), torch.where(is_changed, extent, 0)
