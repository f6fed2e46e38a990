"""Studies of seconds, launched for real, and killed for real."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest
import ray

from matopt.errors import FailureError
from matopt.study import results
from matopt.study.config.study import load_study
from matopt.study.launch import changes, launch
from matopt.study.layout import Layout, read_json
from matopt.study.lease import hold_lease
from matopt.study.records import prunings
from matopt.study.search.ledger import read_records
from matopt.study.state import LaunchState
from matopt.study.status import compare, list_studies, study_status
from matopt.study.tracking.database import database_uri

STUDY = """
name: tiny
storage: runs
data:
  source: {kind: "tiny_components.py:Dots"}
  window: {size: 24}
  split: {train: 12, validation: 8, test: 8}
physics:
  properties: [diffusivity, "tiny_components.py:Solid"]
  "tiny_components.py:Solid": {seconds: 0.1, log: "LOG"}
generator: {kind: "tiny_components.py:Noise", seconds: 1.0}
predictor: {kind: "tiny_components.py:Linear", seconds: 0.5}
augmentation: {size: 4}
search:
  trials: 4
  startup: 1  # so that trials run one after another, on as many processors as there may be
  space:
    generator.width: {int: [1, 7]}
    predictor.ridge: {uniform: [0.0, 0.01]}
  objectives: {r2: maximize, morphology_distance: minimize}
evaluation:
  generators: ["tiny_components.py:Noise"]
  sizes: [2, 4]
  draws: 2
resources: {timeout: 120}
"""

DRIVER = """
import sys
from matopt.study.config.study import load_study
from matopt.study.launch import launch
launch(load_study(sys.argv[1]), progress=lambda *said: print(*said[:3], flush=True))
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The study's file, with a place for all that it makes: a folder whose name no address would take as it is.

    Beside it lie things that bear the names of what a launch imports.
    """
    folder = tmp_path_factory.mktemp("study") / "run #1 of ~me? 50%25 $x=1"
    folder.mkdir()
    (folder / "matopt").mkdir()
    (folder / "matopt" / "__init__.py").write_text("raise ImportError('another matopt')")
    (folder / "random.py").write_text("raise ImportError('another random')")
    shutil.copy(Path(__file__).with_name("tiny_components.py"), folder)
    (folder / "tiny.yaml").write_text(STUDY.replace("LOG", str(folder / "simulated.txt")))
    return folder / "tiny.yaml"


def load(file, *overrides):
    return load_study(file, [f"storage={file.parent / 'runs'}", *overrides])


def simulated(file):
    return len((file.parent / "simulated.txt").read_text().splitlines())


def records(study):
    layout = Layout.of(study)
    return read_records(layout.journal, read_json(layout.state)["search"])


def processes_of(pid):
    """A process and all that it started."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(entry.parent.name)] = int(fields[1])
    family, grown = {pid}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in family} - family
        family, grown = family | more, bool(more)
    return family & parents.keys()


def wait_until_gone(family, seconds, but=()):
    patience = time.monotonic() + seconds
    while left := {pid for pid in family if pid in processes_of(pid) and not name(pid).startswith(but or "-")}:
        assert time.monotonic() < patience, f"left over: {[name(pid) for pid in left]}"
        time.sleep(0.2)


def name(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")  # they look for their head for a minute, then they end
orphans = set()


def run_and_kill(file, stage, done, delay):
    """Launch the study in a process of its own and kill that ``delay`` seconds after a stage is ``done`` so far."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", DRIVER, str(file)], cwd=file.parent, stdout=subprocess.PIPE, text=True
    ) as driver:
        for line in driver.stdout:
            words = line.split()
            if words[0] == stage and int(words[1]) >= done and int(words[2]) > 0:
                break
        else:
            raise AssertionError(f"the launch ended before it could be killed in {stage}")
        time.sleep(delay)
        family = processes_of(driver.pid)
        assert any("raylet" in name(pid) for pid in family)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    wait_until_gone(family, 30, AGENTS)
    orphans.update(family)


def write_page(found):
    found.layout.report.mkdir(exist_ok=True)
    (found.layout.report / "index.html").write_text(f"best: {found.best.number}")
    return [found.layout.report / "index.html"]


def open_runs(study):
    client = mlflow.MlflowClient(database_uri(Layout.of(study).database))
    experiment = client.get_experiment_by_name("tiny")
    runs = client.search_runs([experiment.experiment_id])
    return [run for run in runs if run.info.status == "RUNNING"], runs


@pytest.fixture(scope="module")
def finished(file):
    """The study after launches that were killed in its data, its search and its evaluation, and a last one."""
    study = load(file)
    run_and_kill(file, "data", 28, 0.0)
    assert read_json(Layout.of(study).state)["stage"] == "data"
    run_and_kill(file, "search", 1, 0.7)  # one trial is complete, the next is in the middle
    assert "complete" in [r.state for r in records(study)] and "running" in [r.state for r in records(study)]
    run_and_kill(file, "evaluation", 1, 0.3)
    before = {r.number: r.outcome for r in records(study) if r.state == "complete"}
    assert len(before) == 4
    result = launch(study)
    assert {r.number: r.outcome for r in result.trials} == before  # none was run again
    return study, result


def test_a_study_killed_in_every_stage_loses_and_doubles_nothing(finished, file):
    study, result = finished
    assert [r.state for r in result.trials] == ["complete"] * 4
    assert len({tuple(r.params.values()) for r in result.trials}) == 4
    assert len(result.evaluation.curve) == 2 * (1 + 2)
    # 28 authentic images, and for each of at most 5 generators (4 trials, one of them twice begun) at most 4 samples;
    # 8 of the validation and 8 of the test are moved in 3 ways, once and several times in a row. A chunk that was being
    # computed at a kill may be there twice.
    moved = (8 + 8) * 3 * 2
    images = len({r.params["generator.width"] for r in result.trials}) * 4 + 28
    assert images <= simulated(file) - moved <= images + 28 + 4
    running, runs = open_runs(study)
    assert running == []
    complete = [r for r in runs if r.data.tags.get("stage") == "trial" and r.info.status == "FINISHED"]
    assert len(complete) == 4 and all("r2" in run.data.metrics for run in complete)
    # A trial that was begun again found the models that its first run had finished; their curves are with that run.
    with_curves = {r.data.params["predictor.ridge"] for r in runs if "predictor/loss" in r.data.metrics}
    assert {run.data.params["predictor.ridge"] for run in complete} <= with_curves


def test_a_finished_study_is_launched_again_without_ray_or_a_simulation(finished, file):
    study, result = finished
    before, said = simulated(file), []
    start = time.perf_counter()
    again = launch(study, make_report=write_page, progress=lambda *heard: said.append(heard))
    assert time.perf_counter() - start < 15  # of these MLflow's connection takes most
    assert {stage for stage, *_ in said} == {"report"} and not ray.is_initialized()
    assert simulated(file) == before
    assert again.best == result.best and again.trials == result.trials
    assert again.evaluation.curve == result.evaluation.curve
    read = results.finished(study)
    assert read.best == result.best and read.evaluation.curve == result.evaluation.curve


def test_the_status_tells_what_the_launch_returned(finished, file):
    study, result = finished
    status = study_status(study.storage, "tiny")
    assert status.is_finished and status.launches >= 4 and status.error == ""
    assert status.trials == {"complete": 4, "pruned": 0, "failed": 0, "running": 0, "waiting": 0}
    assert status.best == result.best and status.undelivered == ""
    assert status.report.read_text() == f"best: {result.best.number}"
    assert [s.name for s in list_studies(study.storage)] == ["tiny"]
    (row,) = compare(study.storage, ["tiny"])
    assert row.metrics == result.best.outcome.metrics and row.differences == []


def test_more_trials_run_only_what_is_missing(finished, file):
    study, result = finished
    longer = load(file, "search.trials=6")
    assert changes(longer) == ["search.trials: 4 -> 6"]
    extended = launch(longer)
    assert [r.state for r in extended.trials] == ["complete"] * 6
    assert extended.trials[:4] == result.trials
    assert len({tuple(r.params.values()) for r in extended.trials}) == 6
    assert open_runs(study)[0] == []
    assert set(extended.times) >= {"data", "search", "evaluation", "report"}
    assert extended.times["search"]["computing"] >= 4 * 1.4
    assert not Layout.of(study).lease.exists() and not Layout.of(study).scratch.exists()


def test_a_study_has_one_launch_at_a_time(file):
    study = load(file, "name=held")
    Layout.of(study).make()
    with hold_lease(Layout.of(study)):
        before = sorted(Layout.of(study).folder.rglob("*"))
        with pytest.raises(FailureError, match=f"running already, as process {os.getpid()}"):
            launch(study)
        assert sorted(Layout.of(study).folder.rglob("*")) == before  # no state, no tracker


def test_what_the_machine_cannot_give_is_one_line_and_so_is_its_status(file):
    study = load(file, "name=huge", f"resources.trials={os.cpu_count() + 1}")
    with pytest.raises(FailureError, match=r"resources\.trials asks for") as caught:
        launch(study)
    assert "\n" not in str(caught.value)
    status = study_status(study.storage, "huge")
    assert status.stage == "search" and "resources.trials" in status.error and not status.is_finished
    assert 'resources.trials: "auto" ->' in " ".join(compare(study.storage, ["tiny", "huge"])[1].differences)


def test_the_time_of_a_stage_is_computing_unless_it_is_overhead_or_others_compute(tmp_path):
    state = LaunchState(Layout(tmp_path, "timed"))
    with state.stage("data"):
        time.sleep(0.2)
        with state.elsewhere():
            begun = time.time()
            time.sleep(0.3)
            others = time.time() - begun
            with state.overhead():
                time.sleep(0.4)
            state.spent(computing=5.0)
        time.sleep(0.1)
    spent = state.times["data"]
    assert spent["computing"] >= 5.29 and spent["overhead"] >= 0.39 and spent["waiting"] == 0
    assert spent["wall"] == pytest.approx(spent["computing"] - 5 + spent["overhead"] + others, abs=0.1)


def test_nothing_is_left_of_the_killed_launches(finished):
    wait_until_gone(orphans, 100)


@pytest.mark.slow
def test_pruned_trials_are_told_by_the_status_and_by_mlflow_and_none_is_left_open(file):
    study = load(
        file, "name=pruned", "predictor={kind: 'tiny_components.py:Gradual'}", "evaluation=null", "search.trials=6",
        "search.space={predictor.ridge: {choice: [0.03, 30.0]}}", "search.objectives={r2: maximize}",
        "search.pruning={first: 0.3, startup: 1}", "search.startup=6", "resources.trials=1",
    )  # fmt: skip
    result = launch(study, make_report=write_page)
    states = [trial.state for trial in result.trials]
    assert set(states) == {"complete", "pruned"} and len(states) == 6
    assert prunings(result.trials).startswith(f"{states.count('pruned')} of 6 trials were pruned, which saved ")

    status = study_status(study.storage, "pruned")
    assert status.trials["pruned"] == states.count("pruned") and status.trials["failed"] == 0
    assert status.pruned == {t.number: t.error for t in result.trials if t.state == "pruned"}
    client = mlflow.MlflowClient(database_uri(Layout.of(study).database))
    experiment = client.get_experiment_by_name("pruned").experiment_id
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    for trial in result.trials:
        run = runs[f"trial {trial.number}"]
        assert run.info.status == ("KILLED" if trial.state == "pruned" else "FINISHED")
        assert run.data.tags.get("pruned", "") == trial.error
        assert run.data.metrics["predictor/progress"] == (0.3 if trial.state == "pruned" else 1.0)
    assert all(run.info.status != "RUNNING" for run in runs.values())
