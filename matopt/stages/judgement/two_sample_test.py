"""The classifier two-sample test: how well a small network that has learnt to tell two sets apart does on new ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from matopt.descriptors.patterns import pattern_frequencies
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.predictors.convolutional.symmetries import randomly_moved
from matopt.properties import Symmetry
from matopt.stages.judgement.discriminator import Discriminator
from matopt.stages.judgement.resampling import AuthenticPool
from matopt.torch_modes import learning
from matopt.training.loop import train

FOLDS = 4
BATCH = 64
EPOCHS = 8
"""Passes over the training folds; with few microstructures more, so that there are at least :data:`FEWEST_STEPS`."""

FEWEST_STEPS = 120


@dataclass(frozen=True)
class TwoSampleTest:
    """Cross-validated accuracies of a classifier of two sets of equal size; one half is chance.

    Attributes:
        set_size: microstructures in each set.
        accuracies: samples against authentic sets, once for each of several resampled authentic sets.
        null: authentic sets against each other.
    """

    set_size: int
    accuracies: tuple[float, ...]
    null: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """The mean accuracy for samples."""
        return float(np.mean(self.accuracies))

    @property
    def excess(self) -> float:
        """The mean accuracy for samples less that for authentic sets."""
        return self.accuracy - float(np.mean(self.null))


class Classifier:
    """Runs classifier two-sample tests against an authentic pool; their null is computed once.

    Args:
        pool: held-out authentic microstructures. Windows of one group are never in training and test folds at once.
        set_size: microstructures in each set; at most what half of the pool's groups holds.
        repeats: authentic sets, and pairs of them, that are drawn.
        seed: of all randomness.

    Raises:
        InputError: larger sets than the pool holds.

    Source: Lopez-Paz and Oquab, ICLR 2017, arXiv 1610.06545.
    """

    def __init__(self, pool: AuthenticPool, set_size: int, repeats: int = 2, seed: int = 0) -> None:
        if set_size > pool.largest_set:
            raise InputError(
                f"half of the authentic pool's groups holds {pool.largest_set} microstructures of {set_size}"
            )
        self.pool, self.set_size, self._seed = pool, set_size, seed
        random = np.random.default_rng(seed)
        self._density = pool.microstructures.density()
        self._sets = [
            tuple(random.choice(half, set_size, replace=False) for half in halves)
            for halves in pool.halves(seed, repeats)
        ]
        self._null = tuple(
            self._accuracy(self._density[first], pool.groups[first], second, seed + repeat)
            for repeat, (first, second) in enumerate(self._sets)
        )

    def test(self, samples: Microstructures, groups: np.ndarray | None = None) -> TwoSampleTest:
        """Test whether samples can be told from the pool.

        Args:
            samples: N of them, a set at least.
            groups: ``(N,)`` numbers; samples of one group, mirror images of one another say, are never in training and
                test folds at once. Each sample is its own by default.

        Raises:
            InputError: fewer samples than a set, or of another shape or voxel size; groups of another length.
        """
        groups = np.arange(len(samples)) if groups is None else groups
        if groups.shape != (len(samples),):
            raise InputError(f"groups must name one group for each of {len(samples)} samples; got {groups.shape}")
        self.pool.check_alike(samples, "samples")
        if len(samples) < self.set_size:
            raise InputError(f"the classifier compares sets of {self.set_size}; got {len(samples)} samples")
        random = np.random.default_rng(self._seed)
        density = samples.density()
        accuracies = []
        for repeat, (authentic, _) in enumerate(self._sets):
            some = random.choice(len(samples), self.set_size, replace=False)
            accuracies.append(self._accuracy(density[some], groups[some], authentic, self._seed + repeat))
        return TwoSampleTest(self.set_size, tuple(accuracies), self._null)

    def _accuracy(self, density: torch.Tensor, groups: np.ndarray, authentic: np.ndarray, seed: int) -> float:
        return cross_validated_accuracy(density, groups, self._density[authentic], self.pool.groups[authentic], seed)


@learning
def cross_validated_accuracy(
    first: torch.Tensor, first_groups: np.ndarray, second: torch.Tensor, second_groups: np.ndarray, seed: int
) -> float:
    """Train a :class:`Discriminator` on all folds but one, test it on that one, and average over the folds.

    Args:
        first: ``(N, 1, *S)`` binary densities.
        first_groups: ``(N,)`` numbers; a group is in one fold.
        second: ``(M, 1, *S)``.
        second_groups: ``(M,)``.
        seed: of folds, networks and batches.

    Returns:
        the mean of the shares of both sets that are told right.
    """
    random = np.random.default_rng(seed)
    folds = np.concatenate([_folds(groups, random) for groups in (first_groups, second_groups)])
    density = torch.cat([first, second])
    is_second = torch.cat(
        [torch.zeros(len(first), dtype=torch.float32), torch.ones(len(second), dtype=torch.float32)]
    ).to(density.device)
    patterns = pattern_frequencies(density).sqrt()
    told = torch.zeros(len(density), dtype=torch.bool, device=density.device)
    for fold in range(FOLDS):
        held_out = torch.from_numpy(folds == fold).to(density.device)
        network = _trained(density[~held_out], patterns[~held_out], is_second[~held_out], int(random.integers(2**31)))
        told[held_out] = (network.logits(density[held_out], patterns[held_out]) > 0) == (is_second[held_out] > 0)
    return float((told[: len(first)].float().mean() + told[len(first) :].float().mean()) / 2)


def _folds(groups: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Deal groups to folds ``(N,)``, each to the fold that has least by then, large groups first."""
    names, members = np.unique(groups, return_inverse=True)
    sizes = np.bincount(members)
    order = random.permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold_of, filled = np.zeros(len(names), int), np.zeros(FOLDS)
    for group in order:
        fold_of[group] = np.argmin(filled)
        filled[fold_of[group]] += sizes[group]
    return fold_of[members]


def _trained(density: torch.Tensor, patterns: torch.Tensor, is_second: torch.Tensor, seed: int) -> Discriminator:
    generator = torch.Generator().manual_seed(seed)
    network = Discriminator.seeded(density.ndim - 2, patterns.shape[1], seed).to(density.device)
    halves = [(is_second == kind).nonzero()[:, 0] for kind in (0, 1)]

    def loss(step: int, progress: float) -> Mapping[str, torch.Tensor]:
        # As many of each set in every batch, whatever the folds hold.
        rows = torch.cat([half[torch.randint(len(half), (BATCH // 2,), generator=generator)] for half in halves])
        logits = network(randomly_moved(density[rows], Symmetry(), torch.zeros_like(rows), generator), patterns[rows])
        error = torch.nn.functional.binary_cross_entropy_with_logits(logits, is_second[rows])
        return {"loss": error}

    steps = max(FEWEST_STEPS, EPOCHS * len(density) // BATCH)
    train(network, loss, steps=steps, learning_rate=3e-3, weight_decay=0.05, every=steps)
    return network
