"""A study on a Ray cluster of two nodes, both on this machine, with actors and a node that die."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
from processes import command, descendants

from matopt.errors import FailureError
from matopt.study.cluster.ray_cluster import Cluster
from matopt.study.config.study import load_study
from matopt.study.launch import launch

STUDY = """
name: spread
data:
  source: {kind: "tiny_components.py:Dots"}
  window: {size: 24}
  split: {train: 12, validation: 8, test: 8}
physics:
  properties: ["tiny_components.py:Solid"]
  "tiny_components.py:Solid": {seconds: 0.15}
generator: {kind: "tiny_components.py:Noise", seconds: SECONDS}
predictor: {kind: "tiny_components.py:Linear"}
augmentation: {size: 4}
search:
  trials: 4
  space: {generator.width: {int: [1, 7]}}
evaluation: {generators: ["tiny_components.py:Noise"], sizes: [4], draws: 2}
resources: {trials: 2, simulators: 2, predictors: 2, timeout: 120}
"""


class Nodes:
    """A head and other nodes, processes of this test's own.

    Args:
        folder: where they run.
        nodes: arguments of `ray start` for each, the head first, where a function makes them of its address: two nodes
            of one CPU by default.
        environment: variables.
    """

    def __init__(self, folder, *nodes, **environment):
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = probe.getsockname()[1]
        self.address = f"{ray.util.get_node_ip_address()}:{port}"
        # Ray reads its token once in a process: a cluster of another test may have set it.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        environment = {**os.environ, "RAY_AUTH_MODE": "token", "PYTHONPATH": os.pathsep.join(sys.path), **environment}
        common = ["--disable-usage-stats", "--block", f"--object-store-memory={100 << 20}"]
        ray_command = str(Path(sys.executable).with_name("ray"))
        self.processes = []
        head, *others = nodes or (["--num-cpus=1"], ["--num-cpus=1"])
        head = head(self.address) if callable(head) else head
        for arguments in (
            ["--head", f"--port={port}", "--include-dashboard=false", *head],
            *([f"--address={self.address}", *other] for other in others),
        ):
            self.processes.append(
                subprocess.Popen(
                    [ray_command, "start", *arguments, *common],
                    env=environment,
                    cwd=folder,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
            self._wait_for(port)

    def _wait_for(self, port):
        patience = time.monotonic() + 60
        while True:
            try:
                socket.create_connection((self.address.split(":")[0], port), 1).close()
                return
            except OSError:
                assert time.monotonic() < patience
                time.sleep(0.2)

    def pids(self, name, node=None):
        """The processes of a name, on one node or all."""
        nodes = self.processes if node is None else [self.processes[node]]
        family = set().union(*(descendants(process.pid) for process in nodes))
        return sorted(pid for pid in family if name in command(pid))

    def stop(self):
        family = set().union(*(descendants(process.pid) for process in self.processes))
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        for pid in family:
            if "ray" in command(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    nodes = Nodes(tmp_path_factory.mktemp("nodes"))
    yield nodes
    nodes.stop()


def load(folder, seconds):
    shutil.copy(Path(__file__).with_name("tiny_components.py"), folder)
    (folder / "spread.yaml").write_text(STUDY.replace("SECONDS", str(seconds)))
    return load_study(folder / "spread.yaml", [f"storage={folder / 'runs'}"])


def wait_for_nodes(nodes, folder, n=2):
    cluster = Cluster(nodes.address, folder)
    cluster.start()
    patience = time.monotonic() + 60
    while len(cluster.nodes()) < n:
        assert time.monotonic() < patience
        time.sleep(0.2)
    cluster.close()


@pytest.mark.faults
def test_a_simulator_killed_in_a_study_on_two_nodes_costs_nothing_but_time(nodes, tmp_path):
    study, killed = load(tmp_path, 0.2), []
    wait_for_nodes(nodes, tmp_path)

    def progress(stage, done, total, message):
        if "simulated" in message and 0 < done < total and not killed:
            killed.append(nodes.pids("ray::SimulatorActor")[0])
            os.kill(killed[0], signal.SIGKILL)

    result = launch(study, nodes.address, progress=progress)
    assert killed
    assert [trial.state for trial in result.trials] == ["complete"] * 4
    authentic = result.evaluation.authentic
    solid = authentic.sheet.flatten(1).float().mean(1).double()
    assert (authentic.values[:, 0] - solid).abs().max() < 1e-6
    patience = time.monotonic() + 60
    while nodes.pids("ray::SimulatorActor") or nodes.pids("ray::PredictorActor"):
        assert time.monotonic() < patience, "the launch left actors on the cluster"
        time.sleep(0.2)


def test_a_storage_folder_that_a_node_does_not_see_is_told(nodes, tmp_path, monkeypatch):
    wait_for_nodes(nodes, tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FailureError, match="does not see /proc/self/cwd; set 'storage' to a folder that all nodes share"
    ):
        Cluster(nodes.address, Path("/proc/self/cwd")).start()  # another folder in every process
    assert not ray.is_initialized()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_quickstart_runs_on_two_nodes(nodes, tmp_path):
    wait_for_nodes(nodes, tmp_path)
    quickstart = Path(__file__).parents[2] / "studies" / "quickstart.yaml"
    study = load_study(quickstart, [f"storage={tmp_path / 'runs'}", "search.trials=2"])
    result = launch(study, nodes.address)
    assert [trial.state for trial in result.trials] == ["complete"] * 2
    assert result.evaluation is not None and result.design is not None
    for space in result.design.spaces:
        assert space.true.shape[0] == study.design.seeds
        assert space.true[:, -1].median() > space.true[:, 0].median()
