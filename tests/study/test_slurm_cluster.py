"""The Slurm job on a Slurm of two nodes: to its end, cancelled, giving way, out of time."""

import os
import re
import sys
from pathlib import Path

import mlflow
import pytest
import torch
from faults import make
from slurm_cluster import Slurm, missing

from matopt.study.config.study import load_study
from matopt.study.layout import Layout, read_json
from matopt.study.search.ledger import read_records
from matopt.study.tracking.database import database_uri

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1200),  # on a busy machine Slurm's minutes hold few trials
    pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)} here: apt-get install slurm-wlm munge"),
]
SCRIPT = Path(__file__).parents[2] / "cluster" / "slurm.sbatch"
OURS = re.compile(r"^(data|search|report|best trial|compare the trials|and open|matopt|slurmstepd-node1)\b|^ |^$")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    slurm.environment["PYTHONPATH"] = os.pathsep.join([str(SCRIPT.parents[1]), *sys.path])
    slurm.environment["MATOPT_BIN"] = str(Path(sys.executable).parent)
    slurm.environment["HOME"] = str(slurm.folder)
    with slurm:
        yield slurm


class Job:
    """The script with a tiny study, submitted."""

    def __init__(self, slurm, folder, *options, settings=()):
        self.slurm, self.folder = slurm, folder
        self.layout = Layout.of(load_study(folder / "broken.yaml", [f"storage={folder / 'runs'}"]))
        words = [word for setting in settings for word in ("--set", setting)]
        self.number = slurm.command("sbatch", "--parsable", *options, SCRIPT, "broken.yaml", *words, cwd=folder).strip()
        self.log = folder / f"matopt-{self.number}.log"

    @property
    def state(self):
        return self.slurm.job(self.number)["JobState"]

    def wait_for(self, text, seconds=180):
        """Wait until a text is in the log."""
        self.slurm.wait_for(lambda: self.log.exists() and text in self.log.read_text(), seconds)

    def wait_for_a_trial(self):
        def is_done(state):
            return state.get("stage") == "search" and state.get("done", 0) >= 1

        self.slurm.wait_for(lambda: is_done(read_json(self.layout.state) or {}), 180)

    def end(self, seconds=300):
        """Wait for its end; returns how it ended."""
        ends = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL")
        self.slurm.wait_for(lambda: self.state in ends, seconds)
        return self.state

    def complete(self):
        """The numbers of the trials that are complete."""
        records = read_records(self.layout.journal, read_json(self.layout.state)["search"])
        return [record.number for record in records if record.state == "complete"]

    def statuses(self):
        client = mlflow.MlflowClient(database_uri(self.layout.database))
        experiment = client.get_experiment_by_name("broken")
        return {run.info.status for run in client.search_runs([experiment.experiment_id])}


def test_a_study_runs_over_two_nodes_to_its_end_and_the_log_has_its_lines_alone(slurm, tmp_path):
    make(tmp_path)
    job = Job(slurm, tmp_path)
    assert job.end() == "COMPLETED", job.log.read_text()
    assert len(job.complete()) == 4
    lines = job.log.read_text().splitlines()
    assert [line for line in lines if not OURS.search(line)] == []
    for node in ("node1", "node2"):
        assert "Ray runtime started" in (tmp_path / f"matopt-{job.number}-ray-{node}.log").read_text()
    assert list((slurm.folder / ".ray").iterdir()) == []  # no token is left


@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPUs of this Slurm are names, which only PyTorch finds out")
def test_the_gpus_of_a_job_are_given_to_the_processes_of_its_study(slurm, tmp_path):
    make(tmp_path)
    job = Job(slurm, tmp_path, "--gpus-per-node=1", settings=["resources.device=cuda", "resources.trials=auto"])
    assert job.end() == "FAILED"
    (line,) = [line for line in job.log.read_text().splitlines() if line.startswith("matopt: ")]
    assert line.startswith("matopt: device 'cuda:0': "), line  # a process was placed on a node with a GPU, and began


def test_a_job_that_is_cancelled_says_so_and_one_submitted_again_goes_on(slurm, tmp_path):
    make(tmp_path)
    settings = ["generator.seconds=6", "resources.trials=1"]
    job = Job(slurm, tmp_path, settings=settings)
    job.wait_for_a_trial()
    slurm.command("scancel", job.number)
    assert job.end() == "CANCELLED"
    job.wait_for("matopt: terminated; what was finished is kept, and the same command goes on from there", 30)
    assert "RUNNING" not in job.statuses()
    kept = job.complete()
    again = Job(slurm, tmp_path, settings=settings)
    assert again.end() == "COMPLETED", again.log.read_text()
    assert kept and again.complete()[: len(kept)] == kept and len(again.complete()) == 4
    assert "data: 28 of 28" not in again.log.read_text()


def test_a_job_that_loses_a_node_is_queued_again_and_goes_on_when_the_node_is_back(slurm, tmp_path):
    make(tmp_path)
    # What is left of the cluster goes on until Slurm notices, a minute later.
    job = Job(slurm, tmp_path, settings=["generator.seconds=8", "resources.trials=1", "search.trials=15"])
    job.wait_for_a_trial()
    kept = job.complete()
    slurm.lose("node2")
    slurm.wait_for(lambda: slurm.job(job.number)["Restarts"] == "1", 180)
    slurm.boot("node2")
    assert job.end() == "COMPLETED", job.log.read_text()
    assert kept and job.complete()[: len(kept)] == kept and len(job.complete()) == 15
    assert "RUNNING" not in job.statuses()


def test_a_job_that_gives_way_to_another_is_queued_again_and_goes_on_after_it(slurm, tmp_path):
    make(tmp_path)
    job = Job(slurm, tmp_path, settings=["generator.seconds=6", "resources.trials=1", "search.trials=6"])
    job.wait_for_a_trial()
    kept = job.complete()
    # Slurm ends the steps, Ray's, at once, and the script after the partition's GraceTime of two minutes.
    urgent = slurm.command(
        "sbatch", "--parsable", "--partition=urgent", "--nodes=2", "--exclusive", "--wrap=sleep 5", cwd=tmp_path
    ).strip()
    slurm.wait_for(lambda: slurm.job(urgent)["JobState"] == "COMPLETED", 180)
    job.wait_for("this job gives way to another; it is queued again, and goes on where it was", 30)
    assert job.end() == "COMPLETED", job.log.read_text()
    assert slurm.job(job.number)["Restarts"] == "1"
    assert kept and job.complete()[: len(kept)] == kept and len(job.complete()) == 6
    assert "RUNNING" not in job.statuses() and "will terminate" not in job.log.read_text()


def test_a_job_whose_time_is_up_is_queued_again_as_often_as_it_takes(slurm, tmp_path):
    make(tmp_path)
    # Slurm looks twice a minute, and may warn up to a minute early: after some 70 s of the two minutes.
    options = ["--time=2", "--signal=B:USR1@20"]
    job = Job(slurm, tmp_path, *options, settings=["generator.seconds=12", "resources.trials=1", "search.trials=7"])
    job.wait_for("matopt: out of time; what was finished is kept")
    assert job.end(800) == "COMPLETED", job.log.read_text()
    assert int(slurm.job(job.number)["Restarts"]) >= 1
    assert len(job.complete()) == 7 and "RUNNING" not in job.statuses()
    lines = job.log.read_text().splitlines()
    assert [line for line in lines if not OURS.search(line)] == []
