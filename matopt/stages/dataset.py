"""The data stage's result as an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from matopt.microstructures import Microstructures
from matopt.properties import Property, PropertyTable
from matopt.stages.data import Dataset, LabelledSet

_SPLITS = ("train", "validation", "test")


def dataset_payload(dataset: Dataset) -> dict[str, Any]:
    """A dataset as tensors and plain values, for an artifact store."""
    return {name: _pack(getattr(dataset, name)) for name in _SPLITS}


def read_dataset(payload: Mapping[str, Any], properties: Sequence[Property]) -> Dataset:
    """The dataset of a payload; ``properties`` are the columns of its labels."""
    return Dataset(**{name: _unpack(payload[name], tuple(properties)) for name in _SPLITS})


def _pack(part: LabelledSet) -> dict[str, Any]:
    return {
        "phases": torch.from_numpy(part.microstructures.phases.copy()),
        "voxel_size": part.microstructures.voxel_size,
        "values": torch.from_numpy(part.labels.values.copy()),
        "status": part.labels.status.tolist(),
        "residual": torch.from_numpy(part.labels.residual.copy()),
    }


def _unpack(part: Mapping[str, Any], properties: tuple[Property, ...]) -> LabelledSet:
    values = part["values"].numpy()
    status = np.array(part["status"]).reshape(values.shape)
    microstructures = Microstructures(part["phases"].numpy(), part["voxel_size"])
    return LabelledSet(microstructures, PropertyTable(properties, values, status, part["residual"].numpy()))
