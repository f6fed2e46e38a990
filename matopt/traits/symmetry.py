"""What leaves a property as it is in the physics leaves it as it is in a model."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from matopt.properties import Symmetry as Allowed
from matopt.traits.base import TRAITS, PropertyModel, Trait


@TRAITS.register("symmetry")
class Symmetry(Trait):
    """How far properties change where a sample is moved by what changes none of them, relative to their size.

    A sample is mirrored along each axis; where the property says so (:attr:`matopt.properties.Property.symmetries`),
    also shifted by a third of its edges on the torus, and any two axes that are alike are exchanged, where the sample's
    edges are equal. The residual of a move is ``|a - b| / (|a| + |b|)`` of the property before and after, from 0 to 1;
    the mean over the moves of a property and over the properties of the model.

    Source: the boundary conditions of each simulator; its own tests show that it keeps to what its property states.
    """

    def residual(self, model: PropertyModel, density: torch.Tensor) -> torch.Tensor:
        """``(N,)`` relative changes, see the class."""
        allowed = [p.symmetry(density.ndim - 2) for p in model.properties]
        before = model.predict(density)
        changes: list[list[torch.Tensor]] = [[] for _ in allowed]
        for moved, columns in _moves(density, allowed):
            after = model.predict(moved)
            size = (before.abs() + after.abs()).clamp_min(torch.finfo(before.dtype).tiny)
            apart = (before - after).abs() / size
            for column in columns:
                changes[column].append(apart[:, column])
        return torch.stack([torch.stack(of_property).mean(0) for of_property in changes]).mean(0)


def _moves(density: torch.Tensor, allowed: list[Allowed]) -> Iterator[tuple[torch.Tensor, list[int]]]:
    """The moved samples, each with the columns of the properties that it leaves as they are."""
    edges = density.shape[2:]
    every = list(range(len(allowed)))
    for axis in range(len(edges)):
        yield density.flip(2 + axis), every
    if shifted := [column for column in every if allowed[column].shifts]:
        yield density.roll([edge // 3 or 1 for edge in edges], list(range(2, density.ndim))), shifted
    for first in range(len(edges)):
        for second in range(first + 1, len(edges)):
            alike = [column for column in every if {first, second} <= set(allowed[column].alike)]
            if alike and edges[first] == edges[second]:
                yield density.transpose(2 + first, 2 + second), alike
