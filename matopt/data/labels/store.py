"""The label store: the properties that simulators computed, kept for ever and shared by all studies.

Two tables of Parquet files, each file written once::

    images/64x64/<hash>.parquet    hash, phases (Arrow fixed-shape tensor)
    labels/<hash>.parquet          hash, voxel_size, key, property, value, status, residual, tensor, settings
    labels/run-<id>.parquet        the same, of many such files
    index/run-<id>.sqlite          where a look-up finds the labels of a run

so that ``pyarrow.parquet.read_table`` (or any other reader of Parquet) takes either folder as one table. A label's
``key`` follows from the simulator's settings; its ``tensor`` is flat, last axis fastest. Writers share nothing but
the folder: a file appears whole, under its final name, or not at all. One of them, while it goes on, merges files that
have become many (:mod:`matopt.data.labels.compaction`). Damaged files are moved to ``damaged/``.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from matopt.data.labels.background import compact_in_background
from matopt.data.labels.compaction import FRESH
from matopt.data.labels.entries import SCHEMA, Entry, at_voxel_size, entry_key
from matopt.data.labels.folders import labels_folder
from matopt.data.labels.locks import ByteLocks
from matopt.data.labels.parquet_parts import write_part
from matopt.data.labels.view import View
from matopt.errors import FailureError
from matopt.local_path import local_path
from matopt.microstructures import Microstructures
from matopt.properties import STATUSES, Property, PropertyTable
from matopt.registry import content_key

PATIENCE = 600.0
"""Seconds to wait for labels that another process is computing before they are computed here too."""

_LOCK_FILE = "claims.lock"
"""Processes of every version of matopt lock this one file, so that they share their work."""

_STATUS_DTYPE = np.array(STATUSES).dtype


class SimulatorSpec(Protocol):
    """What the store needs to know of a simulator: its property, and what a label follows from."""

    @property
    def property(self) -> Property:
        """The property that is computed."""
        ...

    def settings(self) -> dict[str, Any]:
        """What a label depends on besides the image and its voxel size, as JSON values."""
        ...

    def exchanged(self, tensor: np.ndarray, dimensions: int) -> np.ndarray:
        """``(N, d - 1)`` values of the samples with axis 0 and another exchanged, of their tensors; NaN if unknown."""
        ...


class LabelBatch(NamedTuple):
    """The labels that one simulator computed for N microstructures.

    Attributes:
        values: ``(N,)`` SI values.
        status: ``(N,)`` strings out of :data:`matopt.properties.STATUSES`.
        residual: ``(N,)`` relative residuals reached.
        tensor: ``(N, ...)`` effective tensors, where the simulator has them.
    """

    values: np.ndarray
    status: np.ndarray
    residual: np.ndarray
    tensor: np.ndarray | None = None


class LabelStore:
    """Labels in a folder that any number of processes and studies share.

    A look-up reads what it looks for: memory and time do not grow with the store. Threads may share one.

    Args:
        root: the folder; made by the first label.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = local_path(root).resolve()
        self._view = View(self.root)
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[LabelStore], tuple[Path]]:
        return LabelStore, (self.root,)  # another process reads the folder for itself

    def lookup(
        self, microstructures: Microstructures, simulators: Sequence[SimulatorSpec]
    ) -> tuple[PropertyTable, np.ndarray]:
        """Look up the labels of the microstructures that the store has.

        Returns:
            The table, and an ``(N, P)`` mask of what is missing from it: there the value is NaN and the status empty.

        Raises:
            FailureError: the store cannot be read.
        """
        shape = (len(microstructures), len(simulators))
        values, residual = np.full(shape, np.nan), np.full(shape, np.nan)
        status = np.full(shape, "", dtype=_STATUS_DTYPE)
        dimensions = len(microstructures.shape)
        exchanged = np.full((*shape, dimensions - 1), np.nan)
        keys = [
            [entry_key(image, simulation) for image in microstructures.hashes]
            for simulation in (_simulation(simulator, microstructures.voxel_size) for simulator in simulators)
        ]
        found = self._find([key for column in keys for key in column])
        for column, simulator in enumerate(simulators):
            rows, tensors = [], []
            for row, key in enumerate(keys[column]):
                if key in found:
                    values[row, column], status[row, column], residual[row, column], tensor = found[key]
                    if tensor:
                        rows.append(row)
                        tensors.append(tensor)
            if rows:
                tensor = np.frombuffer(b"".join(tensors), np.float32).reshape(len(rows), -1)
                exchanged[rows, column] = simulator.exchanged(tensor, dimensions)
        table = PropertyTable(tuple(s.property for s in simulators), values, status, residual, exchanged)
        return table, status == ""

    def add(self, microstructures: Microstructures, simulator: SimulatorSpec, labels: LabelBatch) -> None:
        """Store the labels that ``simulator`` computed for ``microstructures``, and the images themselves.

        Raises:
            FailureError: the labels are none that a simulator may give, or the folder cannot be written; nothing is
                half-written.
        """
        _check(labels, len(microstructures), simulator)
        if not len(microstructures):
            return
        self._add_images(microstructures)
        n = len(microstructures)
        tensors = None if labels.tensor is None else np.asarray(labels.tensor, dtype=np.float64).reshape(n, -1)
        settings = json.dumps(simulator.settings(), sort_keys=True)
        table = pa.table(
            {
                "hash": pa.array(microstructures.hashes, pa.string()),
                "voxel_size": pa.array(np.full(n, microstructures.voxel_size)),
                "key": pa.array([_simulator_key(simulator)] * n, pa.string()),
                "property": pa.array([simulator.property.name] * n, pa.string()),
                "value": pa.array(np.asarray(labels.values, dtype=np.float64)),
                "status": pa.array([str(s) for s in labels.status], pa.string()),
                "residual": pa.array(np.asarray(labels.residual, dtype=np.float64)),
                "tensor": pa.array([None] * n if tensors is None else list(tensors), pa.list_(pa.float64())),
                "settings": pa.array([settings] * n, pa.string()),
            },
            SCHEMA,
        )
        write_part(labels_folder(self.root), table)
        if self._view.n_fresh >= FRESH:
            compact_in_background(self.root)

    def label(
        self,
        microstructures: Microstructures,
        simulators: Sequence[SimulatorSpec],
        compute: Callable[[Any, Microstructures], tuple],
        batch: int = 256,
    ) -> PropertyTable:
        """Label microstructures; only what no study has ever computed is computed.

        Processes that ask for the same labels at the same time share the work.

        Args:
            microstructures: N of them; equal ones are computed once.
            simulators: P of them, the columns of the table.
            compute: ``compute(simulator, microstructures)`` gives the fields of :class:`LabelBatch`.
            batch: how many samples are computed, and then kept, at a time: what an interruption can cost.

        Raises:
            FailureError: as :meth:`add` and :meth:`lookup`.
        """
        for simulator in simulators:
            self._complete(microstructures, simulator, compute, batch)
        return self.lookup(microstructures, simulators)[0]

    def _complete(
        self, microstructures: Microstructures, simulator: SimulatorSpec, compute: Callable, batch: int
    ) -> None:
        key = _simulation(simulator, microstructures.voxel_size)
        rows = {image: row for row, image in enumerate(microstructures.hashes)}  # equal images: one row
        lock_of = {image: content_key(key, image) for image in rows}

        def missing(images: Iterable[str]) -> list[str]:
            keys = {image: entry_key(image, key) for image in images}
            found = self._find(list(keys.values()))
            return [image for image, its in keys.items() if its not in found]

        pending = missing(rows)
        if not pending:
            return  # before any lock is taken: a store that cannot be written can still be read
        patience_ends = time.monotonic() + PATIENCE
        with _locks(self.root) as locks:
            while pending:
                is_patient = time.monotonic() < patience_ends
                free = (image for image in pending if locks.acquire(lock_of[image]) or not is_patient)
                mine = list(islice(free, batch))
                # What others finished before it was locked here is in the store by now.
                todo = missing(mine)
                if todo:
                    chosen = microstructures[[rows[image] for image in todo]]
                    self.add(chosen, simulator, LabelBatch(*compute(simulator, chosen)))
                    patience_ends = time.monotonic() + PATIENCE
                elif not mine:
                    time.sleep(0.1)  # others are computing all that is left
                locks.release(lock_of[image] for image in mine)
                pending = missing(pending)

    def _add_images(self, microstructures: Microstructures) -> None:
        """Store those images that have no label yet; with its first label each was stored."""
        rows = {bytes.fromhex(image): row for row, image in enumerate(microstructures.hashes)}
        with self._lock:
            known = self._view.known_images(rows)
        new = [row for image, row in rows.items() if image not in known]
        if not new:
            return
        chosen = microstructures[new]
        table = pa.table(
            {
                "hash": pa.array(chosen.hashes, pa.string()),
                "phases": pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(chosen.phases)),
            }
        )
        write_part(self.root / "images" / "x".join(map(str, microstructures.shape)), table)

    def _find(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        with self._lock:
            return self._view.find(keys)


def _simulator_key(simulator: SimulatorSpec) -> str:
    return content_key(simulator.property.name, simulator.settings())


def _simulation(simulator: SimulatorSpec, voxel_size: float) -> str:
    return at_voxel_size(_simulator_key(simulator), voxel_size)


def _check(labels: LabelBatch, n: int, simulator: SimulatorSpec) -> None:
    name = f"the simulator of {simulator.property.name}"
    for field in ("values", "status", "residual"):
        if np.shape(getattr(labels, field)) != (n,):
            raise FailureError(f"{name} gave {field} of shape {np.shape(getattr(labels, field))}, expected ({n},)")
    if strange := sorted({str(s) for s in labels.status} - set(STATUSES)):
        raise FailureError(f"{name} gave the status {strange[0]!r}; there are: {', '.join(STATUSES)}")
    if not np.isfinite(np.asarray(labels.values, dtype=np.float64)).all():
        raise FailureError(f"{name} gave a value that is not finite; no label was kept")
    if labels.tensor is not None and len(labels.tensor) != n:
        raise FailureError(f"{name} gave {len(labels.tensor)} tensors for {n} samples")


def _locks(root: Path) -> ByteLocks:
    try:
        root.mkdir(parents=True, exist_ok=True)
        return ByteLocks(root / _LOCK_FILE)
    except OSError as error:
        raise FailureError(f"labels cannot be kept in {root}: {error.strerror}; name another folder") from error
