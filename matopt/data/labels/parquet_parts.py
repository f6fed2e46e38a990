"""Immutable Parquet files, named by a hash of their content, that together are one table."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from matopt.atomic_write import atomic_write
from matopt.errors import FailureError

_ABANDONED = 86400.0
"""Seconds after which an unfinished file is taken for one whose writer was killed."""


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


def read_part(path: Path, columns: list[str]) -> pa.Table:
    """Read some columns of one file and verify its checksums.

    Raises:
        FailureError: the file is damaged, or is not one of these.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read(columns=columns).select(columns)
    except (OSError, KeyError, ValueError) as error:  # Arrow's own errors are kinds of these
        reason = str(error).splitlines()[0]
        raise FailureError(f"{path} is damaged ({reason}); delete it, and its labels are computed again") from error


def write_part(folder: Path, table: pa.Table) -> Path:
    """Write ``table`` as a new file in ``folder`` and return its path. Readers see it whole or not at all.

    Raises:
        FailureError: the disk is full, the folder cannot be written, ...
    """
    sink = pa.BufferOutputStream()
    # Texts repeat and gain from a dictionary. Phases compress well without, and making one would take most of the time.
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    pq.write_table(table, sink, compression="zstd", use_dictionary=texts, write_page_checksum=True)
    content = sink.getvalue()
    path = folder / f"{hashlib.blake2b(content, digest_size=16).hexdigest()}.parquet"
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        _sweep(folder)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # what was reported as kept survives a power cut
    return path


def _sweep(folder: Path) -> None:
    for unfinished in folder.glob(".*.parquet"):
        try:
            if time.time() - unfinished.stat().st_mtime > _ABANDONED:
                unfinished.unlink()
        except FileNotFoundError:  # its writer, or another sweeper, was quicker
            continue
