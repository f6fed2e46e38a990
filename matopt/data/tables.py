"""Tables as files that other programs read: CSV or Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from matopt.atomic_write import atomic_write
from matopt.properties import PropertyTable

ENDINGS = (".csv", ".parquet")


def write_table(
    path: Path,
    table: PropertyTable,
    names: Sequence[str],
    stand_for: Sequence[str],
    notes: Sequence[Sequence[str]],
    others: Mapping[str, Sequence],
) -> None:
    """Write a row for each sample: its name, then value, status, residual and notes of each property, and the rest.

    A value's column is named by the property, what its values stand for, and the display unit: "permeability along x,
    sealed [mD]".

    Args:
        path: ends in ``.csv`` or ``.parquet``.
        table: of N samples.
        names: N of them.
        stand_for: of each property, what its values stand for.
        notes: of each property, N notes.
        others: further columns by name, of N values.

    Raises:
        FailureError: the file cannot be written.
    """
    columns: dict[str, pa.Array] = {"sample": pa.array(names, pa.string())}
    for i, p in enumerate(table.properties):
        columns[f"{p.name} {stand_for[i]} [{p.display_unit}]"] = pa.array(table.values[:, i] * p.display_factor)
        columns[f"{p.name} status"] = pa.array(table.status[:, i].tolist(), pa.string())
        columns[f"{p.name} residual"] = pa.array(table.residual[:, i])
        columns[f"{p.name} note"] = pa.array(notes[i], pa.string())
    columns |= {name: pa.array(values) for name, values in others.items()}
    write_columns(path, columns)


def write_columns(path: Path, columns: Mapping[str, Sequence]) -> None:
    """Write columns of equal length as a table, whole or not at all.

    Args:
        path: ends in ``.csv`` or ``.parquet``.
        columns: values by name.

    Raises:
        FailureError: the file cannot be written.
    """
    with atomic_write(path) as partial:
        if path.suffix == ".csv":
            pyarrow.csv.write_csv(pa.table(columns), partial)
        else:
            pyarrow.parquet.write_table(pa.table(columns), partial)
