"""Representative volumes: how properties depend on the size of the window that they are computed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from matopt.data.labels.store import LabelStore
from matopt.data.tables import write_columns
from matopt.data.windows.scan import Scan
from matopt.errors import InputError
from matopt.physics.base import Simulator
from matopt.properties import NOT_CONVERGED, STATUSES, Property, PropertyTable
from matopt.stages.simulate import simulate


@dataclass(frozen=True)
class SizePoint:
    """The statistics of one property over windows of one size.

    Attributes:
        property: which one.
        size: edge of the windows in voxels.
        length: the same in metres.
        mean, deviation: of the values, SI units. Windows in which nothing carries count with the value 0; those that
            did not converge are left out.
        low, median, high: the quantiles 0.1, 0.5 and 0.9.
        counts: how many windows have which status.
    """

    property: Property
    size: int
    length: float
    mean: float
    deviation: float
    low: float
    median: float
    high: float
    counts: dict[str, int]

    @property
    def spread(self) -> float:
        """Deviation over mean; a sample is representative to within what one is ready to accept of it."""
        return self.deviation / self.mean if self.mean else float("nan")


def size_curves(
    scan: Scan,
    properties: Sequence[str | Simulator],
    sizes: Sequence[int],
    windows: int = 20,
    dimensions: int = 2,
    slice_step: int | None = None,
    store: LabelStore | None = None,
    device: str = "cpu",
    seed: int = 0,
    advance: Callable[[int], None] = lambda count: None,
) -> list[SizePoint]:
    """Compute properties against the size of the window, with their spread between windows.

    Windows of one size do not overlap and are chosen at random over the whole scan. Where the mean no longer changes
    with the size, and the spread is small enough, windows are representative volumes (Kanit, Forest, Galliet, Mounoury,
    Jeulin, Int. J. Solids Struct. 40 (2003) 3647). The largest sizes have few windows: look at ``counts``.

    Args:
        scan: what windows are cut from.
        properties: names, or simulators where their settings matter.
        sizes: edges of windows in voxels.
        windows: at most how many of each size.
        dimensions: 2 for windows of slices, 3 for subvolumes.
        slice_step: distance between slices of a volume, in voxels; by default as far as it takes not to look alike.
        store: where labels are looked up and kept.
        device: where they are computed.
        seed: of the choice.
        advance: told how many windows have been computed, as they are.

    Returns:
        A point for each property and size, property by property, sizes ascending.

    Raises:
        InputError: no sizes, no windows, a size that the scan does not hold, or a property that no simulator computes.
    """
    if not sizes or windows < 1:
        raise InputError("size curves need at least one size and at least one window of each")
    tables = {}
    for size in sorted(set(sizes)):
        cuts = scan.windows(size, dimensions=dimensions, slice_step=slice_step)
        corners = cuts.choose({"all": min(windows, len(cuts))}, seed)["all"]
        parts = []
        for corner in corners:
            # One at a time: windows grow, and all of one size may be more than the memory holds.
            parts.append(simulate(cuts.cut(corner[None]), properties, store, device))
            advance(1)
        tables[size] = PropertyTable.concatenate(parts)
    columns = next(iter(tables.values())).properties
    return [
        _point(p, size, size * scan.voxel_size, table.values[:, i], table.status[:, i])
        for i, p in enumerate(columns)
        for size, table in tables.items()
    ]


def _point(p: Property, size: int, length: float, values: np.ndarray, status: np.ndarray) -> SizePoint:
    found = values[status != NOT_CONVERGED]
    statistics = [float("nan")] * 5
    if len(found):
        statistics = [found.mean(), found.std(), *np.quantile(found, (0.1, 0.5, 0.9))]
    counts = {s: int((status == s).sum()) for s in STATUSES}
    return SizePoint(p, size, length, *map(float, statistics), counts)


def write_curves(path: Path, points: Sequence[SizePoint]) -> None:
    """Write a row for each point, values in the property's display unit.

    Args:
        path: ends in ``.csv`` or ``.parquet``.
        points: as :func:`size_curves` gives them.

    Raises:
        FailureError: the file cannot be written.
    """
    columns: dict[str, list] = {
        "property": [p.property.name for p in points],
        "unit": [p.property.display_unit for p in points],
        "size": [p.size for p in points],
        "length [m]": [p.length for p in points],
    }
    for name in ("mean", "deviation", "low", "median", "high"):
        columns[name] = [getattr(p, name) * p.property.display_factor for p in points]
    columns["spread"] = [p.spread for p in points]
    for status in STATUSES:
        columns[status] = [p.counts[status] for p in points]
    write_columns(path, columns)
