"""The data stage: authentic microstructures, split and labelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from matopt.data.sources.base import Source
from matopt.data.windows.window import Window
from matopt.microstructures import Microstructures
from matopt.properties import PropertyTable
from matopt.registry import content_key

LabelFunction = Callable[[Microstructures], PropertyTable]
"""Whatever labels microstructures: the simulators behind the label store, here or on a cluster."""


@dataclass(frozen=True)
class LabelledSet:
    """Microstructures with their properties, row by row."""

    microstructures: Microstructures
    labels: PropertyTable

    def __len__(self) -> int:
        return len(self.microstructures)

    def __getitem__(self, index: slice | Sequence[int] | np.ndarray) -> LabelledSet:
        return LabelledSet(self.microstructures[index], self.labels[index])

    def __add__(self, other: LabelledSet) -> LabelledSet:
        return LabelledSet(
            Microstructures.concatenate([self.microstructures, other.microstructures]),
            PropertyTable.concatenate([self.labels, other.labels]),
        )

    def spread(self, most: int) -> LabelledSet:
        """All rows, or ``most`` of them at even distances: rows lie as in the scan, the first at one place."""
        count = min(most, len(self))
        return self[np.arange(count) * len(self) // max(count, 1)]

    @cached_property
    def key(self) -> str:
        """A hash of the content: images, voxel size, values along all axes, statuses."""
        return content_key(
            list(self.microstructures.hashes),
            self.microstructures.voxel_size,
            self.labels.names,
            self.labels.along.tolist(),
            self.labels.status.tolist(),
        )


@dataclass(frozen=True)
class Dataset:
    """The three splits of the authentic microstructures. The test split is for the evaluation alone."""

    train: LabelledSet
    validation: LabelledSet
    test: LabelledSet


def prepare(source: Source, window: Window, counts: Mapping[str, int], seed: int, label: LabelFunction) -> Dataset:
    """Cut, split and label the authentic microstructures.

    Args:
        source: where they come from.
        window: how they are cut.
        counts: how many of "train", "validation" and "test".
        seed: of the choice of windows.
        label: computes or looks up their properties.

    Raises:
        InputError: the source cannot fill a split.
    """
    parts = source.split(window, counts, seed)
    together = label(Microstructures.concatenate(list(parts.values())))
    labelled, first = {}, 0
    for name, part in parts.items():
        labelled[name] = LabelledSet(part, together[first : first + len(part)])
        first += len(part)
    return Dataset(**labelled)
