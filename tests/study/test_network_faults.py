"""A study on two hosts, one of which is cut off."""

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


def test_a_host_that_is_cut_off_costs_a_study_nothing_but_time(tmp_path):
    variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    variables["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    (study := tmp_path / "study").mkdir()
    settings = ["generator.seconds=4", f"storage={study / 'runs'}", "search.trials=8"]
    layout = Layout.of(load_study(make(study), settings))
    (folder := tmp_path / "h").mkdir()
    with Hosts(folder, ["first", "second"], Path(sys.prefix)) as hosts:
        address = hosts.start_ray(1, **variables)
        command = [sys.executable, "-m", "matopt", "study", "launch", study / "broken.yaml", "--address", address]
        command = hosts.command("first", *command, *(w for s in settings for w in ("--set", s)), **variables)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as launch:
            patience = time.monotonic() + 180
            state = {}
            while state.get("stage") != "search" or state.get("done", 0) < 2:
                state = read_json(layout.state) or {}
                assert launch.poll() is None and time.monotonic() < patience, state
                time.sleep(0.1)
            hosts.cut("second")
            said = launch.communicate(timeout=400)[0]
        assert launch.returncode == 0, said
        records = read_records(layout.journal, read_json(layout.state)["search"])
        assert [record.state for record in records] == ["complete"] * 8, said
