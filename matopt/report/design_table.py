"""All designs of a study as one table: what was promised, what the physics found, and the microstructures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from matopt.atomic_write import atomic_write
from matopt.stages.records import DesignResult, SpaceResult

NAME = "designs.parquet"


def write_designs(folder: Path, design: DesignResult) -> Path:
    """Write ``designs.parquet``: a row for each seed at each step that the physics was asked about.

    Its columns are ``space``, ``role`` (``design`` or a baseline), ``seed``, ``step``, ``property``, ``predicted`` and
    ``physics`` (SI), ``usable`` (whether the simulators call it ``ok``), the same four of the other property that was
    wanted, ending in ``_against`` (null where there was none), ``porosity``, ``distance`` from the authentic
    morphologies and the ``limit`` on it (null without a trust region), ``judged`` (how often the judge was asked about
    the design on its whole way) and ``phases``, an Arrow tensor of ``(*S)`` uint8, 1 in grain.

    Args:
        folder: where it goes.
        design: what the design stage found.

    Returns:
        The file's path.

    Raises:
        FailureError: the folder cannot be written to.
    """
    tables = [_table(run, design) for run in (*design.spaces, *design.baselines)]
    path = folder / NAME
    with atomic_write(path) as partial:
        pq.write_table(pa.concat_tables(tables), partial, compression="zstd")
    return path


def _table(run: SpaceResult, design: DesignResult) -> pa.Table:
    seeds, steps = run.predicted.shape
    n = seeds * steps
    has_region = run.limit is not None
    distance = run.distance.double().numpy().ravel()
    other, none = run.against, [None] * n
    return pa.table(
        {
            "space": pa.array([run.space] * n),
            "role": pa.array([run.role] * n),
            "seed": np.repeat(np.arange(seeds), steps),
            "step": np.tile(np.array(run.checked), seeds),
            "property": pa.array([design.property] * n),
            "predicted": run.predicted.double().numpy().ravel(),
            "physics": run.true.double().numpy().ravel(),
            "usable": run.usable.numpy().ravel(),
            "property_against": pa.array([design.against] * n, pa.string()),
            "predicted_against": pa.array(
                none if other is None or other.predicted is None else other.predicted.double().numpy().ravel(),
                pa.float64(),
            ),
            "physics_against": pa.array(none if other is None else other.true.double().numpy().ravel(), pa.float64()),
            "usable_against": pa.array(none if other is None else other.usable.numpy().ravel(), pa.bool_()),
            "porosity": run.porosity.ravel(),
            "distance": pa.array(distance if has_region else none, pa.float64()),
            "limit": pa.array([run.limit] * n, pa.float64()),
            "judged": np.repeat(run.solves.numpy(), steps),
            "phases": pa.FixedShapeTensorArray.from_numpy_ndarray(run.snapshots.flatten(0, 1).contiguous().numpy()),
        }
    )
