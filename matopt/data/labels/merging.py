"""Merging Parquet files of one table into a new one, under a name that never was, row group by row group."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from matopt.atomic_write import atomic_write
from matopt.data.labels.folders import RUN
from matopt.data.labels.parquet_parts import Damaged, Gone, Part, list_parts, part_writer, say_replaced
from matopt.errors import FailureError

_ROW_GROUP = 1 << 23
"""Bytes of a row group, before its compression."""


@contextmanager
def merged_file(
    folder: Path, schema: pa.Schema, inputs: Sequence[Path], damaged: dict[Path, str]
) -> Generator[tuple[Path, pq.ParquetWriter]]:
    """Open a new file for the rows of ``inputs``; it is on the disk when the block ends.

    It tells of the inputs, except for those that are damaged by then.
    """
    path = folder / f"{RUN}{uuid.uuid4().hex}.parquet"
    with atomic_write(path) as temporary, part_writer(temporary, schema) as writer:
        yield path, writer
        say_replaced(writer, (its.name for its in inputs if its not in damaged))


def copied(
    inputs: Sequence[Path],
    columns: list[str],
    check: Callable[[pa.Table], pa.Table],
    writer: pq.ParquetWriter,
    damaged: dict[Path, str],
    is_wanted: Callable[[], bool],
) -> Iterator[pa.Table]:
    """Copy rows, and give them as they are written.

    Args:
        inputs: the files.
        columns: what is copied.
        check: of what was read; raises :class:`Damaged`.
        writer: of the new file.
        damaged: gets the files of which something could not be read, which is left out, and why.
        is_wanted: asked now and then.

    Raises:
        Gone: a file is not there any more.
        FailureError: a file cannot be read, or the work is not wanted any more.
    """
    held: list[pa.Table] = []
    size = 0
    for path in inputs:
        for table in _row_groups(path, columns, check, damaged):
            held.append(table)
            size += table.nbytes
            if size >= _ROW_GROUP:
                yield _write(held, writer)
                size = 0
            if not is_wanted():
                raise FailureError("the merging was given up")
    if held:
        yield _write(held, writer)


def _write(held: list[pa.Table], writer: pq.ParquetWriter) -> pa.Table:
    table = pa.concat_tables(held)
    held.clear()
    writer.write_table(table)
    return table


def _row_groups(
    path: Path, columns: list[str], check: Callable[[pa.Table], pa.Table], damaged: dict[Path, str]
) -> Iterator[pa.Table]:
    try:
        with Part(path, columns) as part:
            for table in part.row_groups():
                if table is None:
                    damaged[path] = "a checksum is wrong"
                else:
                    yield check(table)
    except Damaged as error:
        damaged[path] = str(error)


def left_behind(folder: Path) -> list[Path]:
    """List the files that were merged into others, and that a merging which was killed did not delete."""
    parts = {path.name: path for path in list_parts(folder)}
    left: set[Path] = set()
    for run in [path for path in parts.values() if path.name.startswith(RUN)]:
        try:
            with Part(run, []) as part:
                left |= {parts[name] for name in part.replaces & parts.keys()}
        except (Damaged, Gone):
            continue
    return sorted(left)
