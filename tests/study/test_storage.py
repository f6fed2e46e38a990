"""A storage folder tells what it holds; what no study names can go, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from matopt.data.labels.store import LabelStore
from matopt.microstructures import Microstructures
from matopt.registry import content_key
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.records import TrialResult
from matopt.stages.simulate import simulate
from matopt.study.layout import Layout, write_json
from matopt.study.search.ledger import Ledger
from matopt.study.state import LaunchState
from matopt.study.storage import prune, storage_use, unnamed

OLD = 1e6


def key(name: str) -> str:
    return content_key(name)


def launch(storage: Path, study: str, *models: str, looked_up: tuple[str, ...] = (), ends: bool = True) -> Layout:
    """What a launch does to its folder: it keeps models, or finds some, and comes to its end or not."""
    layout = Layout(storage, study)
    layout.make()
    write_json(layout.config, {})
    store, state = ArtifactStore(layout.artifacts, study), LaunchState(layout)
    with state.stage("search"):
        for model in models:
            store.save(key(model), {"state": torch.zeros(100)})
        assert all(key(model) in store for model in looked_up)
    if ends:
        state.note(stage="")
    return layout


def trial(layout: Layout, search: str, generator: str, predictor: str) -> None:
    """Enter a trial into the study's ledger, whose search is the one of its study file."""
    ledger = Ledger(layout.journal, search, {"r2": "maximize"})
    number = ledger.ask(lambda n: __import__("optuna").samplers.RandomSampler(0)).number
    ledger.complete(number, TrialResult({"r2": 0.5}, key(generator), key(predictor), 1.0))
    LaunchState(layout).note(searches={"settings": search})


def age(storage: Path, seconds: float = OLD) -> None:
    """Make all that there is older."""
    for path in storage.rglob("*"):
        os.utime(path, (time.time() - seconds, path.stat().st_mtime - seconds))


def going(storage: Path, older_than: float | None = None) -> set[str]:
    return {artifact.key for artifact in unnamed(storage, older_than)}


def test_a_study_names_what_its_last_launch_used_and_the_models_of_its_trials(tmp_path: Path) -> None:
    layout = launch(tmp_path, "a", "generator", "predictor", "for a curve", "found again")
    trial(layout, "search", "generator", "predictor")
    assert going(tmp_path) == set()
    age(tmp_path)
    launch(tmp_path, "a", "new", looked_up=("found again",))
    assert going(tmp_path) == {key("for a curve")}
    assert "earlier launches of a" in unnamed(tmp_path)[0].why


@pytest.mark.parametrize("is_running", [True, False])
def test_a_study_that_is_running_or_was_interrupted_keeps_all_that_it_ever_used(
    tmp_path: Path, is_running: bool
) -> None:
    launch(tmp_path, "a", "first")
    age(tmp_path)
    layout = launch(tmp_path, "a", "second", ends=is_running)
    if is_running:
        layout.lease.write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": "1"}))
    assert going(tmp_path) == set()


def test_what_a_study_that_is_gone_used_goes_unless_another_uses_it(tmp_path: Path) -> None:
    import shutil

    launch(tmp_path, "a", "alone", "shared")
    launch(tmp_path, "b", looked_up=("shared",))
    shutil.rmtree(tmp_path / "studies" / "a")
    (found,) = unnamed(tmp_path)
    assert found.key == key("alone") and found.why == "used by a alone, which is gone"


def test_what_no_study_is_known_to_have_used_stays_unless_it_is_older_than_asked(tmp_path: Path) -> None:
    layout = launch(tmp_path, "a", "known")
    ArtifactStore(layout.artifacts).save(key("before uses were noted"), {"x": torch.zeros(3)})
    age(tmp_path, 40 * 86400)
    ArtifactStore(layout.artifacts).save(key("young"), {"x": torch.zeros(3)})
    assert going(tmp_path) == going(tmp_path, 60) == set()
    assert going(tmp_path, 30) == {key("before uses were noted")}


def test_what_is_used_between_the_question_and_the_answer_stays(tmp_path: Path) -> None:
    launch(tmp_path, "a", "one", "two")
    age(tmp_path)
    launch(tmp_path, "a", "new")
    chosen = unnamed(tmp_path)
    launch(tmp_path, "b", looked_up=("one",))
    assert prune(tmp_path, chosen).files == 1
    store = ArtifactStore(Layout(tmp_path, "").artifacts)
    assert {artifact.key for artifact in store.artifacts()} == {key("one"), key("new")}
    assert going(tmp_path) == set() and key("two") not in {use.key for use in store.uses()["a"]}


def matopt(*arguments: str, text: str | None = None) -> str:
    command = [sys.executable, "-m", "matopt", "storage", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_show_what_there_is_and_delete_only_when_they_are_told_to(tmp_path: Path) -> None:
    layout = launch(tmp_path, "a", "one", "two")
    images = Microstructures(np.random.default_rng(0).integers(0, 2, (4, 8, 8)).astype(np.uint8), 1e-6)
    simulate(images, "diffusivity", LabelStore(layout.labels))
    (tmp_path / "labels" / "damaged").mkdir()
    (tmp_path / "labels" / "damaged" / "x.parquet").touch()
    age(tmp_path)
    launch(tmp_path, "a", "new")
    shown = matopt("show", "--storage", str(tmp_path))
    lines = {line.split("  ")[0].strip(): line for line in shown.splitlines()}
    assert "3" in lines["models"] and "labels" in lines and "a" in lines
    assert "damaged, and moved aside" in shown and "x.parquet" in shown
    said = matopt("prune", "--storage", str(tmp_path))
    assert "earlier launches of a" in said and "with --yes 2 files" in said
    assert going(tmp_path) == {key("one"), key("two")}
    labels = sorted(path.name for path in layout.labels.rglob("*"))
    assert "of 2 files" in matopt("prune", "--yes", "--storage", str(tmp_path))
    assert "nothing that could go" in matopt("prune", "--yes", "--storage", str(tmp_path))
    assert labels == sorted(path.name for path in layout.labels.rglob("*"))
    assert storage_use(tmp_path).kinds["models"].files == 1
