"""The calls of MLflow, each made in a way that makes repeating it harmless.

A crash can come between the sending and the note that it was sent, so everything may be sent again. A run
is found by its token (the tag ``matopt.run``) before it is created; a metric's point is identified by name,
step, value and the time at which it was *spooled*, and MLflow keeps one of each; a parameter may be set
again to the same value; a model version is looked for by its run and source.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from matopt.study.tracking.database import ensure_database, follow_artifacts

if TYPE_CHECKING:
    from mlflow.entities import Run

Item = tuple[Any, ...]
_BATCH = {"metrics": 1000, "params": 100, "tags": 100}  # MLflow's limits for one log_batch
_REFUSALS = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE", "BAD_REQUEST"}


class Refused(Exception):
    """MLflow will never take this; sending it again changes nothing."""


class NotYet(Exception):
    """The run of this event has not been started; another spool file may do that."""


class Experiment:
    """The MLflow experiment of a study. Any exception but the two above is an outage: connect again, send again.

    Args:
        uri: MLflow's tracking URI.
        name: the experiment's name; it is created if there is none.
        artifacts: where the experiment keeps its artifacts, and has them though its folder was moved; None leaves it to
            the server.
        set_aside: takes what MLflow refuses of a batch, and why.
    """

    def __init__(self, uri: str, name: str, artifacts: str | None, set_aside: Callable[[Any, str], None]) -> None:
        # The sender is where a request is repeated. The library's own retries would repeat the creation of a
        # run that did arrive, and its defaults hold a request for a quarter of an hour.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")  # the sender says what goes wrong, in one line
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        ensure_database(uri)
        self._remote = uri.startswith("http")
        self._set_aside = set_aside
        self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._run_ids: dict[str, str] = {}
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            self.id = self._client.create_experiment(name, artifact_location=artifacts)
        elif experiment.lifecycle_stage == "active":
            self.id = experiment.experiment_id
            if artifacts is not None and experiment.artifact_location != artifacts:
                follow_artifacts(uri, self.id, experiment.artifact_location, artifacts)
        else:
            raise MlflowException(f"experiment {name!r} is deleted in MLflow; restore it there, or rename the study")

    def start_run(self, event: Mapping[str, Any], launch: str) -> None:
        """Begin the run of a start event, unless it is there; end other open runs of the same key.

        Raises:
            NotYet: its parent is not there.
        """
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
                self._call(self._client.set_terminated, run.info.run_id, "KILLED", event["at"])
        if run_id is None:
            run_id = self._client.create_run(self.id, event["at"], tags, event["name"]).info.run_id
        self._run_ids[event["run"]] = run_id
        self.log(event["run"], "params", list(event["params"].items()))
        self.log(event["run"], "tags", list(event["tags"].items()))

    def log(self, run: str, kind: Literal["metrics", "params", "tags"], items: list[Item]) -> None:
        """Send metrics (name, value, time, step), parameters or tags; what is refused of them is set aside.

        A batch that is refused is halved until the culprit stands alone.

        Raises:
            NotYet: the run is not there.
        """
        from mlflow.entities import Metric, Param, RunTag

        make: Callable[..., Any] = {"metrics": Metric, "params": Param, "tags": RunTag}[kind]
        run_id, size = self._run_id(run), _BATCH[kind]
        for first in range(0, len(items), size):
            batch = items[first : first + size]
            try:
                self._call(self._client.log_batch, run_id, synchronous=True, **{kind: [make(*item) for item in batch]})
            except Refused as error:
                if len(batch) == 1:
                    self._set_aside({"run": run, kind: batch}, str(error))
                else:
                    self.log(run, kind, batch[: len(batch) // 2])
                    self.log(run, kind, batch[len(batch) // 2 :])

    def end_run(self, event: Mapping[str, Any]) -> None:
        """Close the run of an end event.

        Raises:
            NotYet: the run is not there.
            Refused: MLflow says no.
        """
        self._call(self._client.set_terminated, self._run_id(event["run"]), event["status"], event["at"])

    def upload(self, run: str, path: Path, folder: str) -> None:
        """Put a file, or the files in a folder, under ``folder`` of a run's artifacts.

        Raises:
            NotYet: the run is not there.
            Refused: MLflow says no, or the file is gone.
        """
        run_id = self._run_id(run)
        if not path.exists():
            raise Refused(f"the spool's copy {path} is gone")
        log = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        self._call(log, run_id, str(path), folder or None)

    def register(self, event: Mapping[str, Any], path: Path) -> None:
        """Upload a model and enter it in the registry, unless it is there, or is its newest version of another launch.

        Raises:
            NotYet: the run is not there.
            Refused: MLflow says no, or the file is gone.
        """
        from mlflow.exceptions import MlflowException

        name, folder, run_id = event["name"], f"models/{event['name']}", self._run_id(event["run"])
        versions = self._call(self._client.search_model_versions, f"name = '{name}'")
        newest = max(versions, key=lambda version: int(version.version), default=None)
        if (
            newest is not None
            and "artifact" in event["tags"]
            and newest.tags.get("artifact") == event["tags"]["artifact"]
        ):
            return
        self.upload(event["run"], path, folder)
        source = f"{self._call(self._client.get_run, run_id).info.artifact_uri}/{folder}"
        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        if not any(version.run_id == run_id and version.source == source for version in versions):
            register = self._client.create_model_version
            self._call(register, name, source, run_id, tags=event["tags"], await_creation_for=0)

    def end_runs_of_other_launches(self, launch: str) -> None:
        """End as KILLED what earlier launches left open when they died."""
        left = self._search(f"attributes.status = 'RUNNING' and tags.`matopt.launch` != '{launch}'")
        for run in list(left):
            self._call(self._client.set_terminated, run.info.run_id, "KILLED")

    def _run_id(self, token: str) -> str:
        if token not in self._run_ids:
            for run in self._search(f"tags.`matopt.run` = '{token}'"):
                self._run_ids[token] = run.info.run_id
        try:
            return self._run_ids[token]
        except KeyError:
            raise NotYet from None

    def _search(self, condition: str) -> Iterator[Run]:
        from mlflow.entities import ViewType

        page = None
        while True:
            found = self._client.search_runs([self.id], condition, ViewType.ALL, 1000, page_token=page)
            yield from found
            page = found.token
            if not page:
                return

    def _call(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call MLflow; :class:`Refused` where MLflow itself, not a proxy or an outage, says no for good."""
        from mlflow.exceptions import MlflowException, RestException
        from requests import HTTPError

        try:
            return method(*arguments, **named)
        except MlflowException as error:
            spoke = isinstance(error, RestException) or not self._remote
            if spoke and error.error_code in _REFUSALS:
                raise Refused(str(error)) from error
            raise
        except HTTPError as error:  # an upload that is malformed, or too large for a proxy
            if error.response is not None and error.response.status_code in (400, 413, 422):
                raise Refused(str(error)) from error
            raise


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container's user need not have a name
