"""Simulation of microstructures: their properties, looked up where they were computed before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from matopt.data.labels.store import LabelBatch, LabelStore
from matopt.devices import device_named
from matopt.microstructures import Microstructures
from matopt.physics.base import Simulator, simulators
from matopt.properties import PropertyTable


def compute(simulator: Simulator, microstructures: Microstructures, device: str = "cpu") -> LabelBatch:
    """Compute the property of one simulator for a batch of microstructures, on ``device``."""
    with torch.no_grad():
        solution = simulator.solve(microstructures.density(device), microstructures.voxel_size)
    return LabelBatch(
        solution.values.double().cpu().numpy(),
        solution.status,
        solution.residual,
        solution.tensor.double().cpu().numpy(),
    )


def simulate(
    microstructures: Microstructures,
    properties: Sequence[str | Simulator],
    store: LabelStore | None = None,
    device: str = "cpu",
) -> PropertyTable:
    """Compute the properties of microstructures, with the status of each value.

    Args:
        microstructures: N of them.
        properties: P names, or simulators where their settings matter.
        store: where labels are looked up and kept; None computes all of them.
        device: where they are computed.

    Raises:
        InputError: a property that no simulator computes, or a device that there is not.
    """
    device = str(device_named(device))  # also where the store has all labels
    chosen = [p if isinstance(p, Simulator) else simulators([p])[0] for p in properties]
    if store is not None:
        return store.label(microstructures, chosen, lambda s, m: compute(s, m, device))
    columns = [compute(simulator, microstructures, device) for simulator in chosen]
    dimensions = len(microstructures.shape)
    exchanged = [s.exchanged(np.asarray(c.tensor), dimensions) for s, c in zip(chosen, columns, strict=True)]
    return PropertyTable(
        tuple(simulator.property for simulator in chosen),
        np.stack([column.values for column in columns], axis=1),
        np.stack([column.status for column in columns], axis=1),
        np.stack([column.residual for column in columns], axis=1),
        np.stack(exchanged, axis=1),
    )
