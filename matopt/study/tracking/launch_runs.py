"""The runs of one launch in MLflow: the launch itself, and under it its trials, its evaluation and its design."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from matopt.stages.artifacts import ArtifactStore
from matopt.stages.records import DesignResult, Evaluation
from matopt.study.config.study import Study
from matopt.study.records import TrialRecord
from matopt.study.tracking.events import MAX_NAME, Status
from matopt.study.tracking.spool import SpoolReport, flatten
from matopt.study.tracking.tracker import Tracker


class LaunchRuns:
    """Tells a tracker what a launch does.

    Args:
        tracker: of the study.
        study: the study.
    """

    def __init__(self, tracker: Tracker, study: Study) -> None:
        self._tracker = tracker
        self._study = study
        self._run = tracker.start_run("launch", "launch", None, _names(study.as_json), {"stage": "launch"})
        self._open: list[str] = []

    def end(self, status: Status) -> None:
        """End the launch's run, and those of trials that it leaves in their middle."""
        for run in self._open:
            self._tracker.end_run(run, "KILLED")
        self._tracker.end_run(self._run, status)

    def begin_trial(self, search: str, number: int, params: Mapping[str, Any]) -> str:
        """Begin the run of a trial; returns its token."""
        run = self._tracker.start_run(
            f"trial/{search}/{number}", f"trial {number}", self._run, _names(params), {"stage": "trial"}
        )
        self._open.append(run)
        return run

    def report_of(self, run: str) -> SpoolReport:
        """Make what takes a trial's training curves to its run, from whatever process the trial is in."""
        return SpoolReport(self._tracker.folder, run)

    def end_trial(self, run: str, metrics: Mapping[str, float] | None) -> None:
        """End the run of a trial with what it found, or as failed with None."""
        if metrics is not None:
            self._tracker.metrics(run, _names(metrics))
        self._tracker.end_run(run, "FINISHED" if metrics is not None else "FAILED")
        self._open.remove(run)

    def end_pruned_trial(self, run: str, reason: str) -> None:
        """End the run of a trial that was pruned, with a tag that says why."""
        self._tracker.tag(run, "pruned", reason)
        self._tracker.end_run(run, "KILLED")
        self._open.remove(run)

    def register(self, winner: TrialRecord, artifacts: ArtifactStore) -> None:
        """Enter the best trial's metrics with the launch, and its models in the registry."""
        assert winner.outcome is not None
        self._tracker.metrics(self._run, _names(winner.outcome.metrics) | {"best trial": winner.number})
        for role, key in (("generator", winner.outcome.generator_key), ("predictor", winner.outcome.predictor_key)):
            tags = {"artifact": key, "trial": str(winner.number)}
            self._tracker.model(self._run, f"{self._study.config.name}.{role}", artifacts.file(key), tags)

    @contextmanager
    def stage(self, name: str, winner: TrialRecord) -> Generator[str]:
        """Open the run of a stage that the best trial's models go into; yields its token."""
        run = self._tracker.start_run(name, name, self._run, _names(winner.params), {"stage": name})
        try:
            yield run
        except BaseException as error:
            self._tracker.end_run(run, "FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        self._tracker.end_run(run)

    def evaluation(self, run: str, found: Evaluation) -> None:
        """Log the scores of the generators, and over the sizes what their samples are worth."""
        for generator in found.generators:
            scores = {f"{score}/{generator.name}": value for score, value in generator.scores.items()}
            self._tracker.metrics(run, _names(scores))
        draws: dict[tuple[str, int], list[dict[str, float]]] = {}
        for point in found.curve:
            draws.setdefault((point.generator, point.size), []).append(point.r2)
        for (name, size), r2 in draws.items():
            mean = {f"r2 {key}/{name}": float(np.mean([draw[key] for draw in r2])) for key in r2[0]}
            self._tracker.metrics(run, _names(mean), step=size)

    def design(self, run: str, found: DesignResult) -> None:
        """Log the mean of the true property along the way, of the designs and of what they are held against."""
        for space in (*found.spaces, *found.baselines):
            name = space.space if space.role == "design" else f"{space.space} {space.role}"
            for step, values in zip(space.checked, space.true.numpy().T, strict=True):
                mean = {f"true {found.property}/{name}": values.mean()}
                self._tracker.metrics(run, _names(mean), step)
        for made in found.rounds:
            end = made.designs.true[:, -1].mean()
            name = f"true {found.property}/rounds taught by {made.taught_by}"
            self._tracker.metrics(run, _names({name: float(end)}), made.number)

    def report(self, files: Sequence[Path]) -> None:
        """Keep the files of the report with the launch."""
        for file in files:
            self._tracker.artifact(self._run, file, "report")


def _names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Make dotted names that MLflow takes, of a user's files too: ``../mine (2).py:Trait`` is ``mine _2_.py:Trait``.

    What is too long keeps its end, after a hash of the whole.
    """
    flat = flatten(values) if any(isinstance(v, Mapping) for v in values.values()) else dict(values)
    return {_name(name): value for name, value in flat.items()}


def _name(text: str) -> str:
    parts = [part for part in re.sub(r"[^\w.\- :/]", "_", text, flags=re.ASCII).replace("../", "").split("/") if part]
    name = "/".join("_" if part in (".", "..") else part for part in parts)
    if len(name) > MAX_NAME:
        name = f"{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()} {name[9 - MAX_NAME :].replace('/', '_')}"
    return name
