"""Sums of decision trees over voxels of two phases, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

BITS = 10
"""Bits of a leaf's value: its logit is kept to a thousandth of the largest range of any tree, so sums are exact."""


@dataclass(frozen=True)
class Tree:
    """A decision tree as arrays over its nodes, each before those below it.

    Attributes:
        feature: ``(nodes,)`` which neighbour a node asks for, -1 in leaves.
        children: ``(nodes, 2)`` where a node leads to when that neighbour is pore, and when it is grain.
        value: ``(nodes,)`` what a leaf adds to the logit of grain; any number elsewhere.
    """

    feature: np.ndarray
    children: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class Forest:
    """The logit of the probability that a voxel is grain, as a sum over decision trees: ``offset + step * total``.

    Attributes:
        feature: ``(nodes,)`` int32, which neighbour a node asks for; -1 in leaves.
        children: ``(nodes, 2)`` int32, where a node leads to when that neighbour is pore, and when it is grain; a leaf
            leads to itself.
        value: ``(nodes,)`` int32, what a leaf adds to the total, from 0 to ``2**BITS - 1``; 0 elsewhere.
        roots: ``(trees,)`` int32, the first node of each tree.
        step: the logit of a unit of the total.
        offset: the logit of the total 0.
    """

    feature: torch.Tensor
    children: torch.Tensor
    value: torch.Tensor
    roots: torch.Tensor
    step: float
    offset: float

    @classmethod
    def of(cls, trees: Sequence[Tree], baseline: float) -> Forest:
        """Join trees whose leaves' values, and ``baseline``, add up to a logit."""
        leaves = [tree.value[tree.feature < 0] for tree in trees]
        step = max(max(float(np.ptp(values)) for values in leaves), 1e-6) / (2**BITS - 1)
        roots = np.cumsum([0, *(len(tree.feature) for tree in trees)])[:-1]
        children, value = [], []
        for tree, root, values in zip(trees, roots, leaves, strict=True):
            is_leaf = tree.feature < 0
            here = np.arange(len(is_leaf))[:, None]
            children.append(root + np.where(is_leaf[:, None], here, tree.children))
            value.append(np.where(is_leaf, np.rint((tree.value - values.min()) / step), 0))
        arrays = np.concatenate([t.feature for t in trees]), np.concatenate(children), np.concatenate(value), roots
        offset = baseline + sum(float(values.min()) for values in leaves)
        return cls(*(torch.from_numpy(a.astype(np.int32)) for a in arrays), step, offset)

    @property
    def largest_total(self) -> int:
        """What the largest leaves of all trees add up to, at most."""
        return len(self.roots) * (2**BITS - 1)

    def totals(self, neighbours: torch.Tensor) -> torch.Tensor:
        """Add up the leaves ``(n,)`` that ``neighbours`` ``(F, n)``, 1 where grain, lead to."""
        node = self.roots[:, None].expand(-1, neighbours.shape[1])
        while True:
            feature = self.feature[node]
            if (feature < 0).all():
                return self.value[node].sum(0)
            is_grain = neighbours.gather(0, feature.clamp(min=0).long())
            node = torch.where(is_grain > 0, self.children[node, 1], self.children[node, 0])

    def logits(self, neighbours: torch.Tensor) -> torch.Tensor:
        """Compute the logits ``(n,)`` of grain of voxels with ``neighbours`` ``(F, n)``."""
        return self.offset + self.step * self.totals(neighbours)

    def to(self, device: torch.device) -> Forest:
        """Copy to ``device``."""
        arrays = (self.feature, self.children, self.value, self.roots)
        return Forest(*(a.to(device) for a in arrays), self.step, self.offset)

    def plain(self) -> dict[str, Any]:
        """Give the attributes by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
