"""The sender: takes what the spool holds to MLflow, in order, until MLflow has it.

Everything sent may be sent again, since a crash can come between the sending and the note that it was
sent. Three things make a repetition harmless: a run is found by its token (the tag ``matopt.run``) before
it is created; a metric's point is identified by name, step, value and the time at which it was *spooled*,
and MLflow keeps one of each; a model version is looked for by its run and source.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matopt.study.tracking_spool import read_events

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

POLL = 0.5
"""Seconds between two looks at the spool."""
_LONGEST_WAIT = 30.0
_BATCH = {"metrics": 1000, "params": 100, "tags": 100}  # MLflow's limits for one log_batch
_REFUSALS = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE", "BAD_REQUEST"}


class _Refused(Exception):
    """MLflow will never take this; sending it again changes nothing."""


class _NotYet(Exception):
    """The run of this event has not been started; another file may do that."""


class _OutOfTime(Exception):
    """The driver wants to go; the next launch sends the rest."""


class Sender(threading.Thread):
    """A background thread that delivers the spool of one study.

    Args:
        spool: the study's spool folder, with one folder of files for each launch.
        launch: the name of this launch's folder.
        experiment: the experiment's name.
        uri: MLflow's tracking URI.
        artifacts: where a new experiment keeps its artifacts; the server decides by default.
        lock: the open file that says that the study has a sender; closed when this one has ended.
    """

    def __init__(self, spool: Path, launch: str, experiment: str, uri: str, artifacts: str | None, lock: int) -> None:
        super().__init__(name="matopt-tracking", daemon=True)
        self.trouble: str | None = None
        self._spool, self._launch, self._experiment_name = spool, launch, experiment
        self._uri, self._artifacts, self._lock = uri, artifacts, lock
        self._client: MlflowClient | None = None
        self._experiment = ""
        self._run_ids: dict[str, str] = {}
        self._closed_left_over = False
        self._last_round = threading.Event()
        self._deadline = float("inf")

    def finish(self, timeout: float) -> None:
        """Deliver what is there, for at most ``timeout`` seconds, and stop."""
        self._deadline = time.monotonic() + timeout
        self._last_round.set()
        self.join(timeout + 1)

    def run(self) -> None:
        """Deliver until told to finish. An outage is waited for, ever longer up to half a minute."""
        try:
            self._deliver()
        finally:
            os.close(self._lock)

    def _deliver(self) -> None:
        wait = POLL
        while True:
            last = self._last_round.is_set()
            try:
                self._round()
                self.trouble, wait = None, POLL
                if last:
                    return
            except _OutOfTime:
                self.trouble = self.trouble or "there was no time for more"
                return
            except Exception as error:  # an outage looks like anything: socket, proxy, database, disk
                self.trouble = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]
                self._client = None
                wait = min(2 * wait, _LONGEST_WAIT)
            if not last:
                self._last_round.wait(wait)
            elif (left := self._deadline - time.monotonic()) > 0:
                time.sleep(min(wait, 1.0, left))
            else:
                return

    def _round(self) -> None:
        """Deliver all that can be delivered now, earlier launches first."""
        self._connect()
        progress = True
        while progress:
            progress = False
            for folder in launch_folders(self._spool):
                for path in sorted(folder.glob("*.jsonl")):
                    progress |= self._drain(folder, path)
        if not self._closed_left_over:
            self._close_left_over()
        for folder in launch_folders(self._spool):
            finished = folder.name != self._launch or self._last_round.is_set()
            if finished and not any(True for _ in pending(folder)):
                shutil.rmtree(folder)

    def _connect(self) -> None:
        if self._client is not None:
            return
        # This thread is where a request is repeated. The library's own retries would repeat the creation of a
        # run that did arrive, and its defaults hold a request for a quarter of an hour.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        experiment = client.get_experiment_by_name(self._experiment_name)
        if experiment is None:
            self._experiment = client.create_experiment(self._experiment_name, artifact_location=self._artifacts)
        elif experiment.lifecycle_stage != "active":
            raise MlflowException(f"experiment {self._experiment_name!r} is deleted; restore it, or rename the study")
        else:
            self._experiment = experiment.experiment_id
        self._client = client
        self._run_ids.clear()

    def _drain(self, folder: Path, path: Path) -> bool:
        """Deliver a file from where it stands to its end; True if it moved."""
        note = path.with_suffix(".delivered")
        start = delivered(path)
        if path.stat().st_size == start:
            return False
        reached = start
        batch: list[dict[str, Any]] = []
        copies: list[Path] = []
        try:
            position = start
            for end, event in islice(read_events(path, start), 2000):
                if isinstance(event, bytes):
                    self._set_aside(event.decode(errors="replace"), "the line is no event")
                elif event["do"] == "metrics":
                    batch.append(event)
                else:
                    self._send_metrics(batch)
                    batch, reached = [], position
                    self._send(event, folder)
                    reached = end
                    if "file" in event:
                        copies.append((folder / event["file"]).parent)
                position = end
            self._send_metrics(batch)
            reached = position
        except _NotYet:
            pass
        finally:
            if reached > start:
                new = note.with_suffix(".new")
                new.write_text(str(reached))
                new.replace(note)
                for copy in copies:
                    shutil.rmtree(copy, ignore_errors=True)
        return reached > start

    def _send(self, event: dict[str, Any], folder: Path) -> None:
        """Deliver anything but metrics; what MLflow refuses is set aside with its reason."""
        do = event["do"]
        try:
            if do == "start":
                self._start(event, folder.name)
                return
            run_id = self._run_id(event["run"])
            if do == "end":
                self._call(self.client.set_terminated, run_id, event["status"], event["at"])
            elif do == "artifact":
                copy = folder / event["file"]
                inside = [event["folder"]] if event["folder"] else []
                self._upload(run_id, copy, "/".join([*inside, copy.name] if copy.is_dir() else inside))
            elif do == "model":
                self._register(run_id, event, folder / event["file"])
            else:
                raise _Refused(f"unknown event {do!r}")
        except _Refused as error:
            self._set_aside(event, str(error))
            copy = folder / event.get("file", "")
            if "file" in event and copy.exists():
                shutil.copytree(copy.parent, self._spool / "refused" / copy.parent.name, dirs_exist_ok=True)

    @property
    def client(self) -> MlflowClient:
        """The connection; only between :meth:`_connect` and the next error."""
        assert self._client is not None
        return self._client

    def _start(self, event: dict[str, Any], launch: str) -> None:
        tags = {
            "matopt.run": event["run"],
            "matopt.key": event["key"],
            "matopt.launch": launch,
            "mlflow.user": _user(),
            "mlflow.source.name": "matopt",
        }
        if event["parent"] is not None:
            tags["mlflow.parentRunId"] = self._run_id(event["parent"])
        run_id = None
        for run in self._search(f"tags.`matopt.key` = '{event['key']}'"):
            if run.data.tags.get("matopt.run") == event["run"]:
                run_id = run.info.run_id
            elif run.info.status == "RUNNING":
                self._call(self.client.set_terminated, run.info.run_id, "KILLED", event["at"])
        if run_id is None:
            created = self.client.create_run(self._experiment, event["at"], tags=tags, run_name=event["name"])
            run_id = created.info.run_id
        self._run_ids[event["run"]] = run_id
        self._log(run_id, "params", list(event["params"].items()))
        self._log(run_id, "tags", list(event["tags"].items()))

    def _send_metrics(self, events: list[dict[str, Any]]) -> None:
        points: dict[str, list[tuple[str, float, int, int]]] = {}
        tags: dict[str, list[tuple[str, str]]] = {}
        for event in events:
            run, at, step = event["run"], event["at"], event["step"]
            points.setdefault(run, []).extend((name, value, at, step) for name, value in event["values"].items())
            tags.setdefault(run, []).extend(event["tags"].items())
        for run in points:
            run_id = self._run_id(run)
            self._log(run_id, "metrics", points[run])
            self._log(run_id, "tags", tags[run])

    def _log(self, run_id: str, kind: str, items: list[tuple]) -> None:
        """Send items in batches; a batch that is refused is halved until the culprit stands alone."""
        from mlflow.entities import Metric, Param, RunTag

        make: Callable[..., Any] = {"metrics": Metric, "params": Param, "tags": RunTag}[kind]
        size = _BATCH[kind]
        for first in range(0, len(items), size):
            batch = items[first : first + size]
            try:
                self._call(self.client.log_batch, run_id, **{kind: [make(*item) for item in batch]}, synchronous=True)
            except _Refused as error:
                if len(batch) == 1:
                    self._set_aside({"run_id": run_id, kind: batch}, str(error))
                else:
                    self._log(run_id, kind, batch[: len(batch) // 2])
                    self._log(run_id, kind, batch[len(batch) // 2 :])

    def _upload(self, run_id: str, path: Path, folder: str) -> None:
        if not path.exists():
            raise _Refused(f"the spool's copy {path} is gone")
        log = self.client.log_artifacts if path.is_dir() else self.client.log_artifact
        self._call(log, run_id, str(path), folder or None)

    def _register(self, run_id: str, event: dict[str, Any], path: Path) -> None:
        from mlflow.exceptions import MlflowException

        name, folder = event["name"], f"models/{event['name']}"
        self._upload(run_id, path, folder)
        source = f"{self.client.get_run(run_id).info.artifact_uri}/{folder}"
        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        known = self.client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
        if not any(version.source == source for version in known):
            self._call(self.client.create_model_version, name, source, run_id, tags=event["tags"], await_creation_for=0)

    def _run_id(self, token: str) -> str:
        if token not in self._run_ids:
            for run in self._search(f"tags.`matopt.run` = '{token}'"):
                self._run_ids[token] = run.info.run_id
        try:
            return self._run_ids[token]
        except KeyError:
            raise _NotYet from None

    def _search(self, condition: str) -> Iterator[Run]:
        from mlflow.entities import ViewType

        page = None
        while True:
            found = self.client.search_runs([self._experiment], condition, ViewType.ALL, 1000, page_token=page)
            yield from found
            page = found.token
            if not page:
                return

    def _close_left_over(self) -> None:
        """End the runs that an earlier launch left open when it died."""
        left = self._search(f"attributes.status = 'RUNNING' and tags.`matopt.launch` != '{self._launch}'")
        for run in list(left):
            self._call(self.client.set_terminated, run.info.run_id, "KILLED")
        self._closed_left_over = True

    def _call(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call MLflow; :class:`_Refused` where MLflow itself, not a proxy or an outage, says no for good."""
        if time.monotonic() > self._deadline:
            raise _OutOfTime
        from mlflow.exceptions import MlflowException, RestException
        from requests import HTTPError

        try:
            return method(*arguments, **named)
        except MlflowException as error:
            spoke = isinstance(error, RestException) or not self._uri.startswith("http")
            if spoke and error.error_code in _REFUSALS:
                raise _Refused(str(error)) from error
            raise
        except HTTPError as error:  # an upload that is too large for a proxy, or malformed
            if error.response is not None and error.response.status_code in (400, 413, 422):
                raise _Refused(str(error)) from error
            raise

    def _set_aside(self, event: Any, reason: str) -> None:
        folder = self._spool / "refused"
        folder.mkdir(exist_ok=True)
        with (folder / "events.jsonl").open("a") as file:
            file.write(json.dumps({"reason": reason, "event": event}) + "\n")


def launch_folders(spool: Path) -> list[Path]:
    """The folders of a study's launches, oldest first."""
    return sorted(spool.glob("launch-*"))


def delivered(path: Path) -> int:
    """How many bytes of a spool file MLflow has."""
    try:
        return int(path.with_suffix(".delivered").read_text())
    except (FileNotFoundError, ValueError):
        return 0  # sending again is harmless


def pending(folder: Path) -> Iterator[Any]:
    """The events of a launch that MLflow does not have yet."""
    for path in sorted(folder.glob("*.jsonl")):
        yield from (event for _, event in read_events(path, delivered(path)))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container's user need not have a name
