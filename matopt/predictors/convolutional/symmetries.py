"""Samples moved by the symmetries of properties: at random for training, in all ways for predictions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch

from matopt.properties import Symmetry


def randomly_moved(
    density: torch.Tensor, symmetry: Symmetry, axis: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Move each sample by an exchange of axes, and then by a random one of the moves that change no value.

    Args:
        density: ``(N, C, *S)``, and fields of the same samples that are moved with it.
        symmetry: what changes no value, besides mirroring.
        axis: ``(N,)`` the axis of space that is exchanged with axis 0; 0 leaves the sample as it is.
        generator: of the moves.
    """
    turns = list(itertools.permutations(symmetry.alike))
    turn = torch.randint(len(turns), (len(density),), generator=generator)
    turned = torch.empty_like(density)
    for a, t in itertools.product(axis.unique().tolist(), range(len(turns))):
        rows = (axis == a) & (turn == t)
        turned[rows] = _turned(density[rows].transpose(2, 2 + a), symmetry, turns[t])

    n, edges = len(density), density.shape[2:]
    index = []
    for dimension, edge in enumerate(edges):
        place = torch.arange(edge).expand(n, edge)
        is_mirrored = torch.rand(n, 1, generator=generator, dtype=torch.float32) < 0.5
        place = torch.where(is_mirrored, edge - 1 - place, place)
        if symmetry.shifts:
            place = (place + torch.randint(edge, (n, 1), generator=generator)) % edge
        index.append(place.view(n, *[edge if d == dimension else 1 for d in range(len(edges))]).to(density.device))
    sample = torch.arange(n, device=density.device).view(n, *[1] * len(edges))
    return turned.movedim(1, -1)[sample, *index].movedim(-1, 1)


def moved(density: torch.Tensor, symmetry: Symmetry) -> Iterator[torch.Tensor]:
    """Move samples ``(N, 1, *S)`` in all ways that change no value, but for shifts: mirrored and turned."""
    for turned in turns(density, symmetry):
        yield from mirror_images(turned)


def turns(density: torch.Tensor, symmetry: Symmetry) -> Iterator[torch.Tensor]:
    """Exchange those axes of samples ``(N, 1, *S)`` that are alike, in all ways; the first leaves them as they are."""
    for turn in itertools.permutations(symmetry.alike):
        yield _turned(density, symmetry, turn)


def mirror_images(density: torch.Tensor) -> Iterator[torch.Tensor]:
    """Mirror samples ``(N, 1, *S)`` along no axis, and along any of them."""
    axes = range(2, density.ndim)
    for n_mirrored in range(len(axes) + 1):
        for mirrored in itertools.combinations(axes, n_mirrored):
            yield density.flip(mirrored)


def _turned(density: torch.Tensor, symmetry: Symmetry, turn: tuple[int, ...]) -> torch.Tensor:
    """Put axes ``turn`` of space in the places of the axes that are alike."""
    order = list(range(density.ndim))
    for place, axis in zip(symmetry.alike, turn, strict=True):
        order[2 + place] = 2 + axis
    return density.permute(order)
