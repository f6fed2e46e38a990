"""`cluster/ssh.yaml` as it is, on hosts that are namespaces of this machine: up, a study, down."""

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults import make
from hosts import Hosts, missing

from matopt.study.config.study import load_study
from matopt.study.layout import Layout, read_json
from matopt.study.search.ledger import read_records

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(
        bool(missing), reason=f"no {', '.join(missing)} here: apt-get install iproute2 openssh-server rsync, as root"
    ),
]
FILE = Path(__file__).parents[2] / "cluster" / "ssh.yaml"
HEAD = "head.example.org"
WORKERS = ["worker1.example.org", "worker2.example.org"]  # the file's own names


def test_a_cluster_of_the_file_comes_up_runs_a_study_on_all_its_hosts_and_goes_down(tmp_path):
    (study := tmp_path / "study").mkdir()
    make(study)
    (hosts_folder := tmp_path / "h").mkdir()
    with Hosts(hosts_folder, ["desk.example.org", HEAD, *WORKERS], Path(sys.prefix)) as hosts:

        def on(name, *command, seconds=240):
            variables = {"RAY_AUTH_MODE": "token", "RAY_UP_enable_autoscaler_v2": "0"}
            variables["PYTHONPATH"] = os.pathsep.join([str(FILE.parents[1]), *sys.path])
            done = subprocess.run(
                hosts.command(name, *command, **variables),
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=seconds,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        def raylets(name):
            return on(name, "bash", "-c", "pgrep -c raylet || true").strip()

        (token := hosts.home("desk") / ".ray" / "auth_token").parent.mkdir()
        token.write_text(secrets.token_hex(32))
        token.chmod(0o600)
        ray = "/srv/matopt/.venv/bin/ray"
        on("desk.example.org", ray, "up", "--yes", FILE)
        address = f"{hosts.addresses[HEAD]}:6379"
        hosts.wait_for_ray(HEAD, address, 3, RAY_AUTH_MODE="token")
        launch = [sys.executable, "-m", "matopt", "study", "launch", study / "broken.yaml", "--address", address]
        said = on(HEAD, *launch, "--set", f"storage={study / 'runs'}")
        assert "report: " in said
        layout = Layout.of(load_study(study / "broken.yaml", [f"storage={study / 'runs'}"]))
        records = read_records(layout.journal, read_json(layout.state)["search"])
        assert [record.state for record in records] == ["complete"] * 4
        assert [raylets(name) for name in (HEAD, *WORKERS)] == ["1"] * 3
        on("desk.example.org", ray, "exec", FILE, f"{ray} stop")
        on("desk.example.org", ray, "down", "--yes", FILE)
        assert raylets(HEAD) == "0"
        patience = time.monotonic() + 150  # a worker waits for its head for a minute
        while [raylets(name) for name in WORKERS] != ["0"] * 2:
            assert time.monotonic() < patience
            time.sleep(1)
