"""Searches with Ray Tune and Optuna for real, over trials of milliseconds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from matopt.data.labels.store import LabelStore
from matopt.errors import FailureError, InputError
from matopt.microstructures import Microstructures
from matopt.registry import Component
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.data import Dataset, LabelledSet
from matopt.stages.models import ModelContext
from matopt.stages.trial import TrialSettings
from matopt.study.cluster.actors import SimulatorActor
from matopt.study.cluster.labelling import ClusterLabel
from matopt.study.cluster.pool import Pool
from matopt.study.cluster.ray_cluster import Cluster
from matopt.study.search.ledger import Ledger
from matopt.study.search.trials import TrialContext
from matopt.study.search.tuning import SearchCallback, SearchPlan, TrialPoint, search
from matopt.training.report import no_report

optuna = pytest.importorskip("optuna")
SOLID = Component("tiny_components.py:Solid", {})


class Heard(SearchCallback):
    def __init__(self):
        self.begun, self.completed, self.failed = [], [], {}

    def begin(self, number, params):
        self.begun.append(number)
        return no_report

    def complete(self, number, outcome):
        self.completed.append(number)

    def fail(self, number, error):
        self.failed[number] = error


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """What trials need, on a cluster of this machine."""
    root = tmp_path_factory.mktemp("storage")
    cluster = Cluster(None, root, cpus=2)
    cluster.start()
    models = ModelContext(ArtifactStore(root / "artifacts"), Path(__file__).parent)
    pool = Pool.of(SimulatorActor, 1, 120, (models, 1))
    solid = np.linspace(0.6, 0.9, 20)[:, None, None]
    images = Microstructures((np.random.default_rng(0).random((20, 24, 24)) < solid).astype(np.uint8), 1e-6)
    label = ClusterLabel(LabelStore(root / "labels"), [SOLID], models, lambda: pool)
    labelled = LabelledSet(images, label(images))
    dataset = Dataset(labelled[:8], labelled[8:14], labelled[14:])
    yield TrialContext(dataset, (SOLID,), models, root / "labels", pool, 1)
    cluster.close()


def plan(tmp_path, total, settings=lambda width: {"width": width}, concurrent=2, ridge=1e-6):
    def point(trial):
        width = trial.suggest_int("width", 1, 9)
        noise = Component("tiny_components.py:Noise", settings(width))
        linear = Component("tiny_components.py:Linear", {"ridge": ridge})
        return TrialPoint({"width": width}, TrialSettings(noise, linear, (), 4, 0))

    def sampler(n_started):
        return optuna.samplers.RandomSampler(seed=n_started)

    return SearchPlan(total, point, sampler, concurrent, {"cpu": 1, "gpu": 0}, tmp_path / "scratch")


def test_failed_trials_are_counted_and_told_and_the_search_goes_on(context, tmp_path):
    ledger, heard = Ledger(tmp_path / "journal", "a", {"r2": "maximize", "s2_error": "minimize"}), Heard()
    records = search(plan(tmp_path, 8, lambda w: {"width": w, "fail_above": 5}), ledger, context, heard)
    assert len(records) == 8 and {r.state for r in records} == {"complete", "failed"}
    for record in records:
        if record.params["width"] > 5:
            assert record.error.startswith(f"ArithmeticError: no noise of width {record.params['width']} (at tiny_comp")
            assert heard.failed[record.number] == record.error
        else:
            assert record.outcome.metrics["r2"] > 0.9 and record.number in heard.completed
            assert record.outcome.generator_key in context.models.artifacts
    assert sorted(heard.begun) == list(range(8))
    assert not (tmp_path / "scratch").exists()

    # Launched again where the reason is gone, the failed points are complete too, and nothing else is run.
    again = Ledger(tmp_path / "journal", "a", {"r2": "maximize", "s2_error": "minimize"})
    mended = search(plan(tmp_path, 8), again, context, Heard())
    assert [r.state for r in mended] == ["complete"] * 8
    assert sorted(r.params["width"] for r in mended) == sorted(r.params["width"] for r in records)


def test_a_trial_whose_process_dies_is_run_again_at_its_point(context, tmp_path):
    died = tmp_path / "died"
    ledger, heard = Ledger(tmp_path / "journal", "a", {"r2": "maximize"}), Heard()
    settings = plan(tmp_path, 2, lambda w: {"width": w, "die": str(died)}, concurrent=1)
    records = search(settings, ledger, context, heard)
    assert died.exists() and [r.state for r in records] == ["complete"] * 2
    assert list(heard.failed.values()) == ["its process died (out of memory?)"]
    assert len(heard.begun) == 3
    first = ledger.storage.get_trial(0)
    assert first.params["width"] in [r.params["width"] for r in records]


def test_a_score_that_is_no_number_fails_its_trial(context, tmp_path):
    ledger, heard = Ledger(tmp_path / "journal", "a", {"r2": "maximize"}), Heard()
    with pytest.raises(FailureError, match="all 1 trials failed; the last: trial 0: objective 'r2' is nan"):
        search(plan(tmp_path, 1, ridge=float("nan")), ledger, context, heard)
    assert [r.state for r in ledger.records()] == ["failed"]


def test_settings_that_exclude_each_other_fail_their_trial_alone(context, tmp_path):
    def settings(width):
        if width > 5:
            raise InputError(f"width {width} and the rest exclude each other")
        return {"width": width}

    ledger = Ledger(tmp_path / "journal", "a", {"r2": "maximize"})
    records = search(plan(tmp_path, 6, settings), ledger, context, Heard())
    assert {r.state for r in records} == {"complete", "failed"}
    assert all(("exclude each other" in r.error) == (r.params["width"] > 5) for r in records)
    with pytest.raises(
        FailureError, match=r"of 6 trials failed \(.*exclude each other.*\); search\.min_complete asks for 6"
    ):
        search(replace(plan(tmp_path, 6, settings), least=6), ledger, context, Heard())
