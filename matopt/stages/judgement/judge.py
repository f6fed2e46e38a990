"""The judge of generators: each distance of their samples as a percentile among pairs of authentic sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from matopt.descriptors.greyness import grey_share
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.properties import NOT_CONVERGED, PropertyTable
from matopt.stages.judgement.copies import Copies, count_copies, nearest_training
from matopt.stages.judgement.distances import wasserstein
from matopt.stages.judgement.resampling import AuthenticPool
from matopt.stages.judgement.statistics import STATISTICS, TEN, Distance
from matopt.stages.judgement.style import StyleSpace

GREY = 0.1
"""An image is grey where more than this share of its voxels lies between .1 and .9."""

SetDistance = Callable[[np.ndarray, np.ndarray], float]
"""Compares two sets by the numbers ``(m,)`` of their members."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a generator drew.

    Attributes:
        raw: ``(N, 1, *S)`` densities as they were drawn.
        voxel_size: metres.
        properties: N rows of simulated properties of the binarised samples; None where geometry alone is judged.

    Raises:
        InputError: properties of another length.
    """

    raw: torch.Tensor
    voxel_size: float
    properties: PropertyTable | None = None

    def __post_init__(self) -> None:
        if self.properties is not None and len(self.properties) != len(self.raw):
            raise InputError(f"properties have {len(self.properties)} rows for {len(self.raw)} samples")

    @property
    def microstructures(self) -> Microstructures:
        """The samples, binarised."""
        return Microstructures.from_density(self.raw, self.voxel_size)


@dataclass(frozen=True)
class JudgedDistance:
    """A distance of samples from authentic microstructures, beside that of authentic sets from each other.

    Attributes:
        name: of the distance.
        value: median over the resampled authentic sets.
        null_median: median over pairs of authentic sets.
        null_95: their 95th percentile.
        percentile: share of these pairs that are less far apart, in per cent.
        deviations: by how many standard deviations of these pairs the value is above their mean.
    """

    name: str
    value: float
    null_median: float
    null_95: float
    percentile: float
    deviations: float

    @property
    def is_within(self) -> bool:
        """Whether the samples are no farther off than 95 % of pairs of authentic sets are apart."""
        return self.value <= self.null_95

    @property
    def multiple(self) -> float:
        """The value over the median of authentic pairs; infinite where that is 0 and the value is not."""
        if self.null_median == 0:
            return float("inf") if self.value > 0 else 1.0
        return self.value / self.null_median


@dataclass(frozen=True)
class Judgement:
    """What the judge says of a generator's samples.

    Attributes:
        set_size: microstructures in each compared set.
        pairs: of authentic sets.
        distances: of geometry, then of properties.
        style: the energy distance of style vectors.
        spread: mean style distance between two samples, over that between two authentic microstructures.
        grey_images: share of samples with over a tenth of their voxels between .1 and .9, before they are binarised.
        copies: how many are near to the training set.
    """

    set_size: int
    pairs: int
    distances: tuple[JudgedDistance, ...]
    style: JudgedDistance
    spread: float
    grey_images: float
    copies: Copies

    def distance(self, name: str) -> JudgedDistance:
        """Find a distance by name."""
        return next(distance for distance in self.distances if distance.name == name)

    @property
    def within_of_ten(self) -> int:
        """How many of the ten distances of geometry are within those of authentic pairs."""
        return sum(self.distance(name).is_within for name in TEN)


class Judge:
    """Compares samples with authentic microstructures, and these with each other in the same way.

    The null are pairs of sets drawn from disjoint halves of the pool's groups, over and over. Samples are compared with
    the first set of each pair, in sets of the same size, so that both have the same finite-sample bias; the median over
    the pairs is their distance.

    Args:
        pool: held-out authentic microstructures.
        train: those that the generators were fitted to.
        drawn: how many samples each generator will draw at least. Sets are so large, or as half of the pool's groups.
        pairs: of authentic sets, 50 at least.
        seed: of the resampling.

    Raises:
        InputError: microstructures that do not go together, too few of them, or too few pairs.
    """

    def __init__(
        self, pool: AuthenticPool, train: Microstructures, drawn: int, pairs: int = 100, seed: int = 0
    ) -> None:
        if pairs < 50:
            raise InputError(f"a 95th percentile needs at least 50 pairs of authentic sets, not {pairs}")
        pool.check_alike(train, "training microstructures")
        self.pool = pool
        self.set_size = pool.set_size(drawn)
        self._seed = seed
        random = np.random.default_rng(seed)
        self._pairs = [
            (random.choice(first, self.set_size, replace=False), random.choice(second, self.set_size, replace=False))
            for first, second in pool.halves(seed, pairs)
        ]
        self.train = train
        density, seen = pool.microstructures.density(), train.density()
        self._measured = [statistic.of(density) for statistic in STATISTICS]
        self._space = StyleSpace(seen, density)
        self._nearest = nearest_training(density, seen)
        self._null = {"style": self._between(self._space.authentic)}
        for statistic, rows in zip(STATISTICS, self._measured, strict=True):
            for name, distance in statistic.distances.items():
                self._null[name] = self._between(_of_rows(distance, rows, rows))
        if pool.properties is not None:
            for name in pool.properties.names:
                values = pool.properties.column(name)
                self._null[name] = self._between(_of_rows(wasserstein, values, values))

    def _between(self, distance: SetDistance) -> np.ndarray:
        """Compute a distance for all pairs of authentic sets."""
        return np.array([distance(first, second) for first, second in self._pairs])

    def judge(self, drawn: Drawn) -> Judgement:
        """Judge what a generator drew.

        Raises:
            InputError: fewer samples than announced, or such that do not go with the pool.
        """
        samples = drawn.microstructures
        self.pool.check_alike(samples, "samples")
        if len(samples) < self.set_size:
            raise InputError(f"the judge compares sets of {self.set_size}; got {len(samples)} samples")
        density = samples.density()
        random = np.random.default_rng(self._seed)
        chosen = [random.choice(len(samples), self.set_size, replace=False) for _ in self._pairs]

        def judged(name: str, distance: SetDistance) -> JudgedDistance:
            values = [distance(some, first) for some, (first, _) in zip(chosen, self._pairs, strict=True)]
            return _beside(name, float(np.median(values)), self._null[name])

        rows = []
        for statistic, theirs in zip(STATISTICS, self._measured, strict=True):
            ours = statistic.of(density)
            for name, distance in statistic.distances.items():
                rows.append(judged(name, _of_rows(distance, ours, theirs)))
        if drawn.properties is not None and self.pool.properties is not None:
            _check_converged(drawn.properties, self.pool.properties)
            for name in self.pool.properties.names:
                ours, theirs = (table.column(name) for table in (drawn.properties, self.pool.properties))
                rows.append(judged(name, _of_rows(wasserstein, ours, theirs)))
        placed = self._space.place(density)
        return Judgement(
            self.set_size,
            len(self._pairs),
            tuple(rows),
            judged("style", placed.distance),
            placed.spread,
            float((grey_share(drawn.raw) > GREY).float().mean()),
            count_copies(nearest_training(density, self.train.density()), self._nearest, self.pool.groups, self._seed),
        )


def _of_rows(distance: Distance, first: np.ndarray, second: np.ndarray) -> SetDistance:
    """Make a distance of rows one of sets that are given by the numbers of their rows."""
    return lambda i, j: distance(first[i], second[j])


def _beside(name: str, value: float, null: np.ndarray) -> JudgedDistance:
    percentile = 100 * float((null < value).mean() + (null == value).mean() / 2)
    above, deviation = value - float(null.mean()), float(null.std(ddof=1))
    deviations = above / deviation if deviation > 0 else (float(np.copysign(np.inf, above)) if above else 0.0)
    return JudgedDistance(name, value, float(np.median(null)), float(np.quantile(null, 0.95)), percentile, deviations)


def _check_converged(*tables: PropertyTable) -> None:
    if tables[0].names != tables[1].names:
        raise InputError(f"samples have the properties {tables[0].names}, the authentic pool {tables[1].names}")
    for table in tables:
        if (count := int((table.status == NOT_CONVERGED).sum())) > 0:
            raise InputError(f"{count} property values are not converged; solve them with more iterations")
