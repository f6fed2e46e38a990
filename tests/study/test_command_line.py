"""Launches from the command line, in the places and with the habits that people have."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a launch each

STUDY = """
name: größe
seed: 4294967295
data: {source: {kind: "tiny_components.py:Dots"}, window: {size: 24}, split: {train: 9, validation: 3, test: 2}}
physics: {properties: [diffusivity]}
generator: {kind: "tiny_components.py:Noise", seconds: SECONDS}
predictor: {kind: "tiny_components.py:Linear", floor: 0.001}
resources: {timeout: 120, trials: 1, simulators: 1, predictors: 1}
search: {trials: 4, space: {generator.width: {int: [1, 7]}}}
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "run #1 of ~me? 50%25 $x=1"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("tiny_components.py"), folder)
    return folder


def begin(folder, seconds, *before, **environment):
    """Begin a launch in ``folder`` whose generators take ``seconds`` to fit, as a command of ``before``."""
    (folder / "study.yaml").write_text(STUDY.replace("SECONDS", str(seconds)))
    command = [*before, sys.executable, "-P", "-m", "matopt", "study", "launch", "study.yaml"]
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background has it ignored
    )


def status(folder):
    command = [sys.executable, "-P", "-m", "matopt", "study", "status", "study.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def runs(folder):
    """Give the status of each run; none while MLflow has not made its tables yet."""
    with sqlite3.connect(folder / "runs" / "mlflow.db") as database:
        made = database.execute("select * from sqlite_master where name = 'runs'").fetchall()
        return dict(database.execute("select name, status from runs")) if made else {}


def test_a_launch_ends_well_in_a_folder_of_any_name_and_says_what_can_be_pasted(folder):
    other = folder.parent / "x"
    other.mkdir()
    for name in ("matopt", "ray"):  # what a launch imports
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise ImportError('another {name}')")
    long = folder.parent / ("t" * 90)
    long.mkdir()
    with begin(folder, 0.0, TMPDIR=str(long)) as launch:
        out, err = launch.communicate()
    assert launch.returncode == 0, err
    line = next(line for line in out.splitlines() if line.startswith("compare the trials: "))
    uri = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {line.removeprefix('compare the trials: ')}"], capture_output=True, text=True
    ).stdout.splitlines()[-1]
    code = "import sys, mlflow; print(*[e.name for e in mlflow.MlflowClient(sys.argv[1]).search_experiments()])"
    found = subprocess.run([sys.executable, "-P", "-c", code, uri], cwd=other, capture_output=True, text=True)
    assert found.stdout.split() == ["größe", "Default"], found.stderr
    assert sorted(path.name for path in folder.parent.iterdir()) == sorted([folder.name, long.name, other.name])
    stored = [path for path in (folder / "runs").rglob("*.json*") if str(folder) in path.read_text()]
    assert stored == [], "nothing that is stored knows where it lies"
    folder.rename(folder.with_name("moved"))
    assert "finished" in status(folder.with_name("moved")) and "report: " in status(folder.with_name("moved"))


def test_a_launch_whose_reader_leaves_goes_on_to_its_end(folder):
    with begin(folder, 0.0) as launch:
        assert launch.stderr.readline()
        launch.stderr.close()
        launch.stdout.close()
        assert launch.wait() == 0
    assert "4 complete, of 4" in status(folder)


@pytest.mark.parametrize("whom", ["driver", "all its processes"])
@pytest.mark.parametrize(
    ("number", "word"),
    [(signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupted"), (signal.SIGUSR1, "out of time")],
)
def test_a_signal_ends_a_launch_in_one_line_with_no_run_left_open(folder, number, word, whom):
    with begin(folder, 30.0) as launch:
        for line in launch.stderr:
            if line.startswith("search: 0 of 4"):
                break
        while not runs(folder).get("trial 0"):
            assert launch.poll() is None
        (os.kill if whom == "driver" else os.killpg)(launch.pid, number)
        rest = launch.stderr.read()
        assert launch.wait() == 128 + number
    assert rest == f"matopt: {word}; what was finished is kept, and the same command goes on from there\n"
    assert set(runs(folder).values()) == {"KILLED"}
    assert "stopped" in status(folder)


def test_status_tells_of_the_search_of_its_own_file_though_another_of_the_same_name_was_launched_since(folder):
    with begin(folder, 0.0) as launch:
        assert launch.wait() == 0
    before = status(folder)
    other = (folder / "study.yaml").read_text().replace("trials: 4", "trials: 2, objectives: {s2_error: minimize}")
    (folder / "other.yaml").write_text(other)
    command = [sys.executable, "-P", "-m", "matopt", "study", "launch", "other.yaml"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    after = status(folder)
    best = next(line for line in before.splitlines() if line.startswith("best trial: "))
    assert "(r2 " in best and best in after.splitlines()
    assert "trials: 4 complete, of 4" in after and "other than the last launch: search.trials: 2 -> 4" in after
    assert "report: " in before and "report: " not in after


def test_a_launch_under_uv_run_packs_nothing(folder):
    # What Ray looks for is a process above that is called uv, with the argument run.
    (uv := folder.parent / "uv").symlink_to(sys.executable)
    (folder / "run").write_text("import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))")
    with (folder / "large.bin").open("wb") as file:
        file.truncate(600 << 20)
    with begin(folder, 0.0, str(uv), "run") as launch:
        _, err = launch.communicate()
    assert launch.returncode == 0, err
