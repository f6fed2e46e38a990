"""Studies in a bucket, of S3 and of Azure; hosts are folders for working copies, which share nothing else."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import optuna
import pytest
from object_store import Line, azure_store, keys, set_azure_environment, set_environment, store
from test_lease import HOLDER, can_be_another_host
from typer.testing import CliRunner

from matopt.buckets import bucket as bucket_module
from matopt.buckets.copies import keep
from matopt.cli import app
from matopt.errors import FailureError, InputError, InputWarning
from matopt.stages.records import TrialResult
from matopt.study import lease as lease_module
from matopt.study import lease_file, lease_object, results
from matopt.study.cluster.whereabouts import look
from matopt.study.config.study import load_study
from matopt.study.holder import this_process
from matopt.study.launch import changes, launch
from matopt.study.layout import Layout, write_json
from matopt.study.lease import LeaseLost, hold_lease
from matopt.study.lease_file import lease_status
from matopt.study.search.ledger import Ledger
from matopt.study.state import LaunchState
from matopt.study.status import list_studies, study_status
from matopt.study.study_copy import launched_copy, refresh
from matopt.study.tracking.tracker import Tracker, undelivered

STUDY = """
name: tiny
storage: s3://studies/lab
data: {source: {kind: "tiny_components.py:Dots"}, window: {size: 24}, split: {train: 6, validation: 4, test: 4}}
physics: {properties: ["tiny_components.py:Solid"], "tiny_components.py:Solid": {log: "LOG"}}
generator: {kind: "tiny_components.py:Noise"}
predictor: {kind: "tiny_components.py:Linear"}
augmentation: {size: 2}
search: {trials: 2, space: {generator.width: {int: [1, 7]}}}
resources: {timeout: 60, trials: 1, simulators: 1, predictors: 1}
"""


@pytest.fixture
def there(server, monkeypatch, tmp_path):
    """The bucket as others see it, empty; this process is on host one, and has little patience."""
    set_environment(monkeypatch, server, tmp_path / "one")
    monkeypatch.setattr(bucket_module, "_patience", 1.0)
    studies = store(server, "studies")
    studies.delete(keys(studies))
    return studies


@pytest.fixture
def layout(there, tmp_path, monkeypatch):
    """A study's folder on host one, and a patience of seconds in place of minutes."""
    monkeypatch.setattr(lease_module, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease_module, "WATCH_SECONDS", 1.0)
    monkeypatch.setattr(lease_file, "STALE_SECONDS", 3.0)
    monkeypatch.setattr(lease_object, "_SURE_SECONDS", 0.5)
    layout = on(tmp_path, "one")
    layout.make()
    return layout


def on(folder, host):
    """The study on a host."""
    return Layout(folder / host / "matopt-buckets" / "s3" / "studies" / "lab", "s")


def leave_lease(there, host, beat=1):
    """Leave a lease as another host's launch would."""
    made = {**json.loads(this_process().to_json()), "host": host, "pid": 4711, "token": host}
    there.put("lab/studies/s/launch.lease", f"{json.dumps(made)}\n{beat}".encode())


def test_a_study_has_one_launch_at_a_time_of_all_hosts(layout, tmp_path):
    with hold_lease(layout) as lease:
        lease.check()
        held = lease_status(on(tmp_path, "two"))
        assert held.is_held and held.holder.pid == os.getpid()
        with pytest.raises(FailureError, match=f"running already, as process {os.getpid()}"):
            hold_lease(on(tmp_path, "two")).__enter__()
        lease.check()
    assert lease_status(layout) is None
    with hold_lease(on(tmp_path, "two")):
        assert lease_status(layout) is not None


def test_a_store_that_knows_no_conditions_is_refused(layout, server, monkeypatch):
    line = Line(server, lambda sent: sent.replace(b"if-none-match", b"x-none-match1"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
    bucket_module.bucket_at.cache_clear()
    with pytest.raises(FailureError, match=r"s3://studies puts what should not be put .*take a newer server"):
        hold_lease(layout).__enter__()


def _die_holding(layout):
    with hold_lease(layout):
        os._exit(1)


@pytest.mark.faults
def test_the_lease_of_a_dead_process_is_taken_over_at_once(layout, tmp_path):
    dead = multiprocessing.get_context("spawn").Process(target=_die_holding, args=(layout,))
    dead.start()
    dead.join()
    assert not lease_status(layout).is_held
    begun = time.monotonic()
    with hold_lease(on(tmp_path, "two")) as lease:
        lease.check()
    assert time.monotonic() - begun < 1


def test_the_lease_of_a_lost_host_is_taken_over_when_it_is_stale_and_of_many_who_wait_one_gets_it(
    layout, there, tmp_path
):
    leave_lease(there, "lost")
    assert lease_status(layout).is_held and lease_status(layout).holder.host == "lost"
    held, said = [], []

    def take(host):
        try:
            with warnings.catch_warnings(), hold_lease(on(tmp_path, host)) as lease:
                held.append(lease)
                time.sleep(2)
        except FailureError as error:
            said.append(str(error))

    def race():
        hosts = [threading.Thread(target=take, args=(f"host {n}",)) for n in range(4)]
        for host in hosts:
            host.start()
        for host in hosts:
            host.join()

    with pytest.warns(InputWarning, match=r"launch on lost \(process 4711\) was last heard of"):
        race()
    assert len(held) == 1 and len(said) == 3 and all("running already" in line for line in said)


def test_a_host_that_is_heard_of_keeps_its_study(layout, there):
    leave_lease(there, "alive")
    threading.Timer(1.2, leave_lease, (there, "alive", 2)).start()
    with pytest.raises(FailureError, match=r"running already on alive \(process 4711\)"):
        hold_lease(layout).__enter__()


@pytest.mark.faults
@pytest.mark.skipif(not can_be_another_host(), reason="needs the right to unshare the host's name")
def test_a_holder_that_was_suspended_and_taken_over_writes_nothing_more(layout, tmp_path):
    log, code = tmp_path / "log", f"from matopt.study import lease_object\nlease_object._SURE_SECONDS = 0.5\n{HOLDER}"
    command = ["unshare", "--uts", "sh", "-c", 'hostname other && exec "$0" "$@"', sys.executable, "-c", code]
    with subprocess.Popen([*command, layout.storage, log], stderr=subprocess.PIPE, text=True) as holder:
        while not log.exists() or not log.stat().st_size:
            assert holder.poll() is None
            time.sleep(0.05)
        holder.send_signal(signal.SIGSTOP)
        with warnings.catch_warnings(record=True) as said, hold_lease(on(tmp_path, "two")) as lease:
            before = log.stat().st_size
            holder.send_signal(signal.SIGCONT)
            assert holder.wait(30) == 1
            assert "taken over by" in holder.stderr.read().splitlines()[-1]
            assert log.stat().st_size == before
            lease.check()
        assert "launch on other" in str(said[-1].message)


def trial(ledger, number):
    assert ledger.ask(lambda n: optuna.samplers.RandomSampler(0)).number == number
    ledger.complete(number, TrialResult({"r2": number / 10}, f"g{number}", f"p{number}", 1.0))


def test_what_was_entered_is_there_for_the_next_host_and_what_an_outage_kept_out_is_no_part_of_it(
    layout, there, server, tmp_path, monkeypatch
):
    line = Line(server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
    bucket_module.bucket_at.cache_clear()

    def launched():
        with hold_lease(layout) as lease, launched_copy(layout):
            state = LaunchState(layout, check=lease.check)
            with state.stage("search"):
                ledger = Ledger(layout.journal, "search", {"r2": "maximize"}, lease.check)
                state.note(search="search", objectives={"r2": "maximize"})
                write_json(layout.config, {})
                for number in range(3):
                    trial(ledger, number)
                line.cut()
                trial(ledger, 3)

    with pytest.raises(FailureError, match="s3://studies does not answer: connection refused"):
        launched()
    line.mend()
    two = on(tmp_path, "two")
    status = study_status(two.storage, "s")
    assert status.trials == {"complete": 3, "pruned": 0, "failed": 0, "running": 0, "waiting": 0}
    assert status.stage == "search" and status.launches == 1 and status.damaged == () and status.best.number == 2
    dead = lease_status(two).holder  # this process, which could not say that it ended
    assert dead.pid == os.getpid()
    leave_lease(there, "lost")
    for host in ("two", "one"):
        with warnings.catch_warnings(), hold_lease(on(tmp_path, host)) as lease, launched_copy(on(tmp_path, host)):
            warnings.simplefilter("ignore")
            ledger = Ledger(on(tmp_path, host).journal, "search", {"r2": "maximize"}, lease.check)
            before = len(ledger.records())
            trial(ledger, before)
    assert [record.outcome.generator_key for record in ledger.records()] == ["g0", "g1", "g2", "g3", "g4"]


def test_a_launch_whose_bucket_stays_away_while_it_waits_is_interrupted_with_a_line(layout, server, monkeypatch):
    line = Line(server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
    bucket_module.bucket_at.cache_clear()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    begun = time.monotonic()

    def wait():
        with hold_lease(layout):
            line.cut()
            time.sleep(60)

    try:
        with pytest.raises(LeaseLost, match="s3://studies does not answer: connection refused"):
            wait()
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begun < 30


def test_a_status_beside_a_launch_touches_none_of_its_files(layout, there, tmp_path):
    with hold_lease(layout) as lease, launched_copy(layout):
        ledger = Ledger(layout.journal, "search", {"r2": "maximize"}, lease.check)
        before = layout.journal.stat().st_ino
        trial(ledger, 0)
        there.put("lab/studies/s/trials.journal.pages/000000", b"")
        refresh(layout)
        assert layout.journal.stat().st_ino == before and layout.journal.stat().st_size > 0
        with pytest.raises(FailureError, match="was written to by another process; this one stops"):
            trial(ledger, 1)
        with pytest.raises(FailureError, match="was written to by another process"):
            ledger.ask(lambda n: optuna.samplers.RandomSampler(0))


@pytest.mark.slow
def test_what_mlflow_does_not_take_outlives_the_host_and_is_sent_by_the_next(layout, there, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where MLflow keeps artifacts by itself
    blocked = tmp_path / "mlflow"
    blocked.write_text("no folder")
    uri = f"sqlite:///{blocked}/mlflow.db"
    tracker = Tracker(layout, uri)
    run = tracker.start_run("launch", "launch")
    tracker.artifact(run, Path(__file__))
    tracker.metrics(run, {"r2": 0.5})
    time.sleep(1.0)
    assert tracker.close(3).waiting == 3
    shutil.rmtree(tmp_path / "one")
    blocked.unlink()
    two = on(tmp_path, "two")
    two.make()
    refresh(two)
    assert [left.waiting for left in undelivered(two)] == [3]
    tracker = Tracker(two, uri)
    assert not tracker.close(60)
    import mlflow

    client = mlflow.MlflowClient(uri)
    (found,) = client.search_runs([client.get_experiment_by_name("s").experiment_id])
    assert found.data.metrics == {"r2": 0.5} and found.info.status == "KILLED"
    assert keys(there, "lab/studies/s/spool") == []


@pytest.fixture
def file(there, tmp_path):
    shutil.copy(Path(__file__).with_name("tiny_components.py"), tmp_path)
    (tmp_path / "tiny.yaml").write_text(STUDY.replace("LOG", str(tmp_path / "simulated.txt")))
    return tmp_path / "tiny.yaml"


def write_page(found):
    found.layout.report.mkdir(exist_ok=True)
    (found.layout.report / "index.html").write_text(f"best: {found.best.number}")
    return [found.layout.report / "index.html"]


@pytest.mark.parametrize("scheme", ["s3", "abfs"])
def test_a_study_of_one_host_is_finished_for_all_hosts(file, there, tmp_path, monkeypatch, request, scheme):
    if scheme == "abfs":
        port = request.getfixturevalue("azurite")
        set_azure_environment(monkeypatch, port, tmp_path / "one")
        there = azure_store(port, "studies")
        file.write_text(file.read_text().replace("s3://", "abfs://"))
    with pytest.warns(InputWarning, match="MLflow's database stays on this host"):
        first = launch(load_study(file), make_report=write_page)
    simulated = (tmp_path / "simulated.txt").read_text()
    assert [trial.state for trial in first.trials] == ["complete"] * 2
    assert {key.split("/")[1] for key in keys(there)} == {"artifacts", "labels", "studies"}
    assert [key for key in keys(there) if "/search/" in key or "/." in key or "spool" in key] == []

    monkeypatch.setenv("MATOPT_CACHE", str(tmp_path / "two"))
    study = load_study(file)
    assert changes(study) == [] and study.storage.is_relative_to(tmp_path / "two")
    said = set()
    again = launch(study, make_report=write_page, progress=lambda *heard: said.add(heard[0]))
    assert again.trials == first.trials and again.best == first.best and said == {"report"}
    assert (tmp_path / "simulated.txt").read_text() == simulated

    monkeypatch.setenv("MATOPT_CACHE", str(tmp_path / "three"))
    study = load_study(file)
    status = study_status(study.storage, "tiny")
    assert status.is_finished and status.launches == 2 and status.best == first.best
    assert status.report.read_text() == f"best: {first.best.number}"
    assert [found.name for found in list_studies(study.storage)] == ["tiny"]
    assert results.finished(study).trials == first.trials

    def says(*words):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        return done.output

    assert "2 complete" in says("study", "status", str(file))
    assert "tiny" in says("study", "list", "--storage", f"{scheme}://studies/lab")
    shown = says("storage", "show", "--storage", f"{scheme}://studies/lab")
    assert "models" in shown and "labels" in shown and "tiny" in shown
    assert f"{scheme}://studies/lab holds nothing that could go" in says(
        "storage", "prune", "--storage", f"{scheme}://studies/lab"
    )
    there.delete([key for key in keys(there, "lab/studies/tiny")])
    models = [key for key in keys(there, "lab/artifacts") if key.endswith(".pt")]
    assert "freed" in says("storage", "prune", "--storage", f"{scheme}://studies/lab", "--yes") and len(models) > 2
    assert keys(there, "lab/artifacts") == [] and keys(there, "lab/labels") != []
    with pytest.raises(InputError, match=f"no study 'tiny' was launched in {scheme}://studies/lab"):
        study_status(study.storage, "tiny")


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("ftp://studies/lab", r"tiny.yaml:3: storage: ftp://studies/lab: a storage is a folder, or s3://, gs://"),
        ("s3://", r"tiny.yaml:3: storage: s3://: expected s3://bucket/prefix"),
    ],
)
def test_an_address_that_is_none_is_told_by_its_line(file, storage, said):
    file.write_text(file.read_text().replace("s3://studies/lab", storage))
    with pytest.raises(InputError, match=said):
        load_study(file)


def test_a_node_that_cannot_read_the_bucket_says_why(layout, monkeypatch):
    probe = layout.storage / ".seen-x"
    keep(probe, b"x")
    assert look(str(probe), False).token == "x"
    probe.unlink()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    bucket_module.bucket_at.cache_clear()
    assert look(str(probe), False).trouble == "s3://studies: Missing AccessKeyId"
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    bucket_module.bucket_at.cache_clear()
    found = look(str(probe), False)
    assert found.token is None and found.trouble.startswith("s3://studies: no credentials are set")


def test_a_bucket_that_cannot_be_had_is_told_in_a_line_before_anything_is_started(file, monkeypatch):
    for setting, said in (
        ("storage=s3://nowhere/lab", "s3://nowhere: there is no such bucket; make it, or name another"),
        ("storage=s3://studies/lab", "s3://studies does not answer: connection refused at http://127.0.0.1:9"),
    ):
        with pytest.raises(FailureError, match=said) as caught:
            launch(load_study(file, [setting]))
        assert "\n" not in str(caught.value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        bucket_module.bucket_at.cache_clear()
