import gc
import os
import signal
import sys
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import ray
import torch
from processes import descendants

from matopt.data.labels.store import LabelStore
from matopt.errors import FailureError
from matopt.microstructures import Microstructures
from matopt.physics.base import SIMULATORS
from matopt.registry import Component
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.models import ModelContext
from matopt.study.cluster.actors import Actor, SimulatorActor
from matopt.study.cluster.labelling import ClusterLabel
from matopt.study.cluster.pool import Pool
from matopt.study.cluster.ray_cluster import Cluster, collect_garbage

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the actors' processes cannot import the tests

DIFFUSIVITY = Component("diffusivity", {"grain_diffusivity": 0.02})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster(None, tmp_path_factory.mktemp("storage"), cpus=2)
    cluster.start()
    yield cluster
    cluster.close()


@pytest.fixture
def context(tmp_path):
    return ModelContext(ArtifactStore(tmp_path / "stages"), tmp_path)


def images(n, seed, size=48):
    return Microstructures((np.random.default_rng(seed).random((n, size, size)) < 0.8).astype(np.uint8), 1e-6)


def directly(microstructures):
    solution = SIMULATORS.build(DIFFUSIVITY).solve(microstructures.density(), microstructures.voxel_size)
    return solution.values.numpy()


class Sleeper:
    """An actor whose work can be seen, and fails as told."""

    def pid(self):
        return os.getpid()

    def work(self, seconds):
        time.sleep(seconds)
        return os.getpid()

    def fail(self):
        raise ZeroDivisionError("by zero")

    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)


def test_actors_label_as_the_simulator_does_and_only_once(cluster, context, tmp_path):
    pool = Pool.of(SimulatorActor, 2, 120, (context, 1))
    store = LabelStore(tmp_path / "labels")
    label = ClusterLabel(store, [DIFFUSIVITY], context, lambda: pool)
    batch = images(9, 0)
    table = label(batch)
    np.testing.assert_allclose(table.values[:, 0], directly(batch), rtol=1e-5)
    assert label.computing > 0

    def forbidden():
        raise AssertionError("the store has these")

    again = ClusterLabel(LabelStore(tmp_path / "labels"), [DIFFUSIVITY], context, forbidden)(batch)
    np.testing.assert_array_equal(again.values, table.values)
    pool.kill()


def test_a_simulator_killed_in_the_middle_is_started_again_and_changes_no_label(cluster, context, tmp_path):
    pool = Pool.of(SimulatorActor, 1, 120, (context, 1))
    batch = images(64, 1, size=96)
    label = ClusterLabel(LabelStore(tmp_path / "labels"), [DIFFUSIVITY], context, lambda: pool)
    label(images(1, 2))  # the actor is up
    killer = threading.Timer(0.3, lambda: ray.kill(pool.actors[0], no_restart=False))
    killer.start()
    table = label(batch)
    killer.join()
    np.testing.assert_allclose(table.values[:, 0], directly(batch), rtol=1e-5)
    pool.kill()


def test_a_pool_balances_its_calls_and_keeps_their_order(cluster):
    pool = Pool.of(Sleeper, 2, 60, ())
    pool.map("pid", [()] * 2)  # both are up
    seconds = [1.0] + [0.05] * 8
    answers = pool.map("work", [(s,) for s in seconds])
    slow = answers[0][0]
    assert [actor for actor, _ in answers].count(slow) == 1  # the other took all the rest
    assert {actor: pid for actor, pid in answers} == dict(enumerate(p for _, p in sorted(pool.map("pid", [()] * 2))))
    pool.kill()


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("fail", (), "Sleeper 0 failed in 'fail': ZeroDivisionError: by zero"),
        ("work", (30,), r"Sleeper(: none can be reached for| 0: no answer to) 'work' .*resources\.timeout"),
        ("die", (), r"Sleeper 0: its process was killed \(SIGKILL\), .*; before it 'die' was the death of 3 others"),
    ],
)
def test_every_wait_ends_with_one_line_that_names_the_actor(cluster, method, arguments, message):
    pool = Pool.of(Sleeper, 1, 3 if method == "work" else 60, ())
    ray.get(pool.actors[0].pid.remote())
    with pytest.raises(FailureError, match=message) as caught:
        pool.map(method, [arguments])
    assert "\n" not in str(caught.value)
    pool.kill()


def test_an_actor_that_is_stopped_is_ended_and_another_takes_its_call(cluster):
    pool = Pool.of(Sleeper, 2, 10, ())
    pids = dict(pool.map("pid", [()] * 2))
    os.kill(pids[0], signal.SIGSTOP)
    answers = pool.map("work", [(0.1,)] * 4)
    assert len(answers) == 4 and pids[0] not in [pid for _, pid in answers]
    patience = time.monotonic() + 30
    while Path(f"/proc/{pids[0]}").exists() and time.monotonic() < patience:
        time.sleep(0.1)
    assert not Path(f"/proc/{pids[0]}").exists()
    pool.kill()


def listening(pid):
    """The hexadecimal addresses that a process listens on."""
    here = Path(f"/proc/{pid}")
    try:
        links = [str(link.readlink()) for link in (here / "fd").iterdir() if link.is_symlink()]
        rows = [row.split() for table in ("tcp", "tcp6") for row in (here / "net" / table).read_text().splitlines()]
    except FileNotFoundError:  # it has ended
        return []
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in links]


def test_a_cluster_of_this_machine_is_reached_from_this_machine_alone(cluster):
    (node,) = ray.nodes()
    assert node["NodeManagerAddress"] == "127.0.0.1"
    addresses = [address for pid in descendants(os.getpid()) - {os.getpid()} for address in listening(pid)]
    assert len(addresses) >= 3
    assert set(addresses) <= {"0100007F", 24 * "0" + "01000000", 16 * "0" + "FFFF00000100007F"}  # 127.0.0.1 and ::1


def test_ray_that_runs_already_is_told(cluster, tmp_path):
    with pytest.raises(FailureError, match=r"Ray runs in this process already; call ray\.shutdown\(\) first"):
        Cluster(None, tmp_path).start()
    assert ray.is_initialized(), "it is left as it was"


def test_garbage_is_collected_though_another_thread_is_at_it():
    class Cycle:
        def __init__(self):
            self.me = self

    class Slow(Cycle):
        def __del__(self):
            began.set()
            time.sleep(0.5)
            ended.set()

    began, ended = threading.Event(), threading.Event()
    Slow()
    other = threading.Thread(target=gc.collect)
    other.start()
    began.wait()
    cycle = weakref.ref(Cycle())  # garbage that the other does not know of
    assert gc.collect() == 0 and cycle() is not None, "Python collects nothing while it is collecting"
    collect_garbage()
    assert ended.is_set() and cycle() is None
    other.join()


class Threads(Actor):
    """An actor that says how many threads it computes with."""

    def count(self):
        return torch.get_num_threads()


@pytest.mark.parametrize("threads", [1, 2])
def test_an_actor_computes_with_the_threads_that_it_is_given(cluster, context, threads):
    pool = Pool.of(Threads, 1, 60, (context, threads))
    assert [count for _, count in pool.map("count", [()])] == [threads]
    pool.kill()


def test_the_token_of_a_local_cluster_is_in_no_file(cluster, context):
    token = os.environ["RAY_AUTH_TOKEN"].encode()
    assert len(token) >= 32
    session = Path(ray._private.worker._global_node.get_session_dir_path())
    folders = (session, Path("~/.ray").expanduser(), context.folder.parent)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert any(path.is_relative_to(session) and path.stat().st_size for path in files)
    assert [path for path in files if token in path.read_bytes()] == []
