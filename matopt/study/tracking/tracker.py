"""Tracking: what a study does, told to MLflow by one process, so that no outage and no crash loses any of it.

The driver has a :class:`Tracker`. Any other process writes with a ``SpoolWriter(tracker.folder)``; both put
events in a spool on disk and return at once. A background thread of the driver, and nothing else, talks to
MLflow. What it cannot deliver stays in the spool, and the next launch of the study sends it first.

One MLflow experiment is one study. A launch is a run; its trials, evaluation and design are its children.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from matopt.buckets.copies import is_copy
from matopt.errors import FailureError
from matopt.study.layout import Layout
from matopt.study.records import Undelivered
from matopt.study.tracking.database import database_uri
from matopt.study.tracking.sender import Sender, launch_folders, pending
from matopt.study.tracking.spool import SpoolWriter
from matopt.study.tracking.spool_copy import HERE


class Tracker(SpoolWriter):
    """The driver's tracker of one study: a spool writer, and the one sender to MLflow.

    The connection (8-12 s for a new database) is made in the background. Runs that an earlier launch left
    open are ended as KILLED once there is a connection.

    It is the study's only one while the launch holds the study's lease (:func:`matopt.study.lease.hold_lease`).

    Args:
        layout: of the study, whose name is the MLflow experiment's.
        uri: an MLflow tracking URI; by default the SQLite file of the storage folder, with its artifacts beside it.
        check: raises where this process may not write or send any more.

    Raises:
        FailureError: the storage folder cannot be written to.
    """

    def __init__(self, layout: Layout, uri: str | None = None, check: Callable[[], None] = lambda: None) -> None:
        self._check = check
        self.uri = uri or database_uri(layout.database)
        self.spool = layout.spool(uri)
        launch = f"launch-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:4]}"
        try:
            (self.spool / launch).mkdir(parents=True)
            if is_copy(self.spool):
                (self.spool / launch / HERE).touch()
        except OSError as error:
            raise FailureError(f"cannot write to {self.spool}: {error.strerror}") from error
        super().__init__(self.spool / launch)
        artifacts = None if uri else layout.mlflow_artifacts.as_uri()
        self._sender = Sender(self.spool, launch, layout.name, self.uri, artifacts, check)
        self._sender.start()

    def _append(self, event: dict[str, Any], durable: bool = False) -> None:
        self._check()
        super()._append(event, durable)

    def close(self, timeout: float = 30.0) -> Undelivered:
        """Deliver what is there, for at most ``timeout`` seconds; what is left is kept, and returned."""
        with self._lock:
            self._close_file()
        self._sender.finish(timeout)
        return _undelivered(self.spool, self._sender.trouble)

    def page(self, metric: str, ascending: bool = False) -> str | None:
        """Make the address of MLflow's page that compares the trials by ``metric``, the best first.

        It shows the runs tagged ``stage: trial`` with their charts; MLflow's own first page shows language models'
        traces, and folds trials into their launch. Without a server in the study the address is the one of
        ``mlflow/start.sh``. None before MLflow has answered.
        """
        if self._sender.experiment is None:
            return None
        server = self.uri.rstrip("/") if self.uri.startswith("http") else "http://127.0.0.1:5000"
        view = {
            "workflowType": "machine_learning",
            "compareRunsMode": "CHART",
            "searchFilter": "tags.stage = 'trial'",
            "orderByKey": f"metrics.`{metric}`",
            "orderByAsc": str(ascending).lower(),
        }
        return f"{server}/#/experiments/{self._sender.experiment}/runs?{urlencode(view, quote_via=quote)}"


def undelivered(layout: Layout) -> list[Undelivered]:
    """List what MLflow does not have of a study, an entry for each tracking server that lacks something.

    Raises:
        FailureError: the spool cannot be read.
    """
    return [left for spool in sorted(layout.spools.glob("*")) if (left := _undelivered(spool, None))]


def _undelivered(spool: Path, trouble: str | None) -> Undelivered:
    try:
        waiting = sum(1 for folder in launch_folders(spool) for _ in pending(folder))
        refused = spool / "refused" / "events.jsonl"
        count = refused.read_bytes().count(b"\n") if refused.is_file() else 0
    except OSError as error:
        raise FailureError(f"{error.filename or spool} cannot be read: {error.strerror or error}") from error
    return Undelivered(spool, waiting, count, trouble)
