"""The sender: takes what the spool holds to MLflow, in order, until MLflow has it.

Beside each spool file stands a note of how many of its bytes MLflow has (``.delivered``). It is written
after the sending, so that a crash between the two sends again, which is harmless, and never forgets.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from matopt.errors import FailureError, warn
from matopt.study.tracking.events import read_events
from matopt.study.tracking.mlflow_calls import Experiment, NotYet, Refused
from matopt.study.tracking.spool_copy import SpoolCopy

_POLL = 0.5  # seconds between two looks at the spool
_LONGEST_WAIT = 30.0  # seconds between two tries in an outage
_AT_ONCE = 2000  # events between two notes


class _OutOfTime(Exception):
    """The driver wants to go; the next launch sends the rest."""


class Sender(threading.Thread):
    """A background thread that delivers the spool of one study.

    Args:
        spool: the study's spool folder, with one folder of files for each launch.
        launch: the name of this launch's folder.
        name: the experiment's name.
        uri: MLflow's tracking URI.
        artifacts: where a new experiment keeps its artifacts; None leaves it to the server.
        check: raises where this process may not send any more.

    Attributes:
        trouble: what went wrong last; None when all is well.
        experiment: the experiment's id; None before MLflow has answered.
    """

    def __init__(
        self, spool: Path, launch: str, name: str, uri: str, artifacts: str | None, check: Callable[[], None]
    ) -> None:
        super().__init__(name="matopt-tracking", daemon=True)
        self.trouble: str | None = None
        self.experiment: str | None = None
        self._spool, self._launch = spool, launch
        self._destination = (uri, name, artifacts, self._set_aside)
        self._check = check
        self._copy = SpoolCopy(spool, launch)
        self._is_told = False
        self._mlflow: Experiment | None = None
        self._ended_others = False
        self._last_round = threading.Event()
        self._deadline = float("inf")

    def finish(self, timeout: float) -> None:
        """Deliver what is there, for at most ``timeout`` seconds, and stop."""
        self._deadline = time.monotonic() + timeout
        self._last_round.set()
        self.join(timeout + 1)

    def run(self) -> None:
        """Deliver, round and round, until told to finish; an outage is waited for, ever longer up to half a minute."""
        wait = _POLL
        while True:
            last = self._last_round.is_set()
            try:
                self._round(last)
                self.trouble, wait = None, _POLL
                if last:
                    return
            except _OutOfTime:
                self.trouble = self.trouble or "there was no time for more"
                self._copy.update()
                return
            except FailureError as error:  # the launch is not this process's any more, or its storage is gone
                self.trouble = str(error)
                return
            except Exception as error:  # an outage looks like anything: socket, proxy, database, disk
                self._begin_trouble(error)
                self._mlflow = None
                wait = min(2 * wait, _LONGEST_WAIT)
                self._copy.update()
            if not last:
                self._last_round.wait(wait)
            elif (left := self._deadline - time.monotonic()) > 0:
                time.sleep(min(wait, 1.0, left))
            else:
                return

    def _round(self, last: bool) -> None:
        """Deliver all that can be delivered now, earlier launches first."""
        self._check()
        if self._mlflow is None:
            self._mlflow = Experiment(*self._destination)
            self.experiment = self._mlflow.id
        self._copy.take(last)
        progress = True
        while progress:
            progress = False
            for folder in launch_folders(self._spool):
                for path in sorted(folder.glob("*.jsonl")):
                    progress |= self._drain(self._mlflow, folder, path)
        if not self._ended_others:
            self._mlflow.end_runs_of_other_launches(self._launch)
            self._ended_others = True
        for folder in launch_folders(self._spool):
            if (last or folder.name != self._launch) and not any(True for _ in pending(folder)):
                shutil.rmtree(folder)
                self._copy.forget(folder)

    def _drain(self, mlflow: Experiment, folder: Path, path: Path) -> bool:
        """Deliver a file's next events; True if there were any."""
        reached = position = start = delivered(path)
        if path.stat().st_size == start:
            return False
        figures: list[dict[str, Any]] = []
        copies: list[Path] = []
        try:
            for end, event in islice(read_events(path, start), _AT_ONCE):
                if isinstance(event, bytes):
                    self._set_aside(event.decode(errors="replace"), "the line is no event")
                elif event["do"] == "metrics":
                    figures.append(event)
                else:
                    self._send_metrics(mlflow, figures)
                    figures, reached = [], position
                    self._send(mlflow, event, folder)
                    reached = end
                    if "file" in event:
                        copies.append((folder / event["file"]).parent)
                position = end
            self._send_metrics(mlflow, figures)
            reached = position
        except NotYet:
            pass
        finally:
            if reached > start:
                new = path.with_suffix(".new")
                new.write_text(str(reached))
                new.replace(path.with_suffix(".delivered"))
                for copy in copies:
                    shutil.rmtree(copy, ignore_errors=True)
        return reached > start

    def _send(self, mlflow: Experiment, event: dict[str, Any], folder: Path) -> None:
        """Deliver anything but metrics; what MLflow refuses is set aside with the reason and the files."""
        self._check_time()
        do, copy = event["do"], folder / event.get("file", "")
        try:
            if do == "start":
                mlflow.start_run(event, folder.name)
            elif do == "end":
                mlflow.end_run(event)
            elif do == "artifact":
                inside = [event["folder"]] if event["folder"] else []
                mlflow.upload(event["run"], copy, "/".join([*inside, copy.name] if copy.is_dir() else inside))
            else:
                mlflow.register(event, copy)
        except Refused as error:
            self._set_aside(event, str(error))
            if "file" in event and copy.exists():
                shutil.copytree(copy.parent, self._spool / "refused" / copy.parent.name, dirs_exist_ok=True)

    def _send_metrics(self, mlflow: Experiment, events: list[dict[str, Any]]) -> None:
        points: dict[str, list[tuple[Any, ...]]] = {}
        tags: dict[str, list[tuple[Any, ...]]] = {}
        for event in events:
            run, at, step = event["run"], event["at"], event["step"]
            points.setdefault(run, []).extend((name, value, at, step) for name, value in event["values"].items())
            tags.setdefault(run, []).extend(event["tags"].items())
        for run in points:
            self._check_time()
            mlflow.log(run, "metrics", points[run])
            mlflow.log(run, "tags", tags[run])

    def _begin_trouble(self, error: Exception) -> None:
        """Note what went wrong; the first time say it at once, as its cure may be a password that can be set now."""
        self.trouble = _plain(error)
        if not self._is_told:
            self._is_told = True
            warn(
                f"MLflow ({self._destination[0]}) does not take what the study tells: {self.trouble}; the study goes"
                " on, and what is not taken is kept and sent later"
            )

    def _check_time(self) -> None:
        self._check()
        if time.monotonic() > self._deadline:
            raise _OutOfTime

    def _set_aside(self, event: Any, reason: str) -> None:
        folder = self._spool / "refused"
        folder.mkdir(exist_ok=True)
        with (folder / "events.jsonl").open("a") as file:
            file.write(json.dumps({"reason": reason, "event": event}) + "\n")


def _plain(error: Exception) -> str:
    """Say in a line what keeps MLflow from answering, and what to do where that is known."""
    text = (str(error).splitlines() or [""])[0]
    if code := re.search(r"failed with error code (\d+)", text):
        about = {
            "401": "it asks who is there (401); set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
            "403": "it does not let this user (403); ask whoever runs it",
        }
        return about.get(code[1], f"it answers with the error {code[1]}")
    if "failed with exception" in text:
        refused = "Connection refused" in text
        return "nobody answers there" + (" (connection refused)" if refused else f" ({_innermost(error)})")
    if "file is not a database" in str(error) or "malformed" in str(error):
        return "the database is damaged; move it away, and the next launch makes a new one"
    if found := re.search(r"\(sqlite3\.\w+\) (.+)", str(error)):  # in the middle of many lines
        return found[1]
    return f"{type(error).__name__}: {text}"[:300]


def _innermost(error: BaseException) -> str:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return type(error).__name__


def launch_folders(spool: Path) -> list[Path]:
    """List the folders of a study's launches, oldest first."""
    return sorted(spool.glob("launch-*"))


def delivered(path: Path) -> int:
    """Read how many bytes of a spool file MLflow has: none where that is not known, as sending again is harmless."""
    try:
        count = int(path.with_suffix(".delivered").read_bytes())
        with path.open("rb") as file:
            file.seek(max(0, count - 1))
            return count if count > 0 and file.read(1) == b"\n" else 0
    except (FileNotFoundError, ValueError, OverflowError):
        return 0


def pending(folder: Path) -> Iterator[Any]:
    """Read the events of a launch that MLflow does not have yet."""
    for path in sorted(folder.glob("*.jsonl")):
        with suppress(FileNotFoundError):  # the sender, beside which this may run, has delivered it
            yield from (event for _, event in read_events(path, delivered(path)))
