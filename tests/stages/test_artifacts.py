"""Results rest under the key of what they were made from, whole or not at all."""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from matopt.errors import FailureError
from matopt.stages.artifacts import ArtifactStore


@dataclass(frozen=True)
class Found:
    x: torch.Tensor
    name: str


def test_what_was_made_once_is_not_made_again(tmp_path: Path) -> None:
    store, made = ArtifactStore(tmp_path), []

    def make() -> Found:
        made.append(1)
        return Found(torch.arange(3), "a")

    first, second = store.get("ab12", Found, make), ArtifactStore(tmp_path).get("ab12", Found, make)
    assert len(made) == 1
    assert torch.equal(first.x, second.x)
    assert second.name == "a"
    assert ArtifactStore(tmp_path).load("ab12", Found).name == "a"


def test_a_payload_of_another_record_is_told_as_damaged(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    store.save("ab12", {"x": torch.arange(3)})
    with pytest.raises(FailureError, match=r"ab12\.pt was damaged \(KeyError\)"):
        store.load("ab12", Found)


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    store.save("cd34", {"x": torch.zeros(1000)})
    path = store.path("cd34")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FailureError, match=r"cd34\.pt was damaged .* cd34\.pt\.damaged now; launch the study again"):
        store.load("cd34")


def test_an_artifact_that_runs_code_is_refused(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    store.path("ef56").parent.mkdir(parents=True)
    torch.save({"x": Path("anything")}, store.path("ef56"))
    with pytest.raises(FailureError, match="damaged"):
        store.load("ef56")


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    code = """
import signal, sys, torch
from pathlib import Path
from matopt.errors import FailureError
from matopt.stages.artifacts import ArtifactStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    ArtifactStore(Path(sys.argv[1])).save("ab", {"x": torch.zeros(1_000_000)})
except FailureError as error:
    print(error)
"""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, preexec_fn=limit, check=True
    )
    assert "cannot be written" in done.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
