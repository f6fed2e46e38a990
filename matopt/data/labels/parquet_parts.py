"""Immutable Parquet files that together are one table."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from matopt.atomic_write import atomic_write
from matopt.errors import FailureError

ABANDONED = 86400.0
"""Seconds after which an unfinished file is taken for one whose writer was killed."""

_REPLACES = b"matopt.replaces"


class Damaged(Exception):
    """A file that is there, and does not hold what was written."""


class Gone(Exception):
    """A file that was listed and is not there any more: it was merged into another, which a new listing names."""


def list_parts(folder: Path) -> list[Path]:
    """List the Parquet files under ``folder``, sorted; none where there is no folder.

    Raises:
        FailureError: the folder cannot be read.
    """
    found: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):  # being written
                    continue
                if entry.is_dir():
                    found += list_parts(folder / entry.name)
                elif entry.name.endswith(".parquet"):
                    found.append(folder / entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FailureError(f"{folder} cannot be read: {error.strerror}; name another folder to store in") from error
    return sorted(found)


class Part:
    """One file, opened; its checksums are verified as it is read.

    Raises:
        Damaged: it is damaged, or none of these files.
        Gone: it is not there any more.
        FailureError: it cannot be read, by its permissions say.
    """

    def __init__(self, path: Path, columns: list[str]) -> None:
        self.path = path
        self._columns = columns
        with _telling(path):
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
            missing = set(columns) - set(self._file.schema_arrow.names)
        if missing:
            self.close()
            raise Damaged(f"there is no column {sorted(missing)[0]!r}")

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def schema(self) -> pa.Schema:
        """The columns, without what else the file says of itself."""
        return pa.schema([self._file.schema_arrow.field(name) for name in self._columns])

    @property
    def replaces(self) -> set[str]:
        """Names of the files whose rows are all in this one."""
        metadata = self._file.metadata.metadata or {}
        return set(json.loads(metadata.get(_REPLACES, b"[]")))

    def row_groups(self) -> Iterator[pa.Table | None]:
        """Read the row groups one by one; None in place of one that is damaged."""
        for group in range(self._file.num_row_groups):
            try:
                with _telling(self.path):
                    yield self._file.read_row_group(group, self._columns).select(self._columns)
            except Damaged:
                yield None


def read_part(path: Path, columns: list[str]) -> pa.Table:
    """Read some columns of one file.

    Raises:
        Damaged, Gone, FailureError: as :class:`Part`.
    """
    with Part(path, columns) as part, _telling(path):
        return part._file.read(columns).select(columns)


def write_part(folder: Path, table: pa.Table) -> Path:
    """Write ``table`` as a new file in ``folder`` and return its path. Readers see it whole or not at all.

    It is named by a hash of its content.

    Raises:
        FailureError: the disk is full, the folder cannot be written, ...
    """
    sink = pa.BufferOutputStream()
    with part_writer(sink, table.schema) as writer:
        writer.write_table(table)
    content = sink.getvalue()
    path = folder / f"{hashlib.blake2b(content, digest_size=16).hexdigest()}.parquet"
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        sweep(folder)
        file.write(content)
    return path


def part_writer(sink: Path | pa.NativeFile, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a file for tables of one schema."""
    # Texts repeat and gain from a dictionary. Phases compress well without, and making one would take most of the time.
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    return pq.ParquetWriter(sink, schema, compression="zstd", use_dictionary=texts, write_page_checksum=True)


def say_replaced(writer: pq.ParquetWriter, names: Iterable[str]) -> None:
    """Write into a file which other files' rows are all in it."""
    writer.add_key_value_metadata({_REPLACES: json.dumps(sorted(names)).encode()})


def sweep(folder: Path) -> None:
    """Delete the unfinished files of writers that were killed long ago."""
    for unfinished in folder.glob(".*"):
        try:
            if time.time() - unfinished.stat().st_mtime > ABANDONED:
                unfinished.unlink()
        except FileNotFoundError:  # its writer, or another sweeper, was quicker
            continue


class _telling:
    """Turns what goes wrong with a file into what it means for its reader."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, (OSError, KeyError, ValueError)):  # Arrow's own errors are kinds of these
            return
        number = getattr(error, "errno", None)
        # A network folder says ESTALE of a file that another host has deleted while it was open here.
        if number in (errno.ENOENT, errno.ESTALE) or not self._path.exists():
            raise Gone(self._path) from error
        if number is not None:
            raise FailureError(f"{self._path} cannot be read: {os.strerror(number)}") from error
        raise Damaged(str(error).splitlines()[0]) from error
