"""Colours the cells of grids so that a sweep may take all cells of a colour at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def colouring(shape: Sequence[int], count: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Colour a grid, ``shape`` uint8, so that no two neighbours have the same colour.

    Args:
        shape: of the grid.
        count: 2 for a chessboard's colours; 3 where the grid is periodic and an axis of it is odd, so that its first
            and last cells would otherwise be neighbours of one colour.
        device: where the colours are wanted.
    """
    total = torch.zeros((), dtype=torch.uint8, device=device)
    for n in shape:
        along = torch.arange(n, device=device) % 2
        if count == 3 and n % 2 and n > 1:
            along[-1] = 2
        total = total[..., None] + along.to(torch.uint8)
    return total % count
