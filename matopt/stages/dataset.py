"""The dataset as the artifact store keeps it: without its properties, which the simulators name when it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from matopt.microstructures import Microstructures
from matopt.properties import Property, PropertyTable
from matopt.stages.data import Dataset, LabelledSet


@dataclass(frozen=True, eq=False)
class SavedSplit:
    """N microstructures and the arrays of their :class:`matopt.properties.PropertyTable`."""

    microstructures: Microstructures
    values: np.ndarray
    status: np.ndarray
    residual: np.ndarray
    exchanged: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class SavedDataset:
    """A :class:`matopt.stages.data.Dataset` in an artifact store."""

    train: SavedSplit
    validation: SavedSplit
    test: SavedSplit

    @staticmethod
    def of(dataset: Dataset) -> SavedDataset:
        """Take from a dataset what is saved of it."""
        return SavedDataset(_saved(dataset.train), _saved(dataset.validation), _saved(dataset.test))

    def restored(self, properties: Sequence[Property]) -> Dataset:
        """Give the dataset back; ``properties`` are the P columns of its labels."""
        columns = tuple(properties)
        return Dataset(*(_restored(split, columns) for split in (self.train, self.validation, self.test)))


def _saved(split: LabelledSet) -> SavedSplit:
    labels = split.labels
    return SavedSplit(split.microstructures, labels.values, labels.status, labels.residual, labels.exchanged)


def _restored(split: SavedSplit, properties: tuple[Property, ...]) -> LabelledSet:
    table = PropertyTable(properties, split.values, split.status, split.residual, split.exchanged)
    return LabelledSet(split.microstructures, table)
