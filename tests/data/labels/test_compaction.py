"""Compaction of the label store: whatever is interrupted, damaged or done at once, no label is lost or wrong."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_store import Counting, assert_equal, compute, images, refuse

from matopt.data.labels import background, compaction, lease, view
from matopt.data.labels.compaction import compact
from matopt.data.labels.parquet_parts import list_parts
from matopt.data.labels.store import LabelStore
from matopt.errors import InputWarning
from matopt.microstructures import Microstructures

POOL = images(40)
SIMULATORS = [Counting(), Counting(modulus=2.0)]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "FRESH", 3)
    monkeypatch.setattr(compaction, "_FILES", 3)


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_after(operations: int) -> Generator[None]:
    """Let so many operations on files happen within, and none afterwards, not even to tidy up."""
    left = operations

    def limited(act):
        def acting(*args, **keywords):
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return act(*args, **keywords)

        return acting

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "rename", "unlink", "mkdir", "fsync", "utime"):
            patch.setattr(os, name, limited(getattr(os, name)))
        with suppress(Killed):
            yield


def add(root: Path, rows: list[int], simulator: Counting) -> None:
    batch = POOL[np.array(rows)]
    LabelStore(root).add(batch, simulator, simulator.compute(batch))


def stored(root: Path) -> list[tuple[str, str]]:
    table = pq.read_table(root / "labels")
    return sorted(zip(table["hash"].to_pylist(), table["settings"].to_pylist(), strict=True))


def release(root: Path) -> None:
    """Let the lease of a process that was killed expire."""
    (root / "index" / ".compaction").unlink(missing_ok=True)


def filled(root: Path) -> None:
    for first in range(0, 40, 4):
        for simulator in SIMULATORS:
            add(root, list(range(first, first + 4)), simulator)


def test_compaction_leaves_few_files_and_the_same_labels_and_images(tmp_path: Path) -> None:
    filled(tmp_path)
    before, reader = stored(tmp_path), LabelStore(tmp_path)
    reader.lookup(POOL, SIMULATORS)
    assert compact(tmp_path)
    assert stored(tmp_path) == before
    assert len(list_parts(tmp_path / "labels")) <= 4 and len(list_parts(tmp_path / "images")) <= 4
    for store in (reader, LabelStore(tmp_path)):
        table, missing = store.lookup(POOL, SIMULATORS)
        assert not missing.any()
        assert_equal(table, SIMULATORS[0].compute(POOL))
        np.testing.assert_array_equal(table.exchanged[:, 1, 0], np.float32(2 * SIMULATORS[1].compute(POOL).values))
    assert sorted(pq.read_table(tmp_path / "images")["hash"].to_pylist()) == sorted(POOL.hashes)


def test_a_store_without_a_label_more_is_compacted_by_nobody_twice(tmp_path: Path) -> None:
    filled(tmp_path)
    compact(tmp_path)
    before = list_parts(tmp_path / "labels")
    compact(tmp_path)
    assert list_parts(tmp_path / "labels") == before


def test_a_compaction_that_is_killed_between_any_two_operations_loses_and_doubles_nothing(tmp_path: Path) -> None:
    for first in range(0, 12, 2):
        add(tmp_path / "before", [first, first + 1], SIMULATORS[0])
    operations, is_whole = 0, False
    while not is_whole:
        root = tmp_path / str(operations)
        shutil.copytree(tmp_path / "before", root)
        reader = LabelStore(root)
        reader.lookup(POOL[:12], SIMULATORS[:1])
        with killed_after(operations):
            compact(root)
            is_whole = True
        for store in (reader, LabelStore(root)):
            assert not store.lookup(POOL[:12], SIMULATORS[:1])[1].any(), operations
        release(root)
        compact(root)
        assert not reader.lookup(POOL[:12], SIMULATORS[:1])[1].any()
        assert [image for image, _ in stored(root)] == sorted(POOL.hashes[:12])
        operations += 1
    assert operations > 20


def test_a_writer_that_is_killed_between_any_two_operations_leaves_a_store_that_is_read(tmp_path: Path) -> None:
    operations, is_whole = 0, False
    while not is_whole:
        root = tmp_path / str(operations)
        add(root, [0, 1], SIMULATORS[0])
        with killed_after(operations):
            add(root, [2, 3], SIMULATORS[0])
            is_whole = True
        assert not LabelStore(root).lookup(POOL[:2], SIMULATORS[:1])[1].any()
        assert_equal(LabelStore(root).label(POOL[:4], SIMULATORS[:1], compute), SIMULATORS[0].compute(POOL[:4]))
        operations += 1
    assert operations > 4


steps = st.one_of(
    st.tuples(st.just("add"), st.lists(st.integers(0, 39), min_size=1, max_size=4, unique=True), st.integers(0, 1)),
    st.tuples(st.just("compact"), st.none() | st.integers(0, 40)),
    st.tuples(st.just("look"), st.integers(0, 1)),
    st.tuples(st.just("lose index"), st.integers(0, 3)),
    st.tuples(st.just("spoil index"), st.integers(0, 3), st.integers(0, 1000)),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(steps, min_size=4, max_size=25))
def test_any_interleaving_of_writes_compactions_crashes_and_looks_finds_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple]
) -> None:
    root = tmp_path_factory.mktemp("store")
    readers, written = [LabelStore(root), LabelStore(root)], [set(), set()]

    def look(store: LabelStore) -> None:
        table, missing = store.lookup(POOL, SIMULATORS)
        for column, simulator in enumerate(SIMULATORS):
            known = ~missing[:, column]
            assert {row for row in range(40) if known[row]} == written[column]
            np.testing.assert_array_equal(table.values[known, column], simulator.compute(POOL).values[known])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        for step, *what in history:
            indexes = sorted((root / "index").glob("*.sqlite"))
            if step == "add":
                add(root, what[0], SIMULATORS[what[1]])
                written[what[1]] |= set(what[0])
            elif step == "compact":
                with killed_after(10**9 if what[0] is None else what[0]):
                    compact(root)
                release(root)
            elif step == "look":
                look(readers[what[0]])
            elif indexes:
                index = indexes[what[0] % len(indexes)]
                content = bytearray(index.read_bytes())
                index.unlink()  # another file: those who have it open are not told
                if step == "spoil index":
                    content[len(content) * what[1] // 1001] ^= 0xFF
                    index.write_bytes(content)
        for store in (*readers, LabelStore(root)):
            found = store.label(POOL, SIMULATORS, compute)
            for column, simulator in enumerate(SIMULATORS):
                np.testing.assert_array_equal(found.values[:, column], simulator.compute(POOL).values)


@pytest.mark.parametrize("what", ["labels", "index"])
def test_a_damaged_run_is_told_of_and_moved_aside_and_what_is_lost_is_computed_again(tmp_path: Path, what: str) -> None:
    filled(tmp_path)
    compact(tmp_path)
    for path in (tmp_path / what).glob("run-*"):
        content = bytearray(path.read_bytes())
        for place in range(len(content) // 3, len(content), len(content) // 5):
            content[place] ^= 0xFF
        path.write_bytes(content)
    store = LabelStore(tmp_path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert_equal(store.label(POOL, SIMULATORS, compute), SIMULATORS[0].compute(POOL))
        filled(tmp_path)
        compact(tmp_path)
    assert all("is damaged" in str(line.message) and "was moved to" in str(line.message) for line in said)
    assert len(said) == len(list((tmp_path / "damaged").iterdir())) > 0
    assert_equal(LabelStore(tmp_path).label(POOL, SIMULATORS, compute), SIMULATORS[0].compute(POOL))
    assert {image for image, _ in stored(tmp_path)} == set(POOL.hashes)


def test_files_that_vanish_between_being_listed_and_being_read_are_looked_for_where_they_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    turns = 0

    def listed_late(folder: Path) -> list[Path]:
        nonlocal turns
        found = list_parts(folder)
        turns += 1
        if turns < 4:
            if turns > 1:
                add(tmp_path, [0, turns], SIMULATORS[turns % 2])
            compact(tmp_path)
        return found

    monkeypatch.setattr(view, "list_parts", listed_late)
    assert not LabelStore(tmp_path).lookup(POOL, SIMULATORS)[1].any()
    assert turns > 3


def test_a_store_of_ten_thousand_files_is_compacted_before_it_is_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    monkeypatch.setattr(view, "_UNCOMPACTED", 15)
    store = LabelStore(tmp_path)
    assert not store.lookup(POOL, SIMULATORS)[1].any()
    assert len(list_parts(tmp_path / "labels")) <= 4
    assert store._view.n_fresh <= 3


def test_a_store_that_may_only_be_read_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path)
    monkeypatch.setattr(view, "_UNCOMPACTED", 15)
    (tmp_path / "index").write_text("")  # root may write into any folder, but not make one of a file
    assert not LabelStore(tmp_path).lookup(POOL, SIMULATORS)[1].any()
    assert len(list_parts(tmp_path / "labels")) == 20


def test_a_lease_is_held_by_one_and_taken_over_from_the_dead(tmp_path: Path) -> None:
    with lease.lease(tmp_path / "lease") as first, lease.lease(tmp_path / "lease") as second:
        assert first is not None and second is None
    (tmp_path / "lease").write_text("of a process that was killed")
    with lease.lease(tmp_path / "lease") as early:
        assert early is None
    os.utime(tmp_path / "lease", (0, time.time() - 2 * lease.EXPIRY))
    with lease.lease(tmp_path / "lease") as late:
        assert late is not None
    assert not list(tmp_path.iterdir())


WRITER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_store import Counting, compute, images
from matopt.data.labels import compaction, lease, store, view
store.FRESH = compaction.FRESH = 4
compaction._FILES, lease.EXPIRY = 6, 0.2

root, seed = Path(sys.argv[1]), int(sys.argv[2])
mine = store.LabelStore(root)
for turn in range(int(sys.argv[3])):
    batch = images(3, seed=1000 * seed + turn)
    mine.add(batch, Counting(), Counting().compute(batch))
    assert not mine.lookup(batch, [Counting()])[1].any()
    print(1000 * seed + turn, flush=True)
"""


def test_many_writers_that_compact_at_once_and_are_killed_lose_nothing_that_they_said_was_kept(tmp_path: Path) -> None:
    code = WRITER.format(tests=str(Path(__file__).parent))
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(seed), turns], stdout=subprocess.PIPE, text=True
        )
        for seed, turns in enumerate(["1000", "1000", "20", "20"])
    ]
    said = [writer.stdout.readline() for writer in writers[:2] for _ in range(10)]
    for victim in writers[:2]:
        os.kill(victim.pid, signal.SIGKILL)
    for writer in writers:
        said += writer.communicate(timeout=120)[0].split("\n")[:-1]  # the last line may be cut
    assert [writer.returncode for writer in writers] == [-9, -9, 0, 0]
    kept = [images(3, seed=int(turn)) for turn in said]
    assert len(kept) >= 60
    batch = Microstructures.concatenate(kept)
    for _ in range(2):
        assert_equal(LabelStore(tmp_path).label(batch, [Counting()], refuse), Counting().compute(batch))
        release(tmp_path)
        compact(tmp_path)
    assert len(list_parts(tmp_path / "labels")) <= 6


def test_a_writer_compacts_beside_its_work_and_ends_without_waiting(tmp_path: Path) -> None:
    code = WRITER.format(tests=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "7", "12"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert any(path.name.startswith("run-") for path in list_parts(tmp_path / "labels"))
    assert not (tmp_path / "index" / ".compaction").exists()


def test_what_keeps_a_store_from_being_compacted_is_said_and_its_labels_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    compact(tmp_path)
    for first in range(0, 12, 4):
        add(tmp_path, list(range(first, first + 4)), SIMULATORS[0])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        background._one_at_a_time.acquire()
        with pytest.warns(InputWarning, match="are kept, but not compacted: .* No space left on device"):
            background._work(tmp_path)
    assert not LabelStore(tmp_path).lookup(POOL, SIMULATORS)[1].any()
