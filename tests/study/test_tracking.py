"""Tracking against the real MLflow: a SQLite store, and a server that is killed in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run

from matopt.errors import FailureError, InputError, InputWarning
from matopt.study.layout import Layout
from matopt.study.tracking.database import database_uri
from matopt.study.tracking.events import read_events
from matopt.study.tracking.mlflow_calls import Experiment
from matopt.study.tracking.spool import SpoolWriter
from matopt.study.tracking.tracker import Tracker, undelivered


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables, which take ten seconds to make."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def storage(tmp_path: Path, empty_database: Path) -> Path:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return tmp_path


def client_of(storage: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{storage / 'mlflow.db'}", f"sqlite:///{storage / 'mlflow.db'}")


def runs_of(client: MlflowClient, study: str = "sandstone") -> dict[str, list[Run]]:
    experiment = client.get_experiment_by_name(study)
    runs: dict[str, list[Run]] = {}
    if experiment is not None:
        for run in client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"]):
            runs.setdefault(run.data.tags["matopt.key"], []).append(run)
    return runs


def steps(client: MlflowClient, run: Run, metric: str) -> list[int]:
    return [point.step for point in client.get_metric_history(run.info.run_id, metric)]


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


def test_a_launch_is_a_run_and_its_trials_are_its_children(storage: Path) -> None:
    weights = storage / "weights"
    weights.mkdir()
    (weights / "state.pt").write_bytes(b"weights")
    (weights / "settings.json").write_text("{}")
    figure = storage / "figure.png"
    figure.write_bytes(b"png")

    tracker = Tracker(Layout(storage, "sandstone"))
    launch = tracker.start_run("launch", "launch 1", params={"search": {"trials": 2, "space": ["a", "b"]}})
    trial = SpoolWriter(tracker.folder)  # as another process would
    run = trial.start_run("trial/0", "trial 0", launch, {f"setting{i}": i for i in range(250)}, {"stage": "trial"})
    for epoch in range(2500):
        trial.metrics(run, {"predictor/loss": 1 / (epoch + 1), "predictor/r2": 0.5}, epoch)
    trial.artifact(run, figure, "figures")
    trial.model(run, "sandstone.predictor", weights, {"r2": 0.5})
    figure.unlink()  # the spool has a copy
    trial.end_run(run)
    tracker.end_run(launch)
    assert not tracker.close(60)
    assert str(tracker.page("r2")).startswith("http://127.0.0.1:5000/#/experiments/1/runs?")
    with pytest.raises(FailureError, match="closed"):
        tracker.end_run(launch)

    client = client_of(storage)
    runs = runs_of(client)
    (parent,), (child,) = runs["launch"], runs["trial/0"]
    assert parent.data.params == {"search.trials": "2", "search.space": '["a", "b"]'}
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.tags["stage"] == "trial" and child.data.params["setting249"] == "249"
    assert {parent.info.status, child.info.status} == {"FINISHED"}
    assert steps(client, child, "predictor/loss") == list(range(2500))
    assert [file.path for file in client.list_artifacts(child.info.run_id, "figures")] == ["figures/figure.png"]
    (version,) = client.search_model_versions("name = 'sandstone.predictor'")
    copy = Path(download_artifacts(version.source, dst_path=str(storage / "copy")))
    assert (copy / "state.pt").read_bytes() == b"weights" and version.tags == {"r2": "0.5"}
    assert [path.name for path in tracker.spool.iterdir()] == []  # nothing is kept that was delivered


def test_sending_everything_twice_doubles_nothing(storage: Path) -> None:
    model = storage / "state.pt"
    model.write_bytes(b"weights")
    tracker = Tracker(Layout(storage, "sandstone"))
    run = tracker.start_run("trial/0", "trial 0", params={"a": 1}, tags={"stage": "trial"})
    for step in range(40):
        tracker.metrics(run, {"loss": 0.5, "r2": float("nan")}, step)
    tracker.model(run, "sandstone.twice", model)
    tracker.end_run(run)
    again = storage / "again"
    shutil.copytree(tracker.folder, again, ignore=shutil.ignore_patterns("*.delivered"))
    assert not tracker.close(60)

    shutil.copytree(again, tracker.folder)  # as if the crash had come before the first note
    assert not Tracker(Layout(storage, "sandstone")).close(60)

    client = client_of(storage)
    (only,) = runs_of(client)["trial/0"]
    assert steps(client, only, "loss") == list(range(40))
    assert only.info.status == "FINISHED"
    assert only.data.tags["not finite/r2"] == "nan at step 0" and "r2" not in only.data.metrics
    assert len(client.search_model_versions("name = 'sandstone.twice'")) == 1


def test_a_model_is_a_new_version_only_where_the_newest_is_another(storage: Path) -> None:
    model = storage / "state.pt"
    model.write_bytes(b"weights")
    for launch, artifact in enumerate("aabba"):
        tracker = Tracker(Layout(storage, "sandstone"))
        run = tracker.start_run("launch", f"launch {launch}")
        tracker.model(run, "sandstone.best", model, {"artifact": artifact})
        tracker.end_run(run)
        assert not tracker.close(60)
    versions = client_of(storage).search_model_versions("name = 'sandstone.best'")
    by_number = sorted(versions, key=lambda version: int(version.version))
    assert [version.tags["artifact"] for version in by_number] == ["a", "b", "a"]


def test_a_killed_driver_loses_nothing_and_leaves_no_run_open(storage: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from matopt.study.layout import Layout
from matopt.study.tracking.tracker import Tracker
tracker = Tracker(Layout(Path(sys.argv[1]), "sandstone"))
launch = tracker.start_run("launch", "launch 1")
done, cut = (tracker.start_run(f"trial/{i}", f"trial {i}", launch) for i in range(2))
for step in range(100):
    tracker.metrics(done, {"loss": 1.0}, step)
    tracker.metrics(cut, {"loss": 1.0}, step)
tracker.end_run(done)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script, storage], check=False).returncode == -signal.SIGKILL
    client = client_of(storage)
    assert runs_of(client) == {}, "the driver was meant to die before it could send"
    (left,) = undelivered(Layout(storage, "sandstone"))
    assert left.waiting == 3 + 200 + 1

    tracker = Tracker(Layout(storage, "sandstone"))
    launch = tracker.start_run("launch", "launch 2")
    tracker.end_run(tracker.start_run("trial/1", "trial 1", launch))
    tracker.end_run(launch)
    assert not tracker.close(60)

    runs = runs_of(client)
    assert [run.info.status for run in runs["launch"]] == ["KILLED", "FINISHED"]
    assert [run.info.status for run in runs["trial/0"]] == ["FINISHED"]
    assert [run.info.status for run in runs["trial/1"]] == ["KILLED", "FINISHED"]
    assert steps(client, runs["trial/0"][0], "loss") == list(range(100))
    assert steps(client, runs["trial/1"][0], "loss") == list(range(100))


def test_a_new_attempt_at_a_trial_ends_the_old_one(storage: Path) -> None:
    tracker = Tracker(Layout(storage, "sandstone"))
    tracker.start_run("trial/0", "trial 0")
    tracker.end_run(tracker.start_run("trial/0", "trial 0"))
    assert not tracker.close(60)
    assert [run.info.status for run in runs_of(client_of(storage))["trial/0"]] == ["KILLED", "FINISHED"]


def test_a_writer_killed_in_mid_sentence_keeps_all_it_said(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from matopt.study.tracking.spool import SpoolWriter
writer = SpoolWriter(Path(sys.argv[1]))
for step in range(10**9):
    writer.metrics("run", {"loss": 1.0}, step)
    print(step, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(500)]
    process.kill()
    said += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    (path,) = tmp_path.glob("*.jsonl")
    heard = [event["step"] for _, event in read_events(path) if isinstance(event, dict)]
    assert heard[: len(said)] == said and len(heard) <= len(said) + 1


def test_a_torn_last_line_is_not_read_and_stops_nothing(storage: Path) -> None:
    tracker = Tracker(Layout(storage, "sandstone"))
    run = tracker.start_run("trial/0", "trial 0")
    tracker.metrics(run, {"loss": 1.0}, 0)
    (tracker.folder / "killed.jsonl").write_bytes(
        f'{{"at":1,"do":"metrics","run":"{run}","values":{{"loss":2.0}},"step":1,"tags":{{}}}}\n'.encode()
        + f'{{"at":2,"do":"metrics","run":"{run}","val'.encode()
    )
    tracker.end_run(run)
    assert not tracker.close(60)
    client = client_of(storage)
    assert sorted(steps(client, runs_of(client)["trial/0"][0], "loss")) == [0, 1]


def test_what_mlflow_refuses_is_set_aside_and_the_rest_goes_on(storage: Path) -> None:
    client = client_of(storage)
    tracker = Tracker(Layout(storage, "sandstone"))
    deleted, kept = tracker.start_run("trial/0", "trial 0"), tracker.start_run("trial/1", "trial 1")
    wait_until(lambda: len(runs_of(client)) == 2, 30)
    client.delete_run(runs_of(client)["trial/0"][0].info.run_id)
    for run in (deleted, kept):
        tracker.metrics(run, {"loss": 1.0}, 7)
    tracker.artifact(kept, storage / "mlflow.db")
    tracker.end_run(kept)
    left = tracker.close(60)
    assert (left.waiting, left.refused) == (0, 1) and "refused" in str(left)
    assert deleted in (tracker.spool / "refused" / "events.jsonl").read_text()
    (run,) = runs_of(client)["trial/1"]
    assert run.data.metrics == {"loss": 1.0} and run.info.status == "FINISHED"


@pytest.mark.parametrize("name", ["", "a/", "/a", "a//b", "../a", "a/./b", "loss%", "L²", "a\n", "a" * 251])
def test_a_name_that_mlflow_would_not_take_is_an_input_error(tmp_path: Path, name: str) -> None:
    writer = SpoolWriter(tmp_path)
    with pytest.raises(InputError, match="no name for MLflow"):
        writer.metrics("run", {name: 1.0}, 0)
    with pytest.raises(InputError, match="no name for MLflow"):
        writer.start_run("trial/0", "trial 0", tags={name: "x"})
    assert writer.path.read_bytes() == b""


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    server = subprocess.Popen(
        command,
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        cwd=folder,  # the repository has a folder mlflow/, which is not the library
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def answers() -> bool:
        assert server.poll() is None, "the server did not start"
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).status == 200
        except OSError:
            return False

    wait_until(answers, 120)
    return server


def kill_server(server: subprocess.Popen[bytes]) -> None:
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_server_killed_in_the_middle_costs_neither_time_nor_data(storage: Path, port: int) -> None:
    server_folder = storage / "server"
    server_folder.mkdir()
    shutil.move(storage / "mlflow.db", server_folder)
    figure = storage / "figure.png"
    figure.write_bytes(b"png")
    uri = f"http://127.0.0.1:{port}"
    server = start_server(server_folder, port)
    slowest = 0.0

    def emit(first: int) -> None:
        nonlocal slowest
        for step in range(first, first + 300):
            begun = time.monotonic()
            tracker.metrics(run, {"loss": 1.0}, step)
            slowest = max(slowest, time.monotonic() - begun)

    try:
        tracker = Tracker(Layout(storage, "sandstone"), uri)
        run = tracker.start_run("trial/0", "trial 0", params={"a": 1})
        emit(0)
        client = MlflowClient(uri)
        wait_until(lambda: "trial/0" in runs_of(client), 30)
        emit(300)
        kill_server(server)
        emit(600)
        tracker.artifact(run, figure, "figures")
        server = start_server(server_folder, port)
        emit(900)
        tracker.end_run(run)
        wait_until(lambda: runs_of(client)["trial/0"][0].info.status == "FINISHED", 60)
        (only,) = runs_of(client)["trial/0"]
        assert steps(client, only, "loss") == list(range(1200))
        assert [file.path for file in client.list_artifacts(only.info.run_id, "figures")] == ["figures/figure.png"]
    finally:
        kill_server(server)
    tracker.metrics(run, {"loss": 1.0}, 1200)
    begun = time.monotonic()
    left = tracker.close(2)
    assert left.waiting == 1 and str(tracker.spool) in str(left)
    assert time.monotonic() - begun < 4
    assert slowest < 2


def test_artifacts_are_found_though_the_storage_folder_was_moved(storage, tmp_path_factory):
    (storage / "figure.png").write_bytes(b"picture")
    old = tmp_path_factory.mktemp("lab") / "run #1? 50%25"
    shutil.copytree(storage, old)

    def launched(at: Path) -> MlflowClient:
        tracker = Tracker(Layout(at, "sandstone"))
        run = tracker.start_run("launch", "launch")
        tracker.artifact(run, at / "figure.png")
        tracker.model(run, "sandstone.generator", at / "figure.png")
        tracker.end_run(run)
        assert not tracker.close(60)
        return MlflowClient(database_uri(at / "mlflow.db"), database_uri(at / "mlflow.db"))

    launched(old)
    new = old.with_name("moved")
    old.rename(new)
    client = launched(new)
    assert not old.exists()
    runs = client.search_runs(["1"])
    assert len(runs) == 2
    for run in runs:
        assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["figure.png", "models"]
        assert Path(client.download_artifacts(run.info.run_id, "figure.png")).read_bytes() == b"picture"
    sources = [version.source for version in client.search_model_versions("name = 'sandstone.generator'")]
    assert len(sources) == 2 and all(source.startswith(new.as_uri() + "/") for source in sources)


OPEN = """
import sys
from matopt.study.tracking.mlflow_calls import Experiment
Experiment(sys.argv[1], "rock", None, print)
"""


def test_a_process_killed_while_it_creates_the_database_leaves_none(tmp_path):
    """Half of MLflow's tables would be taken for a broken database by every launch to come."""
    folder = tmp_path / "run #1 of ~me? 50%25 $x=1"
    uri = database_uri(folder / "mlflow.db")
    with subprocess.Popen([sys.executable, "-c", OPEN, uri]) as process:
        patience = time.monotonic() + 120
        while not any(file.stat().st_size > 0 for file in folder.glob(".mlflow.db.*/mlflow.db")):
            assert process.poll() is None and time.monotonic() < patience
            time.sleep(0.01)
        process.kill()
    assert not (folder / "mlflow.db").exists()
    assert Experiment(uri, "rock", None, print).id == Experiment(uri, "rock", None, print).id
    assert (folder / "mlflow.db").exists() and list(tmp_path.iterdir()) == [folder]


class Closed(BaseHTTPRequestHandler):
    """A server's way in, which lets nobody pass."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


def told_of_trouble(layout: Layout, uri: str | None) -> str:
    """Track a run where that is not possible; returns what was said, which is one line, before the end."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", InputWarning)
        tracker = Tracker(layout, uri)
        tracker.end_run(tracker.start_run("launch", "launch 1"))
        wait_until(lambda: bool(said), 60)
        left = tracker.close(2)
    assert left.waiting == 2 and len(said) == 1
    return str(said[0].message)


def test_trouble_is_told_once_when_it_begins_with_what_to_do(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "s")
    with HTTPServer(("127.0.0.1", 0), Closed) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            said = told_of_trouble(layout, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
    assert "it asks who is there (401); set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in said
    assert "nobody answers there (connection refused)" in told_of_trouble(layout, "http://127.0.0.1:9")
    layout.database.write_bytes(b"no database" * 1000)
    assert "the database is damaged; move it away" in told_of_trouble(layout, None)
