"""Pairs of authentic sets, drawn from disjoint halves of the groups of an authentic pool: the null of all judges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.properties import PropertyTable

FEWEST_GROUPS = 8
"""Fewer groups have fewer than 70 halves, and resampled pairs would repeat each other."""

SHORTEST_EDGE = 8
"""Of a judged microstructure, in voxels: three halvings of the classifier, and curves of more than two points."""

SMALLEST_SET = 8
"""In smaller sets even coarse differences drown."""


@dataclass(frozen=True, eq=False)
class AuthenticPool:
    """Authentic microstructures that no generator has seen, in groups that are independent of each other.

    Attributes:
        microstructures: M of them.
        groups: ``(M,)`` the number of the group of each. Windows of one block of a scan are alike, and are one group;
            realisations of a process are a group each.
        properties: M rows of simulated properties; None where geometry alone is judged.

    Raises:
        InputError: groups or properties of another length, fewer than :data:`FEWEST_GROUPS` groups, or edges below
            :data:`SHORTEST_EDGE`.
    """

    microstructures: Microstructures
    groups: np.ndarray
    properties: PropertyTable | None = None

    def __post_init__(self) -> None:
        count = len(self.microstructures)
        if min(self.microstructures.shape) < SHORTEST_EDGE:
            raise InputError(
                f"microstructures of {self.microstructures.shape} voxels are too small to be judged; their edges need "
                f"{SHORTEST_EDGE}"
            )
        if self.groups.shape != (count,):
            raise InputError(f"groups must name one group for each of {count} microstructures; got {self.groups.shape}")
        if self.properties is not None and len(self.properties) != count:
            raise InputError(f"properties have {len(self.properties)} rows for {count} authentic microstructures")
        if (found := len(np.unique(self.groups))) < FEWEST_GROUPS:
            raise InputError(
                f"the authentic pool has {found} independent groups; pairs of authentic sets need {FEWEST_GROUPS}: "
                "cut windows from more blocks of the scan, or from smaller ones"
            )

    @property
    def largest_set(self) -> int:
        """How many microstructures every half of the groups holds at least."""
        sizes = np.sort(np.unique(self.groups, return_counts=True)[1])
        return int(sizes[: len(sizes) // 2].sum())

    def halves(self, seed: int, pairs: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Split the groups into two halves at random, ``pairs`` times, and list the microstructures in each half."""
        names = np.unique(self.groups)
        random = np.random.default_rng(seed)
        splits = []
        for _ in range(pairs):
            order = random.permutation(names)
            in_first = np.isin(self.groups, order[: len(names) // 2])
            splits.append((np.flatnonzero(in_first), np.flatnonzero(~in_first)))
        return splits

    def set_size(self, drawn: int) -> int:
        """Choose the size of all compared sets: as many as were drawn, if every half of the groups holds as many.

        Raises:
            InputError: sets would be smaller than :data:`SMALLEST_SET`.
        """
        size = min(drawn, self.largest_set)
        if size < SMALLEST_SET:
            raise InputError(
                f"sets of {size} are too small to be judged by; they need {SMALLEST_SET}: draw more samples "
                f"({drawn} now), or add authentic microstructures (half of the groups holds {self.largest_set})"
            )
        return size

    def check_alike(self, other: Microstructures, name: str) -> None:
        """Refuse, with an InputError, microstructures of another shape or voxel size than the pool's."""
        pool = self.microstructures
        if (other.shape, other.voxel_size) != (pool.shape, pool.voxel_size):
            raise InputError(
                f"{name} of {other.shape} voxels of {other.voxel_size:g} m cannot be compared with an authentic pool "
                f"of {pool.shape} voxels of {pool.voxel_size:g} m"
            )
