"""Labels and artifacts in a bucket, of two hosts that share nothing else: two folders, each a working copy of it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from object_store import keys

from matopt.data.labels import bucket_copy, compaction
from matopt.data.labels.compaction import compact
from matopt.data.labels.store import LabelBatch, LabelStore
from matopt.errors import InputWarning
from matopt.microstructures import Microstructures
from matopt.properties import Property
from matopt.stages.artifacts import ArtifactStore


@dataclass(frozen=True)
class Solid:
    property = Property("solid", "s", "1", "1")

    def settings(self):
        return {"simulator": "Solid"}

    def exchanged(self, tensor, dimensions):
        return tensor[:, 1:dimensions]


def images(n, seed=0):
    return Microstructures(np.random.default_rng(seed).integers(0, 2, (n, 8, 8)).astype(np.uint8), 1e-6)


def compute(simulator, microstructures):
    values = microstructures.phases.mean(axis=(1, 2))
    return LabelBatch(values, np.array(["ok"] * len(values)), np.zeros(len(values)))


def refuse(simulator, microstructures):
    raise AssertionError(f"{len(microstructures)} labels were computed again")


@pytest.fixture
def hosts(there, tmp_path, monkeypatch):
    """Three hosts' working copies of one storage, which are looked after as often as they are asked."""
    monkeypatch.setattr(bucket_copy, "_EVERY", 0.0)
    return [tmp_path / name / "matopt-buckets" / "s3" / "rocks" / "lab" for name in ("one", "two", "three")]


def values_of(root, batch):
    table = LabelStore(root / "labels").label(batch, [Solid()], refuse)
    np.testing.assert_array_equal(table.values[:, 0], compute(None, batch).values)


def test_what_one_host_computed_another_reads(there, hosts):
    one, two = (LabelStore(root / "labels") for root in hosts[:2])
    batch = images(12)
    one.label(batch[:6], [Solid()], compute)
    assert not two.lookup(batch[:6], [Solid()])[1].any()
    two.label(batch[6:], [Solid()], compute)
    assert not one.lookup(batch, [Solid()])[1].any()
    values_of(hosts[2], batch)
    parts = keys(there, "lab/labels")
    assert (
        len([key for key in parts if "/images/" in key]) == 2 == len([key for key in parts if "/labels/labels/" in key])
    )


def test_what_one_host_merged_another_follows_and_the_bucket_is_one_table(there, hosts, monkeypatch, tmp_path):
    monkeypatch.setattr(compaction, "FRESH", 3)
    monkeypatch.setattr(compaction, "_FILES", 3)
    batch, readers = images(20), [LabelStore(root / "labels") for root in hosts]
    for first in range(0, 20, 2):
        readers[first // 2 % 2].label(batch[first : first + 2], [Solid()], compute)
    values_of(hosts[2], batch)
    assert compact(hosts[0] / "labels") and compact(hosts[1] / "labels")
    for reader in readers:
        assert not reader.lookup(batch, [Solid()])[1].any()
    tables = keys(there, "lab/labels/labels")
    runs = [key for key in tables if "/run-" in key]
    assert len(tables) <= 4 and 0 < len(runs) == len(keys(there, "lab/labels/index"))
    for root in hosts:
        here = {path.name for path in (root / "labels" / "labels").glob("*.parquet")}
        assert here == {key.rpartition("/")[2] for key in tables}
    for key in tables:
        (tmp_path / "table").mkdir(exist_ok=True)
        (tmp_path / "table" / key.rpartition("/")[2]).write_bytes(bytes(there.get(key).bytes()))
    assert set(pq.read_table(tmp_path / "table")["hash"].to_pylist()) == set(batch.hashes)


def test_a_merging_that_was_killed_before_it_deleted_anything_loses_and_spoils_nothing(there, hosts, monkeypatch):
    monkeypatch.setattr(compaction, "FRESH", 3)
    batch = images(8)
    for first in range(0, 8, 2):
        LabelStore(hosts[0] / "labels").label(batch[first : first + 2], [Solid()], compute)

    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(compaction, "_delete", killed)
        with pytest.raises(KeyboardInterrupt):
            compact(hosts[0] / "labels")
    assert len(keys(there, "lab/labels/labels")) == 5
    values_of(hosts[1], batch)
    assert compact(hosts[1] / "labels")
    assert len(keys(there, "lab/labels/labels")) == 1
    for root in hosts:
        values_of(root, batch)


def test_a_file_that_is_damaged_here_is_copied_anew_and_an_object_is_moved_aside(there, hosts):
    batch = images(4)
    LabelStore(hosts[0] / "labels").label(batch, [Solid()], compute)
    (key,) = keys(there, "lab/labels/labels")
    (part,) = (hosts[0] / "labels" / "labels").iterdir()
    part.write_bytes(part.read_bytes()[:-20])
    values_of(hosts[0], batch)
    assert keys(there, "lab/labels/damaged") == []
    there.put(key, part.read_bytes()[:-20])
    with pytest.warns(InputWarning, match="is damaged"):
        assert LabelStore(hosts[1] / "labels").lookup(batch, [Solid()])[1].all()
    assert keys(there, "lab/labels/labels") == [] and len(keys(there, "lab/labels/damaged")) == 1


def test_a_copy_that_is_damaged_when_it_is_merged_costs_no_label(there, hosts, monkeypatch):
    monkeypatch.setattr(compaction, "FRESH", 3)
    batch = images(8)
    for first in range(0, 8, 2):
        LabelStore(hosts[0] / "labels").label(batch[first : first + 2], [Solid()], compute)
    part = sorted((hosts[0] / "labels" / "labels").iterdir())[1]
    part.write_bytes(part.read_bytes()[:-20])
    assert compact(hosts[0] / "labels")
    assert keys(there, "lab/labels/damaged") == []
    for root in hosts:
        values_of(root, batch)


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_stores import write_all
for _ in range(3):
    write_all(Path(sys.argv[1]))
"""


def write_all(root):
    LabelStore(root / "labels").label(images(40), [Solid()], compute, batch=10)
    ArtifactStore(root / "artifacts").save("abcd", {"x": torch.arange(1000)})


def test_hosts_that_write_the_same_labels_and_artifacts_at_once_are_both_right(there, hosts):
    with ThreadPoolExecutor() as threads:
        list(threads.map(write_all, [*hosts[:2], *hosts[:2]]))
    values_of(hosts[2], images(40))
    assert torch.equal(ArtifactStore(hosts[2] / "artifacts").load("abcd")["x"], torch.arange(1000))
    assert keys(there, "lab/artifacts") == ["lab/artifacts/ab/abcd.pt"]


@pytest.mark.slow
def test_processes_that_write_the_same_labels_and_artifacts_at_once_are_both_right(there, hosts):
    places = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(root), *places], stderr=subprocess.PIPE, text=True)
        for root in hosts[:2]
    ]
    assert [(writer.wait(60), writer.stderr.read()) for writer in writers] == [(0, "")] * 2
    values_of(hosts[2], images(40))
    assert torch.equal(ArtifactStore(hosts[2] / "artifacts").load("abcd")["x"], torch.arange(1000))
    assert keys(there, "lab/artifacts") == ["lab/artifacts/ab/abcd.pt"]


@dataclass(frozen=True)
class Found:
    x: torch.Tensor


def test_an_artifact_is_made_once_by_all_hosts_and_its_uses_and_its_deletion_are_the_buckets(there, hosts):
    stores = [ArtifactStore(root / "artifacts", "study") for root in hosts]
    made = []
    for store in stores:
        assert torch.equal(
            store.get("ab12", Found, lambda: made.append(1) or Found(torch.arange(3))).x, torch.arange(3)
        )
    assert made == [1]
    (artifact,) = stores[2].artifacts()
    assert (artifact.key, artifact.size) == ("ab12", stores[0].path("ab12").stat().st_size)
    assert [use.key for use in stores[1].uses()["study"]] == ["ab12"]
    stores[1].delete("ab12")
    assert keys(there) == []
    assert "ab12" not in ArtifactStore(hosts[0] / "artifacts")  # though its file lies there


def test_an_artifact_that_is_damaged_here_is_copied_anew_and_one_that_is_damaged_there_made_anew(there, hosts):
    store = ArtifactStore(hosts[0] / "artifacts")
    store.get("ab12", Found, lambda: Found(torch.arange(3)))
    path = store.path("ab12")
    path.write_bytes(path.read_bytes()[:100])
    assert torch.equal(store.load("ab12", Found).x, torch.arange(3))
    there.put("lab/artifacts/ab/ab12.pt", path.read_bytes()[:100])
    with pytest.warns(InputWarning, match="made anew"):
        ArtifactStore(hosts[1] / "artifacts").get("ab12", Found, lambda: Found(torch.arange(3)))
    assert keys(there, "lab/artifacts") == ["lab/artifacts/ab/ab12.pt", "lab/artifacts/ab/ab12.pt.damaged"]
    assert torch.equal(ArtifactStore(hosts[2] / "artifacts").load("ab12", Found).x, torch.arange(3))
