"""Entries: labels as look-ups want them, a few dozen bytes each under a key of the image and the simulation."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from matopt.data.labels.parquet_parts import Damaged
from matopt.properties import STATUSES

SCHEMA = pa.schema(
    {
        "hash": pa.string(),
        "voxel_size": pa.float64(),
        "key": pa.string(),
        "property": pa.string(),
        "value": pa.float64(),
        "status": pa.string(),
        "residual": pa.float64(),
        "tensor": pa.list_(pa.float64()),
        "settings": pa.string(),
    }
)
"""A table of labels."""

IMAGE_BYTES, _SIMULATION_BYTES = 16, 8
KEY_BYTES = IMAGE_BYTES + _SIMULATION_BYTES
_HEAD = struct.Struct("<ddB")
_CHECKSUM = struct.Struct("<I")
_CODES = {status: code for code, status in enumerate(STATUSES)}


class Entry(NamedTuple):
    """One label: the value, its status, the residual, and the tensor's float32 entries, empty where it has none."""

    value: float
    status: str
    residual: float
    tensor: bytes


def entry_key(image: str, simulation: str) -> bytes:
    """Make the key of an entry; those of an image have its hash in front."""
    return bytes.fromhex(image) + _simulation(simulation)


def at_voxel_size(key: str, voxel_size: float) -> str:
    """Name a simulation: a simulator's key at a voxel size."""
    # Twelve digits: 5.345 * 1e-6 and 5.345e-6 are one voxel size, though their last bits differ.
    return f"{key} {voxel_size:.12g}"


def whole(table: pa.Table) -> pa.Table:
    """Check what was read of a file.

    Raises:
        Damaged: these are no labels.
    """
    try:
        table = table.cast(SCHEMA)
        hashes = bytes.fromhex("".join(table["hash"].to_pylist()))
    except (TypeError, ValueError) as error:  # Arrow's own errors are kinds of these
        raise Damaged(str(error).splitlines()[0]) from error
    is_full = not any(table[name].null_count for name in SCHEMA.names if name != "tensor")
    is_known = _CODES.keys() >= set(table["status"].unique().to_pylist())
    if not (is_full and is_known and len(hashes) == IMAGE_BYTES * len(table)):
        raise Damaged("it holds no labels")
    return table


def entries(table: pa.Table) -> Iterator[tuple[bytes, bytes]]:
    """Give the keys and the packed entries of a table of labels."""
    names: dict[tuple[str, float], bytes] = {}
    columns = [table[name].to_pylist() for name in ("hash", "voxel_size", "key", "value", "status", "residual")]
    for image, voxel_size, simulator, value, status, residual, tensor in zip(
        *columns, _single_precision(table["tensor"]), strict=True
    ):
        simulation = names.get((simulator, voxel_size))
        if simulation is None:
            simulation = names[simulator, voxel_size] = _simulation(at_voxel_size(simulator, voxel_size))
        key = bytes.fromhex(image) + simulation
        packed = _HEAD.pack(value, residual, _CODES[status]) + tensor
        yield key, packed + _CHECKSUM.pack(zlib.crc32(key + packed))


def unpack(key: bytes, packed: bytes) -> Entry:
    """Read a packed entry.

    Raises:
        ValueError: it is not what was packed.
    """
    body = packed[: -_CHECKSUM.size]
    if len(body) < _HEAD.size or packed[-_CHECKSUM.size :] != _CHECKSUM.pack(zlib.crc32(key + body)):
        raise ValueError("an entry's checksum is wrong")
    value, residual, code = _HEAD.unpack_from(body)
    return Entry(value, STATUSES[code], residual, body[_HEAD.size :])


def _simulation(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=_SIMULATION_BYTES).digest()


def _single_precision(tensors: pa.ChunkedArray) -> Iterator[bytes]:
    """The float32 entries of each tensor; empty where there is none, or nothing in it but the value."""
    joined = tensors.combine_chunks()
    numbers = joined.flatten().to_numpy().astype(np.float32).tobytes()
    first = 0
    for length in joined.value_lengths().fill_null(0).to_pylist():
        last = first + 4 * length
        yield numbers[first:last] if length > 1 else b""
        first = last
