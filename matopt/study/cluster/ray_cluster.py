"""The Ray cluster that a study runs on: one started here for the launch, or one that is there already."""

from __future__ import annotations

import gc
import logging
import math
import os
import secrets
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray._raylet import Config  # ty: ignore[missing-module-member] (compiled)
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from matopt.errors import FailureError, InputError
from matopt.stages.keys import code_version
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
    """

    def __init__(self, address: str | None, storage: Path, cpus: int | None = None, timeout: float = 120.0) -> None:
        self._address = address
        self._storage = storage
        self._cpus = cpus
        self._timeout = timeout

    def start(self) -> None:
        """Start or join the cluster.

        Raises:
            InputError: the address is none.
            FailureError: nobody answers at the address, or a node does not see the storage folder or has other code.
        """
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        Config.initialize("")  # Ray read the authentication mode when it was imported
        logging.getLogger("ray").setLevel(logging.CRITICAL)  # what fails here is raised here, in one line
        if self._address is None:
            self._start_here()
        else:
            self._join(self._address)
            try:
                self._check_nodes()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        # A reference to one of Ray's objects that is freed after the shutdown ends the process without a word; in a
        # cycle, as Tune leaves them, the garbage collector would free it in any thread at any time.
        gc.collect()
        ray.shutdown()

    def require(self, needs: Mapping[str, tuple[int, float, float]]) -> None:
        """Check that the cluster can give each of ``needs``: what for -> how many at once, CPUs and GPUs of each.

        Raises:
            FailureError: it cannot; Ray by itself would wait for ever.
        """
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        for what, (count, cpus, gpus) in needs.items():
            places = sum(_places(node, cpus, gpus) for node in nodes)
            if places < count:
                each = f"{cpus:g} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")
                offered = " + ".join(f"{n.get('CPU', 0):g} CPUs and {n.get('GPU', 0):g} GPUs" for n in nodes)
                raise FailureError(
                    f"{what} asks for {count} at {each} each, but there are {offered}; lower 'resources'"
                )

    @property
    def resources(self) -> dict[str, float]:
        """The CPUs and GPUs of all nodes."""
        return ray.cluster_resources()

    def _start_here(self) -> None:
        # A token of this launch alone, handed on by the environment: Ray's own would lie in a file that all can read.
        if "RAY_AUTH_TOKEN_PATH" not in os.environ:
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        try:
            ray.init(
                address="local",
                num_cpus=self._cpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
            )
        except Exception as error:
            raise FailureError(f"Ray does not start here: {_line(error)}") from error

    def _join(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or "//" in address:
            raise InputError(f"address {address!r}: expected host:port of the cluster's head, such as 10.0.0.1:6379")
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            raise FailureError(f"no Ray cluster answers at {address} ({error}); is its head running?") from error
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, runtime_env=_runtime())
        except Exception as error:
            raise FailureError(
                f"cannot join the Ray cluster at {address}: {_line(error)}; launch on one of its nodes, with its token"
            ) from error

    def _check_nodes(self) -> None:
        token = uuid.uuid4().hex
        path = node_probe(self._storage, token)
        path.write_text(token)
        try:
            nodes = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
            answers = {
                name: look.options(
                    num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
                ).remote(str(path))
                for node, name in nodes.items()
                for look in [ray.remote(_look)]
            }
            for name, answer in answers.items():
                try:
                    seen, version = ray.get(answer, timeout=self._timeout)
                except (RayError, GetTimeoutError) as error:
                    raise FailureError(f"node {name} does not run matopt: {_line(error)}") from error
                if seen != token:
                    raise FailureError(
                        f"node {name} does not see {self._storage}; set 'storage' to a folder that all nodes share"
                    )
                if version != code_version():
                    raise FailureError(f"node {name} has another version of matopt; install the same on all nodes")
        finally:
            path.unlink(missing_ok=True)


def _places(node: Mapping[str, float], cpus: float, gpus: float) -> float:
    by_cpu = node.get("CPU", 0) // cpus if cpus else math.inf
    return min(by_cpu, node.get("GPU", 0) // gpus if gpus else math.inf)


def _runtime() -> dict[str, Any]:
    names = [name for name in _ENVIRONMENT if name != "RAY_AUTH_MODE"]
    return {"env_vars": {name: os.environ[name] for name in names}}


def _look(path: str) -> tuple[str | None, str]:
    file = Path(path)
    return (file.read_text() if file.is_file() else None), code_version()


def _line(error: BaseException) -> str:
    """Take the last line of an error's text, which in Ray's long ones says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
