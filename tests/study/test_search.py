"""Searches with Ray Tune and Optuna for real, over trials of milliseconds."""

import itertools
import re
import time
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
from matopt.study.records import failures
from matopt.study.search.ledger import Ledger
from matopt.study.search.plan import SearchCallback, SearchPlan, TrialPoint
from matopt.study.search.rungs import Rungs
from matopt.study.search.trials import TrialContext
from matopt.study.search.tuning import search
from matopt.training.report import no_report

optuna = pytest.importorskip("optuna")
WIDTHS = [6, 1, 2, 5, 9, 8, 3, 4]
"""The points of an undisturbed search, in order."""
ENDS_TOLD = {
    "os._exit": r"its process was killed \(SIGKILL\), or ended itself at once \(os\._exit\)",
    "segfault": r"its process died: Segmentation fault \(at tiny_components\.py:\d+\)",
    "SIGTERM": r"its process was terminated \(SIGTERM\)",
    "sys.exit": r"it ended itself, with exit code 4 \(at tiny_components\.py:\d+\)",
}
SOLID = Component("tiny_components.py:Solid", {})


class Heard(SearchCallback):
    def __init__(self):
        self.begun, self.completed, self.pruned, self.failed, self.seconds, self.idle = [], [], {}, {}, [], 0.0

    def begin(self, number, params):
        self.begun.append(number)
        return no_report

    def complete(self, number, outcome):
        self.completed.append(number)

    def prune(self, number, reason, seconds, waiting):
        self.pruned[number] = reason

    def overhead(self, seconds):
        self.idle += seconds

    def fail(self, number, error, seconds, waiting):
        self.failed[number] = error
        self.seconds.append(seconds)


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
    yield TrialContext(dataset, (SOLID,), models, root / "labels", pool, 1, root / "words", 120.0)
    cluster.close()


def plan(tmp_path, total, settings=lambda width: {"width": width}, concurrent=2, ridge=1e-6):
    def point(trial):
        width = trial.suggest_int("width", 1, 9)
        noise = Component("tiny_components.py:Noise", settings(width))
        linear = Component("tiny_components.py:Linear", {"ridge": ridge})
        return TrialPoint({"width": width}, TrialSettings(noise, linear, (), 4, 0))

    def sampler(n_started):
        return optuna.samplers.RandomSampler(seed=20 + n_started)

    return SearchPlan(total, total, point, sampler, concurrent, {"cpu": 1, "gpu": 0}, tmp_path / "scratch")


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

    # Launched again, it runs nothing, as enough are complete.
    again, more = Ledger(tmp_path / "journal", "a", {"r2": "maximize", "s2_error": "minimize"}), Heard()
    assert not again.unfinished(8, 8) and again.unfinished(8, 8, least=8)
    assert search(plan(tmp_path, 8), again, context, more) == records and more.begun == []

    # Where more are asked for, and the reason is gone, the failed points are complete too, and nothing else is run.
    mended = search(replace(plan(tmp_path, 8), least=8), again, context, Heard())
    assert [r.state for r in mended] == ["complete"] * 8
    assert sorted(r.params["width"] for r in mended) == sorted(r.params["width"] for r in records)


def test_other_points_take_the_place_of_failed_ones_up_to_a_cap(context, tmp_path):
    asked = replace(plan(tmp_path, 4, lambda w: {"width": w, "fail_above": 5}, concurrent=1), most=6)
    ledger, heard = Ledger(tmp_path / "journal", "a", {"r2": "maximize"}), Heard()
    records = search(asked, ledger, context, heard)
    assert [r.params["width"] for r in records] == WIDTHS[:6]
    assert [r.state == "complete" for r in records] == [width <= 5 for width in WIDTHS[:6]]
    assert failures(records).startswith("3 of 6 trials failed (")
    assert len(heard.seconds) == 3 and all(seconds > 0 for seconds in heard.seconds)

    # One that was interrupted and has more points to go to goes the way of one that was not.
    assert not ledger.unfinished(4, 6) and ledger.unfinished(4, 8)
    records = search(replace(asked, most=8), Ledger(tmp_path / "journal", "a", {"r2": "maximize"}), context, Heard())
    assert [r.params["width"] for r in records] == WIDTHS[:7] and records[-1].state == "complete"


def test_what_ends_a_trials_process_is_told_and_its_point_is_run_again(context, tmp_path):
    ends = dict(zip(WIDTHS, ENDS_TOLD, strict=False))

    def settings(width):
        if width not in ends:
            return {"width": width}
        return {"width": width, "die": str(tmp_path / f"died-{width}"), "end": ends[width]}

    ledger, heard = Ledger(tmp_path / "journal", "a", {"r2": "maximize"}), Heard()
    records = search(replace(plan(tmp_path, 4, settings, concurrent=1), most=5), ledger, context, heard)
    told = {ends[ledger.storage.get_trial(number).params["width"]]: error for number, error in heard.failed.items()}
    assert told.keys() == ENDS_TOLD.keys()
    for end, error in told.items():
        assert re.fullmatch(ENDS_TOLD[end], error), (end, error)
    # `sys.exit` is an error like others, with another point in its place; what kills the process may be chance.
    complete = [r.params["width"] for r in records if r.state == "complete"]
    assert sorted(complete) == sorted(WIDTHS[:3] + WIDTHS[4:5])
    assert [r.state for r in records if r.params["width"] == WIDTHS[3]] == ["failed"]


@pytest.mark.faults
def test_a_trial_that_hangs_is_ended_and_its_point_is_run_again(context, tmp_path):
    died = tmp_path / "died"
    ledger, heard = Ledger(tmp_path / "journal", "a", {"r2": "maximize"}), Heard()
    asked = plan(tmp_path, 1, lambda w: {"width": w, "die": str(died), "end": "sleep"})
    records = search(asked, ledger, replace(context, silence=15.0), heard)
    assert next(iter(heard.failed.values())).startswith("it hung: for 15 s it neither reported nor computed")
    assert [(r.state, r.params["width"]) for r in records] == [("complete", WIDTHS[0])]
    assert not Path(f"/proc/{died.read_text()}").exists()
    assert heard.seconds[0] > 15


@pytest.mark.faults
def test_a_point_that_always_kills_its_process_is_given_up_over_all_launches(context, tmp_path):
    count = itertools.count()

    def settings(width):
        return {"width": width, "die": str(tmp_path / f"{next(count)}") if width == WIDTHS[0] else ""}

    asked = replace(plan(tmp_path, 1, settings, concurrent=1), most=2)
    before = Ledger(tmp_path / "journal", "a", {"r2": "maximize"})
    for _ in range(2):  # launches that its process took along after they had entered it
        chosen = before.ask(asked.sampler)
        asked.point(chosen)
        before.fail(chosen.number, "its process was killed", "lost")
        assert before.again(chosen.number)
    heard = Heard()
    records = search(asked, Ledger(tmp_path / "journal", "a", {"r2": "maximize"}), context, heard)
    assert len(heard.begun) == 2 and len(heard.failed) == 1
    assert [(r.state, r.params["width"]) for r in records] == [("failed", WIDTHS[0]), ("complete", WIDTHS[1])]


def test_a_score_that_is_no_number_fails_its_trial(context, tmp_path):
    ledger, heard = Ledger(tmp_path / "journal", "a", {"r2": "maximize"}), Heard()
    with pytest.raises(FailureError, match=r"1 of 1 trials failed \(trial 0: objective 'r2' is nan.*there are 0"):
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


# ------------------------------------------------------------------------------------------------------- pruning


RIDGES = {6: 0.3, 1: 0.1, 2: 10.0, 5: 3.0, 9: 0.03, 8: 100.0, 3: 0.06, 4: 30.0}
"""Of the points of an undisturbed search: the less, the better the predictor."""


def pruned_search(context, tmp_path, journal, total, log=""):
    """Search so many trials, one at a time, and prune what is not in the better half; the ledger and what was heard."""
    asked = plan(tmp_path, total, concurrent=1)

    def point(trial):
        params = {"width": trial.suggest_int("width", 1, 9)}
        noise = Component("tiny_components.py:Noise", {"width": 3})
        gradual = Component("tiny_components.py:Gradual", {"ridge": RIDGES[params["width"]], "log": log})
        return TrialPoint(params, TrialSettings(noise, gradual, (), 4, 0))

    ledger, heard = Ledger(journal, "a", {"r2": "maximize"}), Heard()
    rungs = Rungs({"r2": "maximize"}, 0.3, 2, startup=1)
    search(replace(asked, point=point), ledger, replace(context, rungs=rungs), heard)
    return ledger, heard


def test_bad_trials_are_pruned_between_two_reports_and_good_ones_are_not(context, tmp_path):
    ledger, heard = pruned_search(context, tmp_path, tmp_path / "journal", 8, str(tmp_path / "log"))
    records = ledger.records()
    assert [r.params["width"] for r in records] == WIDTHS  # as many as were asked for, and no other in their places
    states = {width: r.state for width, r in zip(WIDTHS, records, strict=True)}
    assert states == {w: "pruned" if w in (2, 5, 8, 4) else "complete" for w in WIDTHS}
    assert heard.pruned == {r.number: r.error for r in records if r.state == "pruned"} and not heard.failed
    assert records[2].error.startswith("pruned after 30% of its predictor's training (r2 ")

    # Each was told at its rung, and went no further; its process ran the next trial.
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    last = {float(ridge): int(step) for _, ridge, step in lines}
    assert last == {RIDGES[width]: 3 if state == "pruned" else 10 for width, state in states.items()}
    assert len({pid for pid, _, _ in lines}) == 1

    for trial, record in zip(ledger.storage.get_all_trials(0), records, strict=True):
        is_pruned = record.state == "pruned"
        assert trial.state is (optuna.trial.TrialState.PRUNED if is_pruned else optuna.trial.TrialState.COMPLETE)
        assert list(trial.intermediate_values) == ([10, 20, 30] if is_pruned else [])
        assert len(record.curve["r2"]) == len(record.curve["progress"]) == (3 if is_pruned else 10)


def test_a_search_that_prunes_goes_the_same_way_whatever_interrupted_it(context, tmp_path):
    undisturbed, _ = pruned_search(context, tmp_path, tmp_path / "undisturbed", 8)
    journal = tmp_path / "interrupted"
    pruned_search(context, tmp_path, journal, 3)  # the last of them is pruned
    killed = Ledger(journal, "a", {"r2": "maximize"})
    trial = killed.ask(plan(tmp_path, 8).sampler)
    trial.suggest_int("width", 1, 9)
    bad = {"progress": [0.1, 0.2, 0.3], "r2": [9.0, 9.0, 9.0]}  # of an attempt that counts no more
    assert killed.judge(trial.number, bad, Rungs({"r2": "maximize"}, 0.3, 2, startup=1)) == ""
    ledger, _ = pruned_search(context, tmp_path, journal, 8)

    def found(ledger):
        return [(r.state, r.params, r.curve, r.outcome and r.outcome.metrics) for r in ledger.records()]

    assert found(ledger) == found(undisturbed)


@pytest.mark.parametrize("concurrent", [1, 2])
def test_all_time_of_a_search_is_its_trials_or_told_as_overhead(context, tmp_path, concurrent):
    ledger, heard = Ledger(tmp_path / "journal", "times", {"r2": "maximize"}), Heard()
    begun = time.monotonic()
    records = search(plan(tmp_path, 6, concurrent=concurrent), ledger, context, heard)
    wall = time.monotonic() - begun
    told = heard.idle + sum(record.outcome.seconds for record in records)
    assert wall - 1.0 < told < concurrent * wall
