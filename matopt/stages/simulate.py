"""Simulation of microstructures: their properties, looked up where they were computed before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch

from matopt.data.labels.store import LabelBatch, LabelStore
from matopt.devices import device_named
from matopt.errors import InputError
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
    microstructures: Microstructures | np.ndarray,
    properties: str | Simulator | Sequence[str | Simulator],
    store: LabelStore | None = None,
    device: str = "cpu",
    voxel_size: float | str | None = None,
) -> PropertyTable:
    """Compute the properties of microstructures, with the status of each value.

    Args:
        microstructures: N of them; or an array of their phases ``(N, *S)``, which needs the voxel size.
        properties: P names, or simulators where their settings matter; one alone needs no list.
        store: where labels are looked up and kept; None computes all of them.
        device: where they are computed.
        voxel_size: of an array, in metres or as text: "5.345 um".

    Raises:
        InputError: a property that no simulator computes, an array without a voxel size, phases that are none, or a
            device that there is not.
    """
    device = str(device_named(device))  # also where the store has all labels
    if isinstance(properties, (str, Simulator)):
        properties = [properties]
    if isinstance(microstructures, Microstructures):
        if voxel_size is not None:
            raise InputError("microstructures have a voxel size of their own; leave `voxel_size` out")
    elif voxel_size is None:
        raise InputError("an array does not say how large its voxels are; add `voxel_size='5.345 um'`")
    else:
        microstructures = Microstructures(microstructures, cast(float, voxel_size))  # text becomes metres there
    if not properties:
        raise InputError("no property was named; write simulate(microstructures, ['youngs_modulus'])")
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
