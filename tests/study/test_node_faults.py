"""A study on two nodes, one of which dies, the head included."""

import os
import re
import signal
import time
from contextlib import suppress

import pytest
from faults import Launch, complete, make
from test_cluster import Nodes, load, wait_for_nodes

from matopt.study.launch import launch

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("stage", ["data", "search", "evaluation"])
def test_a_node_that_dies_costs_a_study_nothing_but_time(tmp_path, stage):
    nodes = Nodes(tmp_path)
    try:
        study, killed, said = load(tmp_path, 2.0), [], []
        wait_for_nodes(nodes, tmp_path)

        def progress(at, done, total, message):
            said.append(message)
            if at == stage and 0 < done < total and not killed:
                killed.extend(nodes.pids("/raylet", 1))
                os.kill(killed[0], signal.SIGKILL)

        result = launch(study, nodes.address, progress=progress)
        assert killed
        assert [trial.state for trial in result.trials] == ["complete"] * 4
        failed = [message for message in said if "failed:" in message]
        # Which of both Ray says first: that the process is gone, or the node.
        assert len(failed) <= 1 and all(re.search("its node died|was killed", message) for message in failed)
        authentic = result.evaluation.authentic
        solid = authentic.sheet.flatten(1).float().mean(1).double()
        assert (authentic.values[:, 0] - solid).abs().max() < 1e-6
    finally:
        nodes.stop()


@pytest.mark.parametrize(
    ("parts", "how", "says"),
    [
        # The cluster's directory alone, which Tune then asks for its resources: it waits where no exception reaches it.
        ("/gcs_server", signal.SIGKILL, "Ray's head at .* is gone: no answer for 4[0-9] s"),
        # All of it, as `ray stop` and Slurm end it: Ray then ends the process of whoever uses its store.
        ("ray start", signal.SIGTERM, "Ray's head at .* is gone|killed, or ended by Ray, whose node here is gone"),
    ],
    ids=["its directory", "all of it"],
)
def test_a_head_that_dies_ends_a_launch_in_a_line_and_a_new_cluster_goes_on(tmp_path, parts, how, says):
    file, settings = make(tmp_path), ["generator.seconds=6"]
    nodes = Nodes(tmp_path, RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S="0")
    try:
        launch = Launch(file, *settings, address=nodes.address, RAY_AUTH_MODE="token")
        launch.wait_for("search", 1)
        launch.wait_for_trial()
        start = time.monotonic()
        for pid in nodes.pids(parts, 0):
            with suppress(ProcessLookupError):  # which another took with it
                os.kill(pid, how)
        code, said = launch.end(90)
        assert code == 1 and time.monotonic() - start < 60
        (line,) = [line for line in said.splitlines() if line.startswith("matopt: ")]
        assert re.fullmatch(f"matopt: ({says}).*; what was finished is kept, and the same command goes on .*", line)
        assert "Traceback" not in said and "will terminate" not in said, said
    finally:
        nodes.stop()
    kept = complete(launch.records)
    again = Launch(file, *settings)
    code, said = again.end()
    assert code == 0, said
    assert kept and complete(again.records).items() >= kept.items() and len(complete(again.records)) == 4
    assert "RUNNING" not in again.statuses()
