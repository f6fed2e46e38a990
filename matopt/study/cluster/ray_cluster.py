"""The Ray cluster that a study runs on: one started here for the launch, or one that is there already."""

from __future__ import annotations

import gc
import logging
import os
import re
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray._private.ray_logging import stdout_deduplicator
from ray._raylet import Config  # ty: ignore[missing-module-member] (compiled)
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import matopt
from matopt.buckets.address import shown
from matopt.buckets.copies import forget, keep
from matopt.errors import KEPT, FailureError, InputError
from matopt.provenance import code_version
from matopt.study.cluster import whereabouts
from matopt.study.cluster.driver_path import DriverPath, matopt_file
from matopt.study.cluster.local_ray import last_line, start_local
from matopt.study.cluster.parts import Parts
from matopt.study.cluster.placement import Node
from matopt.study.cluster.whereabouts import Whereabouts
from matopt.study.layout import node_probe

_CONNECT_SECONDS = 10.0

_ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # a study's relative paths mean the same in every process
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the launch, not only the search
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune prints tables of its own otherwise
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a failed trial has no metrics
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class Cluster:
    """The Ray cluster of one launch.

    Args:
        address: ``host:port`` of a cluster to join; None starts one here, for this process alone.
        storage: the folder that every node must see.
        cpus: how many CPUs a cluster that is started here offers; all by default.
        timeout: seconds that a node may take to answer.
        before_end: called before this process is ended, where Ray is gone and nothing else can end it any more.
    """

    def __init__(
        self,
        address: str | None,
        storage: Path,
        cpus: int | None = None,
        timeout: float = 120.0,
        before_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._address = address
        self._storage = storage
        self._cpus = cpus
        self._timeout = timeout
        self._before_end = before_end
        self._parts: Parts | None = None
        self._checked: set[str] = set()

    def start(self) -> None:
        """Start or join the cluster.

        Raises:
            InputError: the address is none.
            FailureError: Ray does not start, or runs in this process already; nobody answers at the address; or a node
                does not see the storage folder, or has another matopt.
        """
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        if ray.is_initialized():
            raise FailureError("Ray runs in this process already; call ray.shutdown() first, as a study brings its own")
        Config.initialize("")  # Ray read the authentication mode when it was imported
        logging.getLogger("ray").setLevel(logging.CRITICAL)  # what fails here is raised here, in one line
        stdout_deduplicator.skip_re = re.compile("")  # so are deaths of processes, of which a node tells at length
        with _own_signals():
            if self._address is None:
                start_local(self._cpus)
            else:
                self._join(self._address)
        self._parts = Parts(self._address, self._before_end)
        try:
            self.check_nodes()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        # Ray ends the process of whoever drops a handle while it shuts down, and a garbage collector in another thread,
        # tracking's say, may come upon one at any time: they are collected before, and none in between.
        parts, self._parts = self._parts, None
        if parts is not None:
            parts.rest()
        self._checked.clear()
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            collect_garbage()
            ray.shutdown()
        finally:
            if was_enabled:
                gc.enable()
            if parts is not None:
                parts.close()

    def check(self) -> None:
        """See whether what holds the cluster together still runs; costs nothing when called often.

        Raises:
            FailureError: it does not. Ray by itself would wait for a minute, and then end this process.
        """
        if self._parts is not None and (lost := self._parts.lost()):
            raise FailureError(f"{lost}; {KEPT}")

    def nodes(self) -> list[Node]:
        """List what the nodes offer that are alive now."""
        return [
            Node(
                node["NodeID"],
                node["NodeManagerHostname"],
                node["Resources"].get("CPU", 0.0),
                node["Resources"].get("GPU", 0.0),
                node["Resources"].get("memory", Node.memory),
            )
            for node in ray.nodes()
            if node["Alive"]
        ]

    @property
    def is_joined(self) -> bool:
        """It was there already, and may grow."""
        return self._address is not None

    @property
    def resources(self) -> dict[str, float]:
        """The CPUs and GPUs of all nodes."""
        return ray.cluster_resources()

    def _join(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or "//" in address:
            raise InputError(f"address {address!r}: expected host:port of the cluster's head, such as 10.0.0.1:6379")
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            raise FailureError(f"no Ray cluster answers at {address} ({error}); is its head running?") from error
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                runtime_env=_runtime(),
                job_config=DriverPath(),
            )
        except Exception as error:
            raise FailureError(
                f"cannot join the Ray cluster at {address}: {last_line(error)}; launch on one of its nodes, with its"
                " token"
            ) from error

    def check_nodes(self) -> None:
        """Ask a process on every node that was not asked whether it sees the storage folder, and which matopt it has.

        Raises:
            FailureError: a node does not see the folder, or has another matopt.
        """
        is_here = self._address is None
        token = uuid.uuid4().hex
        probe = node_probe(self._storage, token)
        if not is_here:
            probe.write_text(token)
            keep(probe)
        cloudpickle.register_pickle_by_value(whereabouts)
        try:
            look = ray.remote(whereabouts.look)
            answers = {
                node: look.options(
                    num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node.key, soft=False)
                ).remote(None if is_here else str(probe), not is_here)
                for node in self.nodes()
                if node.key not in self._checked
            }
            for node, answer in answers.items():
                name = node.name
                try:
                    found = ray.get(answer, timeout=self._timeout)
                except (RayError, GetTimeoutError) as error:
                    if node.key not in {alive.key for alive in self.nodes()}:
                        continue  # it died, which others deal with
                    raise FailureError(f"node {name} does not run matopt: {last_line(error)}") from error
                if not is_here and found.token != token:
                    advice = found.trouble or "set 'storage' to a folder that all nodes share"
                    raise FailureError(f"node {name} does not see {shown(self._storage)}; {advice}")
                _check_code(name, found, is_here)
                self._checked.add(node.key)
        finally:
            cloudpickle.unregister_pickle_by_value(whereabouts)
            if not is_here:
                forget(probe)


@contextmanager
def _own_signals() -> Generator[None]:
    """Keep this process's answer to SIGTERM: Ray's own ends it in the middle of whatever waits, by an abort."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)


def _check_code(node: str, found: Whereabouts, is_here: bool) -> None:
    """Refuse a node whose processes import another matopt than this one: here another file, elsewhere other text."""
    ours, theirs = matopt_file(), found.file and Path(found.file).resolve()
    if theirs != ours if is_here else found.code != code_version():
        what = f"matopt {found.version} in {Path(found.file).parent}" if found.file else "no matopt"
        raise FailureError(
            f"node {node} has another version of matopt: its processes import {what}, this one {matopt.__version__} in "
            f"{ours.parent}; install the same on all nodes, and launch where no folder 'matopt' lies"
        )


def collect_garbage(seconds: float = 10.0) -> None:
    """Collect all garbage; where another thread is doing so, first wait for at most ``seconds`` until it is done.

    ``gc.collect`` returns at once then, having collected nothing. The first collection to end may be the other's.
    """
    patience = time.monotonic() + seconds
    before = _collections()
    gc.collect()
    while _collections() < before + 2 and time.monotonic() < patience:
        time.sleep(0.01)
        gc.collect()


def _collections() -> int:
    return gc.get_stats()[-1]["collections"]


def _runtime() -> dict[str, Any]:
    names = [name for name in _ENVIRONMENT if name != "RAY_AUTH_MODE"]
    return {"env_vars": {name: os.environ[name] for name in names}}
