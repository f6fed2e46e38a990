"""How far cells are open along an axis: the chords of the pores through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from matopt.physics.numerics.divergence_form import add_to_sides


def lengths(open_share: torch.Tensor, axis: int, periodic: bool) -> torch.Tensor:
    """The chord ``(B, *S)`` through each cell along an axis, in cells; of a closed one it is 1.

    It is 1 and how far the pore reaches ahead and behind. From a cell it reaches as far as the next one does and to
    that cell, both by the share by which the two are open. So it is smooth in every share. On endless pores it is more
    than the grid has cells.

    Args:
        open_share: ``(B, *S)`` of cells, 0 to 1.
        axis: of ``open_share``.
        periodic: whether the grid is; else it ends in mirrors.
    """
    layers = _layers(_line(open_share, axis, periodic), axis)
    joined = [here * there for here, there in zip(layers, [*layers[1:], layers[0]], strict=True)]
    ahead = _around(joined, joined, range(len(joined))[::-1])
    before = [joined[-1], *joined[:-1]]
    behind = _around(before, before, range(len(before)))
    found = [a.add_(b).add_(1) for a, b in zip(ahead, behind, strict=True)]
    return torch.stack(found[: open_share.shape[axis]]).movedim(0, axis)


def lengths_slope(open_share: torch.Tensor, weight: torch.Tensor, axis: int, periodic: bool) -> torch.Tensor:
    """The derivative ``(B, *S)`` of the sum of ``weight`` times :func:`lengths` with respect to the open shares."""
    line, n = _line(open_share, axis, periodic), open_share.shape[axis]
    if not periodic:
        weight = torch.cat([weight, torch.zeros_like(weight)], axis)
    joined = _joined(line, axis)
    before = joined.roll(1, axis)
    ahead, behind = carried(joined, joined, axis, 1), carried(before, before, axis, -1)
    # What is weighed behind a joint reaches over it to what is ahead, and the other way round.
    slope = carried(weight, before, axis, -1) * (1 + ahead.roll(-1, axis))
    slope += carried(weight, joined, axis, 1).roll(-1, axis) * (1 + behind)
    found = torch.zeros_like(line)
    add_to_sides(found, slope * line.roll(-1, axis), slope * line, axis)
    if periodic:
        return found
    return found.narrow(axis, 0, n) + found.narrow(axis, n, n).flip(axis)


@dataclass(frozen=True, eq=False)
class Reach:
    """How far pores reach from each cell to one side, the cell itself being shut.

    Attributes:
        length: ``(B, *S)`` in cells.
        end: ``(B, *S)`` what the last of these cells has; 0 where there is none, or where the cell, or its mirror
            image, is what ends the pore.
    """

    length: torch.Tensor
    end: torch.Tensor


@dataclass(frozen=True, eq=False)
class Reaches:
    """How far pores reach from each cell along an axis of a binary grid.

    Attributes:
        sides: behind and ahead.
        joined: ``(B, *S)``, the chord through the cell if it is open.
    """

    sides: tuple[Reach, Reach]
    joined: torch.Tensor

    @staticmethod
    def of(is_open: torch.Tensor, at_end: torch.Tensor, axis: int, periodic: bool) -> Reaches:
        """Look from each cell both ways.

        Args:
            is_open: ``(B, *S)`` of zeros and ones.
            at_end: ``(B, *S)`` what is asked of the cells at the ends.
            axis: of ``is_open``.
            periodic: whether the grid is; else it ends in mirrors.
        """
        n = is_open.shape[axis]
        line, values = _line(is_open, axis, periodic), _line(at_end, axis, periodic)
        joined = _joined(line, axis)
        place = torch.arange(n, dtype=is_open.dtype, device=is_open.device)
        found, together = [], []
        for step in (-1, 1):
            factor = joined if step > 0 else joined.roll(1, axis)
            length = line * (1 + carried(factor, factor, axis, step))
            end = line * carried((1 - factor) * values, factor, axis, step)
            length, end = (each.roll(-step, axis).narrow(axis, 0, n) for each in (length, end))
            # Shut, the cell (or its image) ends what reaches around the grid (or to the mirror and back).
            room = torch.full_like(place, n - 1) if periodic else 2 * (n - 1 - place if step > 0 else place)
            room = room.view(-1, *[1] * (is_open.ndim - 1 - axis))
            returns = length >= room
            found.append(Reach(torch.minimum(length, room), torch.where(returns, 0.0, end)))
            together.append(returns)
        # Open, the cell joins what it ended.
        behind, ahead = found
        joined = 1 + behind.length + ahead.length
        joined = joined + torch.where(together[0], 1 + ahead.length, 0) + torch.where(together[1], 1 + behind.length, 0)
        return Reaches((behind, ahead), joined)


def carried(start: torch.Tensor, factor: torch.Tensor, axis: int, step: int) -> torch.Tensor:
    """Solve ``x = start + factor * (x of the next cell)`` on periodic lines.

    Args:
        start: ``(B, *S)``.
        factor: ``(B, *S)``, 0 where nothing is carried over, at most 1.
        axis: along which the cells follow.
        step: 1 where the next cell is ahead, -1 where it is behind.
    """
    order = range(start.shape[axis])[::-step]
    return torch.stack(_around(_layers(start, axis), _layers(factor, axis), order)).movedim(0, axis)


def _layers(x: torch.Tensor, axis: int) -> Sequence[torch.Tensor]:
    """The layers across an axis, each in one piece: they stay in the cache as lines are gone along."""
    return x.movedim(axis, 0).contiguous().unbind(0)


def _around(start: Sequence[torch.Tensor], factor: Sequence[torch.Tensor], order: Sequence[int]) -> list[torch.Tensor]:
    """Solve ``x = start + factor * (x before)`` in layers, going around them twice in an order."""
    x, found = torch.zeros_like(start[0]), list(start)
    for _ in range(2):
        for cell in order:
            x = found[cell] = torch.addcmul(start[cell], factor[cell], x)
    return found


def _line(open_share: torch.Tensor, axis: int, periodic: bool) -> torch.Tensor:
    """The shares of a periodic grid, with the mirror image of one that is not."""
    return open_share if periodic else torch.cat([open_share, open_share.flip(axis)], axis)


def _joined(line: torch.Tensor, axis: int) -> torch.Tensor:
    """How far each cell is open to the one ahead."""
    return line * line.roll(-1, axis)
