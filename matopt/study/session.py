"""What the stages of one launch share."""

from __future__ import annotations

from dataclasses import dataclass

from matopt.stages.models import ModelContext
from matopt.study.cluster.workers import RayWorkers
from matopt.study.config.study import Study
from matopt.study.layout import Layout
from matopt.study.lease import Lease
from matopt.study.state import LaunchState
from matopt.study.tracking.launch_runs import LaunchRuns


@dataclass(frozen=True)
class Session:
    """A launch under way.

    Attributes:
        study: the study.
        layout: where it rests on disk.
        lease: that no other launch has, as long as its ``check`` passes.
        state: what it says of itself.
        context: where models are made and run in this process.
        workers: do the work.
        runs: the launch's runs in MLflow.
    """

    study: Study
    layout: Layout
    lease: Lease
    state: LaunchState
    context: ModelContext
    workers: RayWorkers
    runs: LaunchRuns
