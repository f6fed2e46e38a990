"""A study on two nodes, one of which dies."""

import os
import re
import signal

import pytest
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
