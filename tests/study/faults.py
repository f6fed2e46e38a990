"""What the tests of faults share: studies of seconds that are launched as a user does, and something to break."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
from processes import command, descendants

from matopt.study.config.study import load_study
from matopt.study.layout import Layout, read_json
from matopt.study.search.ledger import read_records
from matopt.study.tracking.database import database_uri

STUDY = """
name: broken
storage: runs
data:
  source: {kind: "tiny_components.py:Dots"}
  window: {size: 24}
  split: {train: 12, validation: 8, test: 8}
physics:
  properties: ["tiny_components.py:Solid"]
  "tiny_components.py:Solid": {seconds: 0.02}
generator: {kind: "tiny_components.py:Noise", seconds: 2.0}
predictor: {kind: "tiny_components.py:Linear"}
augmentation: {size: 4}
search:
  trials: 4
  sampler: random
  space: {generator.width: {int: [1, 60]}}
resources: {timeout: 120, trials: 1, simulators: 1, predictors: 1}
"""


def make(folder):
    """Lay a study and what it names into a folder."""
    shutil.copy(Path(__file__).with_name("tiny_components.py"), folder)
    (folder / "broken.yaml").write_text(STUDY)
    return folder / "broken.yaml"


class Launch:
    """A launch in a process of its own, as on the command line.

    Args:
        file: the study.
        settings: ``key=value``.
        environment: variables.
    """

    def __init__(self, file, *settings, address=None, **environment):
        self.study = load_study(file, [f"storage={file.parent / 'runs'}", *settings])
        self.layout = Layout.of(self.study)
        command = [sys.executable, "-P", "-m", "matopt", "study", "launch", str(file)]
        for setting in (f"storage={file.parent / 'runs'}", *settings):
            command += ["--set", setting]
        command += ["--address", address] if address else []
        paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
        self.process = subprocess.Popen(
            command,
            cwd=file.parent,
            env={**os.environ, "PYTHONPATH": paths, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, stage, done=0, seconds=180):
        """Wait until so much of a stage is done."""
        patience = time.monotonic() + seconds
        while True:
            state = read_json(self.layout.state) or {}
            if state.get("stage") == stage and state.get("done", 0) >= done:
                return
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < patience, state
            time.sleep(0.1)

    def wait_for_trial(self, seconds=120):
        """Wait until a trial runs."""
        patience = time.monotonic() + seconds
        while not list(self.layout.scratch.glob("*/words/trial-*")):
            assert time.monotonic() < patience
            time.sleep(0.1)

    def end(self, seconds=400):
        """Wait for its end; returns the exit code, and all that it said."""
        try:
            said, errors = self.process.communicate(timeout=seconds)
        finally:
            self.process.kill()
        return self.process.returncode, said + errors

    def processes(self, name):
        """The processes of a name that it started."""
        return sorted(pid for pid in descendants(self.process.pid) if name in command(pid))

    def kill(self, name, how=signal.SIGKILL):
        """Send a signal to the first process of a name; returns its number."""
        (pid, *_) = self.processes(name)
        os.kill(pid, how)
        return pid

    @property
    def records(self):
        """The trials."""
        return read_records(self.layout.journal, read_json(self.layout.state)["search"])

    def statuses(self):
        """How the runs in MLflow stand."""
        client = mlflow.MlflowClient(database_uri(self.layout.database))
        experiment = client.get_experiment_by_name(self.layout.name)
        return [run.info.status for run in client.search_runs([experiment.experiment_id], max_results=1000)]


def complete(records):
    """The points of complete trials, and what they found."""
    return {
        tuple(r.params.values()): {name: value for name, value in r.outcome.metrics.items()}
        for r in records
        if r.state == "complete"
    }
