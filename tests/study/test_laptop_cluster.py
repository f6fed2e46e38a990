"""`cluster/laptop.sh`: two nodes on this machine, a study by the lines that it prints, and nothing left."""

import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from faults import Launch, complete, make

pytestmark = pytest.mark.faults
SCRIPT = Path(__file__).parents[2] / "cluster" / "laptop.sh"


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="m", dir="/tmp") as folder:  # a short name, as sockets lie in it
        yield Path(folder)


def test_a_cluster_on_a_laptop_starts_runs_a_study_on_two_nodes_and_stops(folder, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    variables = {"MATOPT_RAY_PORT": port, "MATOPT_RAY_FOLDER": str(folder / "r"), "PYTHON": sys.executable}

    def laptop(command):
        done = subprocess.run(
            [SCRIPT, command], env={**os.environ, **variables}, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        return done.returncode, done.stdout + done.stderr

    code, said = laptop("start")
    try:
        assert code == 0, said
        assert laptop("status") == (0, f"runs at 127.0.0.1:{port}\n")
        words = dict(re.findall(r"(RAY_\w+)=(\S+)", said))
        (address,) = re.findall(r"--address (\S+)", said)
        make(tmp_path)
        launched = Launch(tmp_path / "broken.yaml", address=address, **words)
        code, told = launched.end()
        assert code == 0, told
        assert len(complete(launched.records)) == 4
    finally:
        assert laptop("stop")[0] == 0
    assert laptop("status") == (1, "does not run\n")
    left = subprocess.run(["pgrep", "-f", str(folder / "r")], capture_output=True, text=True).stdout
    assert left == ""
