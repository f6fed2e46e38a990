"""Label stores of many labels, and how long look-ups take in them: matopt's, and two simpler ones.

Usage: python benchmarks/label_stores.py FOLDER COUNT KIND    prints what one process measures, as JSON
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from matopt.data.labels.compaction import compact
from matopt.data.labels.entries import SCHEMA
from matopt.data.labels.parquet_parts import list_parts, part_writer
from matopt.data.labels.store import LabelStore
from matopt.properties import OK, Property
from matopt.registry import content_key

FILES = 10_000
VOXEL = 1e-6
REPEATS = 21


@dataclass(frozen=True)
class Area:
    """A simulator, as far as the store asks it; there are three."""

    number: int

    @property
    def property(self) -> Property:
        return Property(f"area{self.number}", "A", "m^2", "um^2", 1e12)

    def settings(self) -> dict:
        return {"simulator": "Area", "number": self.number}

    def exchanged(self, tensor: np.ndarray, dimensions: int) -> np.ndarray:
        return tensor[:, 1:dimensions]


SIMULATORS = (Area(0), Area(1), Area(2))


class Images:
    """Microstructures of which nothing is known but their hashes."""

    voxel_size = VOXEL
    shape = (64, 64)

    def __init__(self, numbers: Sequence[int]) -> None:
        self.hashes = tuple(map(image, numbers))

    def __len__(self) -> int:
        return len(self.hashes)


def image(number: int) -> str:
    return hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()


def value(number: int) -> float:
    return float(number % 1000)


def fill(root: Path, count: int) -> None:
    """Write so many labels, of a third as many images, as writers do: in files that stay as they are."""
    per_file = count // FILES
    (root / "labels").mkdir(parents=True)
    for first in range(0, count // 3, per_file):
        numbers = range(first, min(first + per_file, count // 3))
        for simulator in SIMULATORS:
            n = len(numbers)
            values = np.array([value(number) for number in numbers])
            columns = {
                "hash": pa.array([image(number) for number in numbers]),
                "voxel_size": pa.array(np.full(n, VOXEL)),
                "key": pa.array([content_key(simulator.property.name, simulator.settings())] * n),
                "property": pa.array([simulator.property.name] * n),
                "value": pa.array(values),
                "status": pa.array([OK] * n),
                "residual": pa.array(np.random.default_rng(first).random(n)),
                "tensor": pa.array(list(values[:, None] + np.arange(4)), pa.list_(pa.float64())),
                "settings": pa.array([json.dumps(simulator.settings())] * n),
            }
            path = root / "labels" / f"{image(first)[:31]}{simulator.number}.parquet"
            with part_writer(path, SCHEMA) as writer:  # without waiting for the disk, as a store does
                writer.write_table(pa.table(columns, SCHEMA))


class InMemory:
    """The store as it was: all labels in a dictionary, and the folder listed at each look."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "labels"
        self._read: set[Path] = set()
        self._known: dict[tuple[str, float], dict[str, tuple]] = {}

    def find(self, images: Images) -> list[float]:
        for path in list_parts(self._folder):
            if path in self._read:
                continue
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                table = file.read(["hash", "voxel_size", "key", "value", "status", "residual", "tensor"])
            for row in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
                tensor = np.array(row[6], np.float32).tobytes()
                self._known.setdefault((row[2], row[1]), {})[row[0]] = (*row[3:6], tensor)
            self._read.add(path)
        key = content_key(SIMULATORS[0].property.name, SIMULATORS[0].settings())
        return [self._known[key, VOXEL][its][0] for its in images.hashes]


class Filtered:
    """A plain dataset of pyarrow, filtered by hash and key."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "labels"

    def find(self, images: Images) -> list[float]:
        field = pyarrow.dataset.field
        key = content_key(SIMULATORS[0].property.name, SIMULATORS[0].settings())
        table = pyarrow.dataset.dataset(self._folder).to_table(
            ["hash", "value", "status", "residual", "tensor"],
            filter=field("hash").isin(images.hashes) & (field("key") == key),
        )
        found = dict(zip(table["hash"].to_pylist(), table["value"].to_pylist(), strict=True))
        return [found[its] for its in images.hashes]


class Matopt:
    """The store as it is."""

    def __init__(self, root: Path) -> None:
        self._store = LabelStore(root)

    def find(self, images: Images) -> list[float]:
        return self._store.lookup(images, SIMULATORS[:1])[0].values[:, 0].tolist()


KINDS: dict[str, Callable[[Path], InMemory | Filtered | Matopt]] = {
    "matopt": Matopt,
    "in memory": InMemory,
    "pyarrow dataset": Filtered,
}


def measure(root: Path, count: int, kind: str) -> dict[str, float]:
    """Time look-ups of images that are drawn at random anew each time; memory is beyond the imports."""
    rng = np.random.default_rng(1)
    before = resident()
    start = time.perf_counter()
    store = KINDS[kind](root)
    assert store.find(Images([0])) == [value(0)]
    found = {"first look-up [s]": time.perf_counter() - start}
    for n in (1, 64, 1000):
        seconds = []
        for _ in range(1 if kind == "pyarrow dataset" else REPEATS):
            numbers = rng.integers(0, count // 3, n).tolist()
            images = Images(numbers)
            start = time.perf_counter()
            values = store.find(images)
            seconds.append(time.perf_counter() - start)
            assert values == [value(number) for number in numbers]
        found[f"{n} keys [ms]"] = 1e3 * statistics.median(seconds)
    found["memory [MB]"] = (resident() - before) / 1e6
    return found


def compaction(root: Path) -> dict[str, float]:
    """Time the merging of all files, and how much memory and how many files and bytes it takes."""
    before, start = resident(), time.perf_counter()
    assert compact(root)
    seconds = time.perf_counter() - start
    files = [path for path in root.rglob("*") if path.is_file()]
    return {
        "compaction [s]": seconds,
        "processor [s]": time.process_time(),
        "peak memory [MB]": (1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6,
        "files": len(files),
        "Parquet [MB]": sum(path.stat().st_size for path in files if path.suffix == ".parquet") / 1e6,
        "index [MB]": sum(path.stat().st_size for path in files if path.suffix == ".sqlite") / 1e6,
    }


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    root, count, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    print(json.dumps(compaction(root) if kind == "compaction" else measure(root, count, kind)))
