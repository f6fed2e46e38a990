"""The label store: nothing computed twice, nothing lost, nothing half-written."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matopt.data.labels.locks import ByteLocks
from matopt.data.labels.parquet_parts import list_parts
from matopt.data.labels.store import LabelBatch, LabelStore
from matopt.errors import FailureError, InputWarning
from matopt.microstructures import Microstructures
from matopt.properties import NON_PERCOLATING, NOT_CONVERGED, OK, Property


@dataclass(frozen=True)
class Counting:
    """A simulator of the solid area, that keeps a list of the images it was asked for."""

    modulus: float = 1.0
    log: Path | None = None

    @property
    def property(self) -> Property:
        return Property("area", "A", "m^2", "um^2", 1e12)

    def settings(self) -> dict:
        return {"simulator": "Counting", "version": 1, "modulus": self.modulus}

    def exchanged(self, tensor: np.ndarray, dimensions: int) -> np.ndarray:
        return tensor[:, 1:dimensions]

    def compute(self, microstructures: Microstructures) -> LabelBatch:
        if self.log:
            with self.log.open("a") as file:
                file.writelines(f"{image}\n" for image in microstructures.hashes)
        solid = microstructures.phases.sum(axis=tuple(range(1, microstructures.phases.ndim)))
        status = np.where(solid == 0, NON_PERCOLATING, np.where(solid % 2 == 0, OK, NOT_CONVERGED))
        values = self.modulus * solid * microstructures.voxel_size**2
        return LabelBatch(values, status, 1e-3 / (1.0 + solid), np.stack([values, 2 * values], axis=1))


def compute(simulator: Counting, microstructures: Microstructures) -> LabelBatch:
    return simulator.compute(microstructures)


def refuse(simulator: Counting, microstructures: Microstructures) -> LabelBatch:
    raise AssertionError(f"{len(microstructures)} labels were computed again")


def images(n: int, seed: int = 0, size: int = 8, voxel_size: float = 1e-6) -> Microstructures:
    phases = np.random.default_rng(seed).integers(0, 2, (n, size, size)).astype(np.uint8)
    return Microstructures(phases, voxel_size)


def assert_equal(table, expected: LabelBatch) -> None:
    np.testing.assert_array_equal(table.values[:, 0], expected.values)
    np.testing.assert_array_equal(table.status[:, 0], expected.status)
    np.testing.assert_array_equal(table.residual[:, 0], expected.residual)


def test_what_was_computed_once_is_read_by_every_later_store(tmp_path):
    simulator, batch = Counting(), images(20)
    first = LabelStore(tmp_path).label(batch, [simulator], compute)
    assert_equal(first, simulator.compute(batch))
    again = LabelStore(tmp_path).label(batch[::-1], [simulator], refuse)
    assert_equal(again, simulator.compute(batch[::-1]))
    assert first.properties == (simulator.property,)


def test_every_status_is_kept_a_failure_to_converge_too(tmp_path):
    batch = Microstructures(np.stack([np.zeros((4, 4)), np.eye(4), np.eye(4)[:, ::-1]]).astype(np.uint8), 1e-6)
    batch.phases[2, 0, 0] = 1
    LabelStore(tmp_path).label(batch, [Counting()], compute)
    table = LabelStore(tmp_path).label(batch, [Counting()], refuse)
    assert table.status[:, 0].tolist() == [NON_PERCOLATING, OK, NOT_CONVERGED]


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.lists(st.integers(0, 11), max_size=12), min_size=1, max_size=5), batch=st.integers(1, 5))
def test_any_sequence_of_requests_computes_each_image_once(tmp_path_factory, rows, batch):
    folder = tmp_path_factory.mktemp("store")
    simulator, pool = Counting(log=folder / "log"), images(12)
    simulator.log.touch()
    for request in rows:
        chosen = pool[np.array(request, dtype=int)]
        assert_equal(LabelStore(folder).label(chosen, [simulator], compute, batch), Counting().compute(chosen))
    computed = simulator.log.read_text().split()
    assert sorted(computed) == sorted({pool.hashes[i] for request in rows for i in request})


def test_another_setting_voxel_size_or_shape_is_another_label(tmp_path):
    store, batch = LabelStore(tmp_path), images(3)
    store.label(batch, [Counting()], compute)
    assert not store.lookup(batch, [Counting()])[1].any()
    assert store.lookup(batch, [Counting(modulus=2.0)])[1].all()
    assert store.lookup(Microstructures(batch.phases, 2e-6), [Counting()])[1].all()
    assert store.lookup(Microstructures(batch.phases.reshape(3, 4, 16), 1e-6), [Counting()])[1].all()


def test_a_voxel_size_is_the_same_however_it_was_worked_out(tmp_path):
    phases = images(2).phases
    assert (0.1 + 0.2) * 1e-6 != 3e-7
    LabelStore(tmp_path).label(Microstructures(phases, (0.1 + 0.2) * 1e-6), [Counting()], compute)
    LabelStore(tmp_path).label(Microstructures(phases, 3e-7), [Counting()], refuse)


def test_lookup_tells_what_is_missing(tmp_path):
    store, batch = LabelStore(tmp_path), images(4)
    store.add(batch[:2], Counting(), Counting().compute(batch[:2]))
    table, missing = store.lookup(batch, [Counting(), Counting(2.0)])
    assert missing.tolist() == [[False, True]] * 2 + [[True, True]] * 2
    assert np.isnan(table.values[missing]).all() and (table.status[missing] == "").all()


def test_any_parquet_reader_reads_the_tables(tmp_path):
    square, volume = images(5), Microstructures(images(2).phases.reshape(2, 4, 4, 4), 1e-6)
    store = LabelStore(tmp_path)
    store.label(square, [Counting()], compute, batch=2)
    store.label(volume, [Counting()], compute)
    for batch, folder in ((square, "8x8"), (volume, "4x4x4")):
        table = pq.read_table(tmp_path / "images" / folder)
        phases = table["phases"].combine_chunks().to_numpy_ndarray()
        found = dict(zip(table["hash"].to_pylist(), phases, strict=True))
        np.testing.assert_array_equal(np.stack([found[image] for image in batch.hashes]), batch.phases)
    labels = pq.read_table(tmp_path / "labels").to_pydict()
    assert len(labels["hash"]) == 7 and set(labels["property"]) == {"area"}
    assert json.loads(labels["settings"][0]) == Counting().settings()
    assert all(tensor == [value, 2 * value] for tensor, value in zip(labels["tensor"], labels["value"], strict=True))


def test_a_store_sent_to_another_process_reads_the_same_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = LabelStore(Path("runs/labels"))
    store.label(images(3), [Counting()], compute)
    sent = pickle.dumps(store)
    monkeypatch.chdir("/")
    pickle.loads(sent).label(images(3), [Counting()], refuse)
    assert len(sent) < 500


def test_looking_up_thousands_of_samples_takes_milliseconds(tmp_path):
    store, batch = LabelStore(tmp_path), images(5000, size=32)
    store.label(batch, [Counting()], compute, batch=50)
    fresh = LabelStore(tmp_path)
    start = time.process_time()
    fresh.label(batch, [Counting()], refuse)
    opening = time.process_time() - start
    again = []
    for _ in range(3):  # the least of them, as what else runs on a machine costs time of the processor too
        start = time.process_time()
        fresh.label(batch, [Counting()], refuse)
        again.append(time.process_time() - start)
    assert min(again) < 0.5
    assert opening < 5.0  # a hundred files


WRITER = """
import sys, time
from pathlib import Path
import numpy as np
sys.path.insert(0, {tests!r})
from test_store import Counting, images
from matopt.data.labels.store import LabelStore

def slow(simulator, batch):
    time.sleep({delay})
    return simulator.compute(batch)

root, seed = Path(sys.argv[1]), int(sys.argv[2])
batch = images(60)[np.random.default_rng(seed).permutation(60)]
simulator = Counting(log=root / f"log{{seed}}")
print("ready", flush=True)
table = LabelStore(root / "store").label(batch, [simulator], slow, batch={batch})
assert (table.values[:, 0] == Counting().compute(batch).values).all()
"""


def start_writer(root: Path, seed: int, delay: float, batch: int) -> subprocess.Popen:
    code = WRITER.format(tests=str(Path(__file__).parent), delay=delay, batch=batch)
    return subprocess.Popen([sys.executable, "-c", code, str(root), str(seed)], stdout=subprocess.PIPE)


def test_processes_that_want_the_same_labels_at_once_share_the_work(tmp_path):
    writers = [start_writer(tmp_path, seed, delay=0.05, batch=5) for seed in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    logs = [path.read_text().split() for path in tmp_path.glob("log*")]
    computed = [image for log in logs for image in log]
    assert sorted(computed) == sorted(images(60).hashes)
    assert len(logs) > 1


def test_a_writer_that_is_killed_loses_one_batch_and_holds_nobody_up(tmp_path):
    victim = start_writer(tmp_path, 0, delay=0.2, batch=5)
    deadline = time.monotonic() + 60
    while len(list_parts(tmp_path / "store" / "labels")) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    kept = int((~LabelStore(tmp_path / "store").lookup(images(60), [Counting()])[1]).sum())
    assert 15 <= kept < 60
    assert start_writer(tmp_path, 1, delay=0.0, batch=5).wait(60) == 0
    assert len((tmp_path / "log1").read_text().split()) == 60 - kept


def test_a_writer_killed_in_the_middle_of_a_file_leaves_no_label_behind_that_is_read(tmp_path):
    store, batch = LabelStore(tmp_path), images(6)
    store.add(batch[:3], Counting(), Counting().compute(batch[:3]))
    whole = next(tmp_path.glob("labels/*.parquet"))
    unfinished = whole.with_name(f".{whole.stem}-killed.parquet")
    unfinished.write_bytes(whole.read_bytes()[:200])
    assert LabelStore(tmp_path).lookup(batch, [Counting()])[1].sum() == 3
    os.utime(unfinished, (0, 0))
    LabelStore(tmp_path).label(batch, [Counting()], compute)
    assert not unfinished.exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_file_is_moved_aside_with_a_line_and_its_labels_are_computed_again(tmp_path, damage):
    batch = images(50)
    LabelStore(tmp_path).label(batch, [Counting()], compute)
    (path,) = tmp_path.glob("labels/*.parquet")
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 3] ^= 0x10
    found = {"cut": content[:-100], "flipped": content, "empty": b"", "foreign": b"a,b\n1,2\n"}[damage]
    path.write_bytes(found)
    with pytest.warns(InputWarning, match=r"is damaged \(.*\); it was moved to .*computed again") as said:
        table = LabelStore(tmp_path).label(batch, [Counting()], compute)
    assert_equal(table, Counting().compute(batch))
    assert len(said) == 1 and str(path) in str(said[0].message) and "\n" not in str(said[0].message)
    assert (tmp_path / "damaged" / path.name).read_bytes() == found
    LabelStore(tmp_path).label(batch, [Counting()], refuse)


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_store import Counting, compute, images
from matopt.data.labels.store import LabelStore
from matopt.errors import FailureError

store = LabelStore(Path(sys.argv[1]))
store.label(images(4), [Counting()], compute)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
try:
    store.label(images(4000, seed=1), [Counting()], compute)
except FailureError as error:
    print(error)
"""


def test_a_full_disk_is_one_line_and_leaves_whole_files_only(tmp_path):
    code = FULL.format(tests=str(Path(__file__).parent))
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "cannot be written" in result.stdout and result.stdout.count("\n") == 1
    assert all(not path.name.startswith(".") for path in tmp_path.rglob("*"))
    assert not LabelStore(tmp_path).lookup(images(4), [Counting()])[1].any()


def test_a_place_that_cannot_be_a_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FailureError, match="Not a directory") as caught:
        LabelStore(tmp_path / "file" / "labels").label(images(1), [Counting()], compute)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LabelBatch(np.array([1.0, np.nan]), np.array([OK, OK]), np.zeros(2)), "not finite"),
        (LabelBatch(np.array([1.0, 2.0]), np.array([OK, "fine"]), np.zeros(2)), "'fine'"),
        (LabelBatch(np.array([1.0]), np.array([OK]), np.zeros(1)), r"expected \(2,\)"),
    ],
)
def test_what_a_simulator_may_not_say_is_not_kept(tmp_path, labels, message):
    with pytest.raises(FailureError, match=message):
        LabelStore(tmp_path).label(images(2), [Counting()], lambda simulator, batch: labels)
    assert LabelStore(tmp_path).lookup(images(2), [Counting()])[1].all()


def test_one_process_locks_a_name_at_a_time_and_its_end_releases_it(tmp_path):
    name = "0123456789abcdef" * 2
    code = f"""
import sys
from pathlib import Path
from matopt.data.labels.locks import ByteLocks

locks = ByteLocks(Path({str(tmp_path / "locks")!r}))
print(locks.acquire({name!r}), flush=True)
sys.stdin.read()
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "True\n"
    with ByteLocks(tmp_path / "locks") as locks:
        assert not locks.acquire(name)
        assert locks.acquire("f" * 32)
        other.kill()
        other.wait()
        assert locks.acquire(name)
