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


def write_table(path: Path, table: PropertyTable, names: Sequence[str]) -> None:
    """Write a row for each sample: its name, then value (in the display unit), status and residual of each property.

    Args:
        path: ends in ``.csv`` or ``.parquet``.
        table: of N samples.
        names: N of them.

    Raises:
        FailureError: the file cannot be written.
    """
    columns: dict[str, pa.Array] = {"sample": pa.array(names, pa.string())}
    for i, p in enumerate(table.properties):
        columns[f"{p.name} [{p.display_unit}]"] = pa.array(table.values[:, i] * p.display_factor)
        columns[f"{p.name} status"] = pa.array(table.status[:, i].tolist(), pa.string())
        columns[f"{p.name} residual"] = pa.array(table.residual[:, i])
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
