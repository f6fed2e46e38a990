"""Where Ray puts what a study starts: on nodes with made-up GPUs, under a head that does no work, and on nodes that are
started when they are asked for."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import ray
from ray._private.state import actors, available_resources_per_node
from test_cluster import Nodes, load, wait_for_nodes

from matopt.data.labels.store import LabelStore
from matopt.errors import FailureError
from matopt.microstructures import Microstructures
from matopt.registry import Component
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.data import LabelledSet
from matopt.stages.models import GeneratorTask, ModelContext
from matopt.study.cluster import autoscaling
from matopt.study.cluster.ray_cluster import Cluster
from matopt.study.cluster.workers import RayWorkers
from matopt.study.config.schema import ResourcesSection
from matopt.study.config.study import load_study
from matopt.study.launch import launch
from matopt.study.layout import Layout
from matopt.study.state import LaunchState

pytestmark = pytest.mark.faults

HEAD = ["--num-cpus=0"]
HEAD_ID = "f" * 51 + "00000"
GPU_NODE = ["--num-cpus=2", "--num-gpus=1"]


class Started:
    """The workers of a study on a cluster, whose actors know nothing of the GPUs that they have."""

    def __init__(self, nodes, folder, **resources):
        here = Path(__file__).parent
        self.cluster = Cluster(nodes.address, folder)
        self.state = LaunchState(Layout(folder, "placed"))
        self.workers = RayWorkers(
            self.cluster,
            ResourcesSection(device="cuda", timeout=120.0, **resources),
            ModelContext(ArtifactStore(folder / "artifacts"), here),
            LabelStore(folder / "labels"),
            [Component("tiny_components.py:Solid")],
            self.state,
            folder / "words",
            10,
        )

    def __enter__(self):
        self.stage = self.state.stage("data")
        self.stage.__enter__()
        return self.workers

    def __exit__(self, *error):
        self.workers.close()
        self.stage.__exit__(*error)

    def nodes_of(self, kind):
        """The node of each actor of a class that is alive."""
        return [
            actor["Address"]["NodeID"]
            for actor in actors().values()
            if actor["ActorClassName"] == kind and actor["State"] == "ALIVE"
        ]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """A head that does no work, and two nodes of two CPUs and a GPU."""
    folder = tmp_path_factory.mktemp("nodes")
    nodes = Nodes(folder, HEAD, GPU_NODE, GPU_NODE)
    try:
        wait_for_nodes(nodes, folder, 3)
        yield nodes
    finally:
        ray.shutdown()
        nodes.stop()


@pytest.mark.parametrize(("models", "free"), [(2, [0.0, 0.0]), (3, [0.0, 0.5])])
def test_two_nodes_of_one_gpu_serve_models_beside_two_simulators(nodes, tmp_path, models, free):
    started = Started(nodes, tmp_path, trials=1, predictors=models, simulators=2)
    with started as workers:
        images = Microstructures((np.random.default_rng(0).random((8, 24, 24)) < 0.7).astype(np.uint8), 1e-6)
        labelled = LabelledSet(images, workers.label(images))
        noise = Component("tiny_components.py:Noise", {"seconds": 0.5})
        assert (
            len(workers.fit_generators([GeneratorTask(noise, labelled, labelled, seed) for seed in range(models)])) > 1
        )
        at_work = {node.key for node in started.cluster.nodes() if node.cpus}
        assert sorted(started.nodes_of("SimulatorActor")) == sorted(at_work)  # one each
        assert set(started.nodes_of("GeneratorActor")) == at_work
        left = available_resources_per_node()
        assert sorted(left[node].get("GPU", 0.0) for node in at_work) == free


def test_a_cluster_that_was_started_by_hand_refuses_within_seconds(nodes, tmp_path):
    load(tmp_path, 0.2)
    study = load_study(tmp_path / "spread.yaml", [f"storage={tmp_path / 'runs'}", "resources.predictors=5"])
    asked = []

    def progress(stage, done, total, message):
        if message.startswith("asking the cluster"):
            asked.append(time.monotonic())

    with pytest.raises(
        FailureError, match=r"resources\.predictors asks for 5, at 1 CPUs each, and there is room for 4"
    ):
        launch(study, nodes.address, progress=progress)
    assert time.monotonic() - asked[0] < 30


def test_simulators_of_a_node_that_dies_start_anew_on_another_and_never_on_a_head_without_cpus(nodes, tmp_path):
    started = Started(nodes, tmp_path, trials=1, predictors=1, simulators=4)
    with started as workers:
        pool = workers.simulators()
        before = Counter(started.nodes_of("SimulatorActor"))
        assert list(before.values()) == [2, 2]
        os.kill(nodes.pids("/raylet", 2)[0], signal.SIGKILL)
        patience = time.monotonic() + 90
        while len(set(after := started.nodes_of("SimulatorActor"))) != 1 or len(after) < 4:
            assert time.monotonic() < patience, after
            time.sleep(0.5)
        assert after[0] in before
        pool.wait()


def autoscaled(folder, address, most):
    """The configuration of an autoscaler that starts nodes of two CPUs on this machine."""
    worker = {"CPU": 2, "object_store_memory": 100 << 20}
    config = {
        "cluster_name": "asked",
        "max_workers": most,
        "idle_timeout_minutes": 5,
        "provider": {
            "type": "external",
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "gcs_address": address,
            "head_node_id": HEAD_ID,
            "launch_multiple": True,
            "use_node_id_as_ip": True,
            "disable_launch_config_check": True,
            "disable_node_updaters": True,
        },
        "auth": {},
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": {"resources": worker, "node_config": {}, "min_workers": 0, "max_workers": most},
        },
        **{f"{what}s": [] for what in ("cluster_synced_file", "initialization_command")},
        "file_mounts_sync_continuously": False,
        **{f"{whose}setup_commands": [] for whose in ("", "head_", "worker_")},
        **{f"{whose}_start_ray_commands": [] for whose in ("head", "worker")},
        "file_mounts": {},
    }
    file = folder / "autoscaler.json"
    file.write_text(json.dumps(config))
    return [*HEAD, f"--autoscaling-config={file}"]


ENVIRONMENT = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
NEWER = {
    "RAY_enable_autoscaler_v2": "1",
    "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
    "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
    "RAY_NODE_TYPE_NAME": "ray.head.default",
}


@pytest.mark.parametrize("newer", [{}, NEWER], ids=["v1", "v2"])
def test_a_cluster_that_scales_from_nothing_is_asked_and_waited_for(tmp_path, monkeypatch, newer):
    monkeypatch.setattr(autoscaling, "_ANSWER_SECONDS", 15.0)
    nodes = Nodes(tmp_path, lambda address: autoscaled(tmp_path, address, 2), **ENVIRONMENT, **newer)
    try:
        load(tmp_path, 0.2)
        said = []

        def study(**settings):
            return load_study(
                tmp_path / "spread.yaml",
                [
                    f"storage={tmp_path / 'runs'}",
                    "resources.cpus_per_trial=2",
                    *(f"{k}={v}" for k, v in settings.items()),
                ],
            )

        result = launch(study(), nodes.address, progress=lambda *now: said.append(now[-1]))
        assert [trial.state for trial in result.trials] == ["complete"] * 4
        assert any(message.startswith("asking the cluster for more nodes: resources.trials asks") for message in said)
        assert len(nodes.pids("/raylet")) == 3
        huge = study(**{"name": "huge", "resources.trials": 3})
        with pytest.raises(
            FailureError,
            match=r"asks for 3, at 2 CPUs each, and there is room for 2 \(.*no node was started that would do",
        ):
            launch(huge, nodes.address)
    finally:
        ray.shutdown()
        nodes.stop()
