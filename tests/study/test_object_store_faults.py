"""Launches of studies in a bucket whose process, host or store fails in their middle."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import mlflow
import pytest
from faults import Launch, complete
from object_store import Line, keys, set_environment, store
from test_cluster import Nodes, wait_for_nodes

from matopt.study.config.study import load_study
from matopt.study.status import study_status
from matopt.study.tracking.database import database_uri

pytestmark = pytest.mark.faults

STORAGE = "storage=s3://studies/lab"
STUDY = """
name: tiny
data: {source: {kind: "tiny_components.py:Dots"}, window: {size: 24}, split: {train: 12, validation: 8, test: 8}}
physics: {properties: ["tiny_components.py:Solid"], "tiny_components.py:Solid": {log: "LOG", seconds: 0.02}}
generator: {kind: "tiny_components.py:Noise", seconds: 2.0}
predictor: {kind: "tiny_components.py:Linear"}
augmentation: {size: 4}
search: {trials: 4, sampler: random, space: {generator.width: {int: [1, 60]}}}
resources: {timeout: 60, trials: 1, simulators: 1, predictors: 1}
"""


@pytest.fixture
def line(server, monkeypatch, tmp_path):
    """The line from the hosts of the study to its bucket, which is empty."""
    studies = store(server, "studies")
    studies.delete(keys(studies))
    line = Line(server)
    set_environment(monkeypatch, line.port, tmp_path / "one")
    return line


@pytest.fixture
def file(line, tmp_path):
    shutil.copy(Path(__file__).with_name("tiny_components.py"), tmp_path)
    (tmp_path / "tiny.yaml").write_text(STUDY.replace("LOG", str(tmp_path / "simulated.txt")))
    return tmp_path / "tiny.yaml"


def simulated(file):
    return len((file.parent / "simulated.txt").read_text().splitlines())


def status(file):
    return study_status(load_study(file, [STORAGE]).storage, "tiny")


def test_a_launch_that_is_killed_is_finished_by_another_host(file, tmp_path, monkeypatch):
    first = Launch(file, STORAGE)
    first.wait_for("search", done=2)
    time.sleep(0.5)
    first.process.kill()
    first.process.wait()
    monkeypatch.setenv("MATOPT_CACHE", str(tmp_path / "two"))
    assert not status(file).is_running and status(file).trials["complete"] == 2
    before = simulated(file)
    second = Launch(file, STORAGE)
    code, said = second.end()
    assert code == 0, said
    assert len(complete(second.records)) == 4
    assert complete(first.records).items() <= complete(second.records).items()
    # The samples of the two trials that were left; what was being computed at the kill may be there twice.
    assert simulated(file) - before <= 2 * 4 + 4
    assert set(second.statuses()) <= {"FINISHED"}


def test_an_outage_costs_a_study_nothing_but_time(file, line):
    launch = Launch(file, STORAGE)
    launch.wait_for("search", done=1)
    line.cut()
    threading.Timer(8, line.mend).start()
    code, said = launch.end()
    assert code == 0, said
    assert "note: s3://studies does not answer (connection refused" in said and "Traceback" not in said
    assert len(complete(launch.records)) == 4
    assert status(file).is_finished and status(file).trials["complete"] == 4 and status(file).trials["failed"] == 0


def test_a_store_that_stays_away_ends_a_launch_in_a_line_and_the_next_one_goes_on(file, line, tmp_path, monkeypatch):
    launch = Launch(file, STORAGE, "resources.timeout=6")
    launch.wait_for("search", done=2)
    line.cut()
    begun = time.monotonic()
    code, said = launch.end()
    last = said.strip().splitlines()[-1]
    assert code == 1 and last.startswith("matopt: ") and "s3://studies does not answer: connection refused" in last, (
        said
    )
    assert "Traceback" not in said and time.monotonic() - begun < 60
    line.mend()
    monkeypatch.setenv("MATOPT_CACHE", str(tmp_path / "two"))
    kept = status(file)
    assert kept.trials["complete"] >= 2 and not kept.is_running
    before = simulated(file)
    second = Launch(file, STORAGE)
    code, said = second.end()
    assert code == 0, said
    assert len(complete(second.records)) == 4 and simulated(file) - before <= 2 * 4 + 4
    assert status(file).trials["failed"] == 0


def test_a_launch_that_is_ended_does_not_wait_for_a_store_that_is_away(file, line):
    launch = Launch(file, STORAGE, "resources.timeout=600")
    launch.wait_for("search", done=1)
    line.cut()
    time.sleep(8)
    begun = time.monotonic()
    launch.process.send_signal(signal.SIGTERM)
    code, said = launch.end()
    assert code == 143 and said.strip().endswith(
        "terminated; what was finished is kept, and the same command goes on from there"
    )
    assert "Traceback" not in said and time.monotonic() - begun < 60
    line.mend()
    assert status(file).trials["complete"] >= 1


def add_far_node(nodes, cache):
    """Add a node that has a disk of its own where the others have their working copies."""
    far = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs tmpfs {cache} && exec "$@"', "sh"]
    if subprocess.run([*far, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    ray = [str(Path(sys.executable).with_name("ray")), "start", f"--address={nodes.address}", "--num-cpus=1", "--block"]
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "PYTHONPATH": os.pathsep.join(sys.path)}
    nodes.processes.append(
        subprocess.Popen([*far, *ray, "--disable-usage-stats"], env=environment, start_new_session=True)
    )


def test_trials_and_actors_on_another_host_need_nothing_but_the_bucket(file, tmp_path):
    cache = tmp_path / "one"
    cache.mkdir()
    nodes = Nodes(tmp_path, ["--num-cpus=1"])
    try:
        add_far_node(nodes, cache)
        wait_for_nodes(nodes, tmp_path)
        launch = Launch(
            file, STORAGE, "resources={trials: 2, simulators: 2, predictors: 2, timeout: 12}", "generator.seconds=25",
            address=nodes.address, RAY_AUTH_MODE="token",
        )  # fmt: skip
        code, said = launch.end()
    finally:
        nodes.stop()
    assert code == 0, said
    assert len(complete(launch.records)) == 4 and [record.state for record in launch.records] == ["complete"] * 4
    client = mlflow.MlflowClient(database_uri(launch.layout.database))
    runs = client.search_runs([client.get_experiment_by_name("tiny").experiment_id], "tags.stage = 'trial'")
    assert {run.info.status for run in runs} == {"FINISHED"} and len(runs) == 4
    assert ["generator/loss" in run.data.metrics for run in runs] == [True] * 4
