"""The Markov random field of decision trees on causal neighbourhoods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from torch.nn import functional

from matopt.devices import device_named
from matopt.errors import InputError
from matopt.generators.base import GENERATORS, Generator, require_learnt
from matopt.generators.markov.calibration import calibrated
from matopt.generators.markov.canvas import sample
from matopt.generators.markov.forest import Forest
from matopt.generators.markov.learning import boosted_trees, single_tree
from matopt.generators.markov.neighbourhood import Examples, causal_offsets, examples
from matopt.generators.symmetries import found_flips
from matopt.microstructures import Microstructures
from matopt.training.report import Report, no_report

SMALLEST = 8
"""Voxels along an edge, at least."""
DEFAULTS = {2: (6, 20), 3: (2, 12)}
"""Radius and reach of the neighbourhood, by the number of dimensions."""
VALIDATION_EXAMPLES = 20_000
"""Voxels whose cross-entropy is reported."""


@GENERATORS.register("mrf")
class MarkovRandomField(Generator):
    """A Markov random field in raster order: decision trees give the probability of a voxel by its causal neighbours.

    Bostanabad et al. (2016, Acta Materialia 103, 89-102) learn a classification tree of a voxel by
    those before it in raster order, and draw voxel after voxel. ``model="tree"`` with ``fraction="fixed"`` is that: all
    samples have the training set's mean solid fraction. Boosted trees (Friedman 2001) with a free fraction are the
    stronger model, and the default. Samples are binary, and stationary: cut from within a larger raster. Their solid
    fraction is the training set's on average, by a constant that is added to all logits.

    Args:
        model: "boosted" for gradient-boosted trees, "tree" for one tree.
        fraction: "free", as the field has it, or "fixed": voxels' odds of grain rise while a sample has too little.
        radius: the neighbourhood has all voxels as near as this along every axis; None takes 6 in images, 2 in volumes.
        reach: and every ``spacing``-th voxel as near as this, at most a third of the shortest edge; None takes 20 in
            images, 12 in volumes.
        spacing: see ``reach``.
        examples: voxels to learn from, drawn from all training images at random.
        trees: how many are boosted.
        leaves: of a boosted tree, at most.
        learning_rate: of the boosting.
        smallest_leaf: fewest examples in a leaf of the single tree.
        flips: mirror images of a microstructure are as likely as itself; False where a fabric is slanted, None for what
            the training microstructures show.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(
        self,
        model: Literal["boosted", "tree"] = "boosted",
        fraction: Literal["free", "fixed"] = "free",
        radius: int | None = None,
        reach: int | None = None,
        spacing: int = 4,
        examples: int = 300_000,
        trees: int = 150,
        leaves: int = 63,
        learning_rate: float = 0.1,
        smallest_leaf: int = 8,
        flips: bool | None = None,
    ) -> None:
        if model not in ("boosted", "tree") or fraction not in ("free", "fixed"):
            raise InputError(
                f"an mrf's model is 'boosted' or 'tree', its fraction 'free' or 'fixed'; got {model!r} and {fraction!r}"
            )
        if min(examples, trees, smallest_leaf, spacing) < 1 or leaves < 2 or learning_rate <= 0:
            raise InputError(
                "an mrf needs examples, trees, smallest_leaf and spacing >= 1, leaves >= 2, learning_rate > 0; got "
                f"{examples}, {trees}, {smallest_leaf}, {spacing}, {leaves} and {learning_rate}"
            )
        if min(1 if n is None else n for n in (radius, reach)) < 1:
            raise InputError(f"an mrf needs a radius and a reach of at least one voxel; got {radius} and {reach}")
        self.model = model
        self.fraction = fraction
        self.radius = radius
        self.reach = reach
        self.spacing = spacing
        self.examples = examples
        self.trees = trees
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.smallest_leaf = smallest_leaf
        self.flips = flips
        self._device = torch.device("cpu")
        self._fitted: _Fitted | None = None

    def fit(
        self,
        train: Microstructures,
        validation: Microstructures | None = None,
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Learn the trees from ``train``; the cross-entropy of voxels, in nats, is reported once, at the end.

        Raises:
            InputError: edges below 8 voxels, or one phase alone.
        """
        offsets = self._offsets(train.shape)
        flips = found_flips(train.density(), self.flips, report)
        seen = examples(train.phases, offsets, self.examples, flips, seed)
        if len(set(seen.phase.tolist())) < 2:
            raise InputError("an mrf learns from two phases; these microstructures have one alone")
        if self.model == "tree":
            forest = single_tree(seen, self.smallest_leaf, seed)
        else:
            forest = boosted_trees(seen, self.trees, self.leaves, self.learning_rate, seed)
        solid = 1.0 - float(train.porosity.mean())
        forest = calibrated(forest, torch.from_numpy(offsets), train.shape, solid, seed)
        scalars = {"cross_entropy": _cross_entropy(forest, seen)}
        if validation is not None:
            held_out = examples(validation.phases, offsets, VALIDATION_EXAMPLES, flips, seed)
            scalars["validation_cross_entropy"] = _cross_entropy(forest, held_out)
        report(len(forest.roots), **scalars)
        self._fitted = _Fitted(forest, torch.from_numpy(offsets), solid, train.shape, train.voxel_size)
        return self

    def sample(self, n: int, seed: int) -> torch.Tensor:
        """Draw ``n`` binary microstructures as densities ``(n, 1, *S)``."""
        learnt = self._learnt
        is_held, generator = self.fraction == "fixed", torch.Generator().manual_seed(seed)
        forest = learnt.forest.to(self._device)
        phases = sample(forest, learnt.offsets, learnt.shape, n, learnt.solid_fraction, is_held, generator)
        return phases[:, None].float()

    @property
    def voxel_size(self) -> float:
        """The voxel size of the microstructures that were learnt from, in metres."""
        return self._learnt.voxel_size

    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``, where samples are drawn; trees are learnt on the processor. Returns itself."""
        self._device = device_named(device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Give image shape, voxel size, mean solid fraction, neighbourhood and trees."""
        learnt = self._learnt
        return {
            "shape": list(learnt.shape),
            "voxel_size": learnt.voxel_size,
            "solid_fraction": learnt.solid_fraction,
            "offsets": learnt.offsets,
            "forest": learnt.forest.plain(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another generator learnt."""
        forest = Forest(**state["forest"])
        shape = tuple(state["shape"])
        self._fitted = _Fitted(forest, state["offsets"], state["solid_fraction"], shape, state["voxel_size"])

    def _offsets(self, shape: tuple[int, ...]) -> np.ndarray:
        if min(shape) < SMALLEST:
            raise InputError(f"an mrf needs edges of at least {SMALLEST} voxels; got {' x '.join(map(str, shape))}")
        radius, reach = DEFAULTS[len(shape)]
        furthest = min(shape) // 3
        radius = min(self.radius or radius, furthest)
        reach = max(min(self.reach or reach, furthest), radius)
        return causal_offsets(len(shape), radius, reach, self.spacing)

    @property
    def _learnt(self) -> _Fitted:
        return require_learnt(self._fitted)


def _cross_entropy(forest: Forest, seen: Examples) -> float:
    part = slice(VALIDATION_EXAMPLES)
    logits = forest.logits(torch.from_numpy(seen.neighbours[part].T.copy()))
    return float(functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(seen.phase[part]).float()))


@dataclass(frozen=True)
class _Fitted:
    forest: Forest
    offsets: torch.Tensor
    solid_fraction: float
    shape: tuple[int, ...]
    voxel_size: float
