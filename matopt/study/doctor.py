"""The doctor: checks an installation, and says what to do about what does not work."""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import shlex
import shutil
import sqlite3
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path
from typing import Literal

import torch
from packaging.requirements import Requirement

import matopt
from matopt.buckets.address import shown
from matopt.buckets.copies import is_copy
from matopt.errors import FailureError, InputError
from matopt.machine_memory import GIB, machine_memory
from matopt.study.cluster.ray_cluster import Cluster
from matopt.study.layout import Layout, mlflow_database, studies
from matopt.study.tracking.tracker import Tracker, undelivered


@dataclass(frozen=True)
class Finding:
    """The result of one check of an installation.

    Attributes:
        name: what it is.
        state: ``ok``; ``warning``: works, but not as well as it might; ``failure``: a study cannot run.
        found: what is there.
        advice: what to do; empty where all is well.
    """

    name: str
    state: Literal["ok", "warning", "failure"]
    found: str
    advice: str = ""


def examine(storage: Path, start: bool = False) -> Iterator[Finding]:
    """Look at everything that a study on this machine needs, one finding after the other.

    Args:
        storage: the folder that studies are kept in; it need not exist.
        start: also start Ray and track a run for a trial (half a minute), in a temporary folder.
    """
    storage = Path(storage).resolve()
    yield Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield from _packages()
    yield _mlflow_is_the_library()
    yield from _machine()
    yield _devices()
    yield from _storage(storage)
    yield from _token()
    if start:
        yield _ray_starts()
        yield _mlflow_takes_a_run()


def _packages() -> Iterator[Finding]:
    versions = {}
    for text in requires("matopt") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            versions[requirement.name] = version(requirement.name)
        except PackageNotFoundError:
            yield Finding(requirement.name, "failure", "is missing", f"pip install '{requirement}'")
            continue
        if not requirement.specifier.contains(versions[requirement.name], prereleases=True):
            yield Finding(requirement.name, "failure", versions[requirement.name], f"pip install '{requirement}'")
    shown = [f"{name} {versions[name]}" for name in ("torch", "ray", "optuna", "mlflow") if name in versions]
    yield Finding("packages", "ok", ", ".join([f"matopt {matopt.__version__}", *shown]))


def _mlflow_is_the_library() -> Finding:
    # The folder mlflow/ of the repository would be imported as an empty package if the library were missing,
    # and in its place if somebody put a Python file __init__.py into it.
    spec = importlib.util.find_spec("mlflow")
    advice = "pip install mlflow, and keep __init__.py out of folders called mlflow"
    if spec is None or spec.origin is None:
        places = list(spec.submodule_search_locations or []) if spec else []
        return Finding("import mlflow", "failure", f"finds {places[0] if places else 'nothing'}", advice)
    try:
        library = Path(str(distribution("mlflow").locate_file("mlflow")))
    except PackageNotFoundError:
        return Finding("import mlflow", "failure", f"finds {spec.origin}, and the library is missing", advice)
    if Path(spec.origin).parent.resolve() != library.resolve():
        return Finding("import mlflow", "failure", f"finds {spec.origin}, not the library at {library}", advice)
    return Finding("import mlflow", "ok", "finds the library")


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("cores", "ok", str(cores))
    memory = machine_memory()
    if memory < 4 * GIB:
        yield Finding("memory", "warning", _gib(memory), "lower the batch sizes and run one trial at a time")
    else:
        yield Finding("memory", "ok", _gib(memory))
    shared = Path("/dev/shm")
    if shared.is_dir() and shutil.disk_usage(shared).total < 1 * GIB:
        found = f"{_gib(shutil.disk_usage(shared).total)} in {shared}"
        yield Finding("shared memory", "warning", found, "Ray will use the disk; in Docker give --shm-size=2g")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files != resource.RLIM_INFINITY and files < 4096:
        yield Finding("open files", "warning", f"at most {files}", "ulimit -n 65536, or Ray may fail with many trials")


def _devices() -> Finding:
    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        return Finding("devices", "ok", ", ".join(f"{card.name} ({_gib(card.total_memory)})" for card in cards))
    if shutil.which("nvidia-smi"):
        return Finding(
            "devices",
            "warning",
            f"torch {torch.__version__} sees no GPU, though there is a driver",
            "install the torch build for the driver's CUDA version (see pytorch.org)",
        )
    if torch.backends.mps.is_available():
        return Finding("devices", "ok", "Apple GPU (mps)")
    return Finding("devices", "ok", "no GPU: everything runs on the CPU")


def _storage(storage: Path) -> Iterator[Finding]:
    folder = next(path for path in (storage, *storage.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Finding("storage", "failure", f"{folder}: {error.strerror}", "set 'storage' to a folder you can write to")
        return
    free = shutil.disk_usage(folder).free
    found = f"{storage}, {_gib(free)} free"
    if is_copy(storage):
        try:
            found = f"{shown(storage)} answers ({len(studies(storage))} studies); its working copy: {found}"
        except FailureError as error:
            yield Finding("storage", "failure", str(error), "see docs/storage.md")
            return
    if free < 0.5 * GIB:
        yield Finding("storage", "failure", found, "free some space, or set 'storage' elsewhere")
    elif free < 5 * GIB:
        yield Finding("storage", "warning", found, "a study of this size may fill it: free some space")
    else:
        yield Finding("storage", "ok", found)
    yield _database(mlflow_database(storage))
    for left in [left for layout in studies(storage) for left in undelivered(layout)]:
        yield Finding("tracking", "warning", str(left), "launch the study again when MLflow is back")


def _database(path: Path) -> Finding:
    if not path.exists():
        return Finding("MLflow store", "ok", f"{path}, made by the first study")
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=5)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        finally:
            connection.close()
    except sqlite3.Error as error:
        advice = "let nothing else hold it, check who owns it; or move it away, and a new one is made"
        return Finding("MLflow store", "failure", f"{path}: {error}", advice)
    return Finding("MLflow store", "ok", str(path))


def _token() -> Iterator[Finding]:
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()
    if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding("Ray's token", "warning", f"others can read {path}", f"chmod 600 {shlex.quote(str(path))}")


def _ray_starts() -> Finding:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(None, Path(folder))
        try:
            cluster.start()
            found = f"starts here with {cluster.resources.get('CPU', 0):g} CPUs in {time.monotonic() - begun:.0f} s"
        except (FailureError, InputError) as error:
            return Finding("Ray", "failure", str(error), "see the newest files in /tmp/ray/session_latest/logs")
        finally:
            cluster.close()
    return Finding("Ray", "ok", found)


def _mlflow_takes_a_run() -> Finding:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker(Layout(Path(folder), "doctor"))
        run = tracker.start_run("doctor", "doctor")
        tracker.metrics(run, {"answer": 42.0})
        tracker.end_run(run)
        if left := tracker.close(60):
            return Finding("MLflow", "failure", left.trouble or str(left), "pip install --force-reinstall mlflow")
    return Finding("MLflow", "ok", f"made a database and took a run in {time.monotonic() - begun:.0f} s")


def _gib(size: float) -> str:
    return f"{size / GIB:.3g} GiB"
