"""The Slurm job, with Slurm's commands and Ray's replaced by ones that do nothing: what it makes of Slurm's signals."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

JOB = Path(__file__).parents[2] / "cluster" / "slurm.sbatch"
COMMANDS = {
    "scontrol": 'case $1 in show) echo node1;; *) echo "$@" >>"$CALLS";; esac',
    "srun": 'case "$*" in *hostname*) echo 127.0.0.1;; *) exec sleep 100;; esac',  # Ray's step lasts as long as Ray
    "ray": "exit 0",
    "python": "cat >/dev/null",
    "matopt": 'trap "exit 138" USR1; trap "exit 143" TERM; echo begun; while :; do sleep 0.1; done',
}


@pytest.fixture
def job(tmp_path):
    """Begin the job, and wait until its study runs."""
    for name, text in COMMANDS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CALLS": str(tmp_path / "calls"),
        "MATOPT_BIN": str(tmp_path),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NODELIST": "node1",
        "SLURM_CPUS_ON_NODE": "2",
        "SLURM_SUBMIT_DIR": str(tmp_path),
    }
    options = {"cwd": tmp_path, "env": environment, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(["bash", str(JOB), "s.yaml"], **options) as process:
        assert process.stdout.readline() == "begun\n"
        yield process, tmp_path
        process.kill()


@pytest.mark.parametrize(
    ("number", "code", "calls"), [(signal.SIGUSR1, 138, "requeue 4711\n"), (signal.SIGTERM, 143, "")]
)
def test_a_job_out_of_time_is_queued_again_and_one_that_is_ended_is_not(job, number, code, calls):
    process, folder = job
    process.send_signal(number)
    assert process.wait(30) == code
    assert ((folder / "calls").read_text() if (folder / "calls").exists() else "") == calls
    assert list((folder / ".ray").iterdir()) == []  # no token is left
