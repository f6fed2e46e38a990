"""The spool: what any process has to say about a run, on disk before anything else happens to it.

Each process appends JSON lines to a file of its own, so that no two write to one file and the only line
that a crash can tear is the last. The driver's sender reads all files of the folder and forgets nothing
before MLflow has it. MLflow is not imported here: a trial on a far node starts without it.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import threading
import time
import uuid
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from matopt.buckets.address import make_copy
from matopt.errors import FailureError, InputError
from matopt.study.tracking.events import MAX_NAME, Status, is_name
from matopt.study.tracking.spool_copy import carry, is_far

_MAX_PARAM, _MAX_TAG = 6000, 8000  # MLflow's limits


class SpoolWriter:
    """Appends what this process says about runs to its own file in ``folder``.

    A line is in the operating system's hands when a method returns (it outlives ``kill -9``); what begins or
    ends something is on the disk as well (it outlives a power cut).

    Args:
        folder: the spool folder of one launch, ``Tracker.folder``; any node must see it under this path.

    Raises:
        FailureError: the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.path = self.folder / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self._lock = threading.Lock()
        self._not_finite: set[tuple[str, str]] = set()
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise FailureError(f"cannot write to the tracking spool {self.folder}: {error.strerror}") from error
        self._close_file = weakref.finalize(self, os.close, self._file)

    def start_run(
        self,
        key: str,
        name: str,
        parent: str | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> str:
        """Begin a run and return its token, by which every other method (in any process) names it.

        Args:
            key: what the run is of, the same at each attempt ("trial/17"). A run with this key that is
                still open, of an earlier attempt or launch, ends as KILLED.
            name: what people read in MLflow.
            parent: the token of the run that this one is part of.
            params: settings; nested mappings become dotted names, as in ``--set search.trials=4``.
            tags: short texts to filter by, such as ``stage``; numbers to six digits.

        Raises:
            InputError: a name or value that MLflow does not take.
        """
        _check_name("run key", key)
        flat = flatten(params or {})
        texts = _tags(tags)
        for kind, limit, entries in (("parameter", _MAX_PARAM, flat), ("tag", _MAX_TAG, texts)):
            for entry, text in entries.items():
                _check_name(kind, entry)
                if len(text) > limit:
                    raise InputError(f"{kind} {entry} has {len(text)} characters; MLflow takes {limit}")
        run = uuid.uuid4().hex
        self._append(
            {"do": "start", "run": run, "key": key, "name": name, "parent": parent, "params": flat, "tags": texts},
            durable=True,
        )
        return run

    def metrics(self, run: str, values: Mapping[str, float], step: int = 0) -> None:
        """Add figures of ``step``; what is before a slash groups charts ("predictor/loss").

        A value that is not finite is no point of a curve: it becomes the tag ``not finite/<name>`` with the
        first step at which it happened.

        Raises:
            InputError: a name that MLflow does not take.
        """
        finite, tags = {}, {}
        for name, value in values.items():
            _check_name("metric", name)
            number = float(value)
            if math.isfinite(number):
                finite[name] = number
            elif (run, name) not in self._not_finite:
                self._not_finite.add((run, name))
                tags[f"not finite/{name}"] = f"{number} at step {step}"
        if finite or tags:
            self._append({"do": "metrics", "run": run, "values": finite, "step": int(step), "tags": tags})

    def tag(self, run: str, name: str, text: str) -> None:
        """Add a tag."""
        _check_name("tag", name)
        self._append({"do": "metrics", "run": run, "values": {}, "step": 0, "tags": {name: text}})

    def artifact(self, run: str, path: Path, folder: str = "") -> None:
        """Keep a copy of a file, or of all files of a folder, with the run, under ``folder``.

        Raises:
            InputError: no such file.
            FailureError: it cannot be copied into the spool.
        """
        if folder:
            _check_name("artifact folder", folder)
        self._append({"do": "artifact", "run": run, "file": self._copy(path), "folder": folder}, durable=True)

    def model(self, run: str, name: str, path: Path, tags: Mapping[str, Any] | None = None) -> None:
        """Enter a model's file or folder in the model registry, as this run's version of ``name``.

        What is kept are the files as they are (weights, and the settings to rebuild the model from), under
        ``models/<name>`` of the run. MLflow's own model formats would need an example input or a pickle.

        Raises:
            InputError: no such file, or a name with a slash or colon in it.
            FailureError: it cannot be copied into the spool.
        """
        if not 0 < len(name) <= MAX_NAME or "/" in name or ":" in name:
            raise InputError(f"model name {name!r}: the registry takes up to {MAX_NAME} characters, no '/' and no ':'")
        event = {"do": "model", "run": run, "name": name, "file": self._copy(path), "tags": _tags(tags)}
        self._append(event, durable=True)

    def end_run(self, run: str, status: Status = "FINISHED") -> None:
        """Close a run. Figures that other processes still send for it are kept."""
        self._append({"do": "end", "run": run, "status": status}, durable=True)

    def _copy(self, path: Path) -> str:
        source = Path(path)
        if not source.exists():
            raise InputError(f"cannot track {source}: no such file")
        relative = Path("files") / uuid.uuid4().hex / source.name
        target = self.folder / relative
        try:
            target.parent.mkdir(parents=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copyfile(source, target)
        except OSError as error:
            shutil.rmtree(target.parent, ignore_errors=True)
            raise FailureError(f"cannot copy {source} to the tracking spool: {error}") from error
        return str(relative)

    def _append(self, event: dict[str, Any], durable: bool = False) -> None:
        line = (json.dumps({"at": time.time_ns() // 1_000_000, **event}, separators=(",", ":")) + "\n").encode()
        with self._lock:
            if not self._close_file.alive:
                raise FailureError("the tracker is closed; there is nobody left to send this")
            before = os.fstat(self._file).st_size
            try:
                written = 0
                while written < len(line):
                    written += os.write(self._file, line[written:])
                if durable:
                    os.fsync(self._file)
            except OSError as error:
                # Half a line would join with the next one and spoil both.
                os.ftruncate(self._file, before)
                raise FailureError(f"cannot write to the tracking spool {self.path}: {error.strerror}") from error


@dataclass(frozen=True)
class SpoolReport:
    """Adds a training's figures to a run: the :class:`matopt.training.report.Report` of a trial in any process.

    Attributes:
        folder: the spool folder of one launch.
        run: the token of the run.
    """

    folder: Path
    run: str

    def __call__(self, step: int, /, **scalars: float) -> bool:
        """Spool the figures of ``step``; never asks the training to stop."""
        _writer(self.folder).metrics(self.run, scalars, step)
        return False


@cache
def _writer(folder: Path) -> SpoolWriter:  # one for the process
    if not is_far(folder):
        return SpoolWriter(folder)
    make_copy(folder)
    writer = SpoolWriter(folder)
    carry(writer.path)
    return writer


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Flatten nested settings to dotted names and texts; lists and plain values become JSON."""
    flat: dict[str, str] = {}
    for name, value in settings.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{path}.")
        else:
            flat[path] = _text(value)
    return flat


def _check_name(kind: str, name: str) -> None:
    if not is_name(name):
        raise InputError(
            f"{kind} {name!r} is no name for MLflow: letters, digits, _ - . : space, groups parted by single '/',"
            f" at most {MAX_NAME} characters"
        )


def _tags(tags: Mapping[str, Any] | None) -> dict[str, str]:
    """Turn tags into the short texts that people read: numbers to six digits."""
    return {name: f"{value:.6g}" if isinstance(value, float) else _text(value) for name, value in (tags or {}).items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
