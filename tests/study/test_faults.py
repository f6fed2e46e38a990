"""Launches from which something is taken away: each loses that, says so in a line, and nothing else."""

import re
import signal
import time
from pathlib import Path

import pytest
from faults import Launch, complete, make

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the study finds when nothing happens to it."""
    launch = Launch(make(tmp_path_factory.mktemp("undisturbed")))
    code, said = launch.end()
    assert code == 0, said
    return complete(launch.records)


def check(launch, undisturbed):
    """Nothing is lost: the trials are those of an undisturbed launch, and no run is open."""
    found = complete(launch.records)
    assert found.keys() == undisturbed.keys()
    for point, metrics in found.items():
        assert metrics == pytest.approx(undisturbed[point], rel=1e-5)
    assert "RUNNING" not in launch.statuses()


def one_line(said, text):
    """The line of an output that holds a text; there is no traceback, nor a word of Ray's own."""
    assert "Traceback" not in said and not re.search("^\\(raylet", said, re.MULTILINE), said
    (line,) = [line for line in said.splitlines() if re.search(text, line)]
    return line


@pytest.mark.parametrize("part", ["gcs_server", "raylet"])
def test_a_launch_whose_ray_dies_ends_in_a_line_and_goes_on_when_launched_again(tmp_path, undisturbed, part):
    launch = Launch(make(tmp_path))
    launch.wait_for("search", 1)
    launch.wait_for_trial()
    start = time.monotonic()
    launch.kill(f"/{part}")
    code, said = launch.end(90)
    assert code == 1 and time.monotonic() - start < 60
    line = one_line(said, "Ray is gone")
    assert line.startswith("matopt: Ray is gone: ") and part in line and "killed by signal 9" in line
    assert "what was finished is kept, and the same command goes on from there" in line
    kept = complete(launch.records)
    assert kept and "RUNNING" not in launch.statuses()
    again = Launch(tmp_path / "broken.yaml")
    code, said = again.end()
    assert code == 0, said
    check(again, undisturbed)
    assert complete(again.records).items() >= kept.items()


def free_memory_for(gigabytes):
    """A threshold of Ray's memory monitor that leaves so much above what is used now."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    total, available = (
        next(int(line.split()[1]) for line in lines if line.startswith(name)) for name in ("MemTotal", "MemAvailable")
    )
    return f"{1 - (available - gigabytes * 1e6) / total:.3f}"


@pytest.mark.parametrize("trials", [1, 2])
def test_a_trial_that_is_killed_for_memory_is_a_lost_trial_alone(tmp_path, undisturbed, trials):
    file = make(tmp_path)
    settings = (f"generator.die={tmp_path / 'died'}", "generator.end=memory", f"resources.trials={trials}")
    launch = Launch(file, *settings, RAY_memory_usage_threshold=free_memory_for(5))
    code, said = launch.end()
    assert code == 0, said
    assert (tmp_path / "died").exists() and "Traceback" not in said
    assert {r.state for r in launch.records} == {"complete"}
    assert len(complete(launch.records)) == 4
    if trials == 1:
        check(launch, undisturbed)


def test_a_simulator_that_is_stopped_is_ended_and_its_call_is_answered_by_another(tmp_path, undisturbed):
    launch = Launch(make(tmp_path), "resources.timeout=20")
    launch.wait_for("search", 1)
    pid = launch.kill("ray::SimulatorActor", signal.SIGSTOP)
    code, said = launch.end()
    assert code == 0, said
    check(launch, undisturbed)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("end", ["stop", "spin"])
def test_a_trial_that_never_ends_is_ended(tmp_path, undisturbed, end):
    limit = {"stop": "resources.timeout=30", "spin": "resources.trial_timeout=40"}[end]
    launch = Launch(make(tmp_path), f"generator.die={tmp_path / 'died'}", f"generator.end={end}", limit)
    launch.wait_for("search")
    code, said = launch.end()
    assert code == 0, said
    check(launch, undisturbed)
    assert not Path(f"/proc/{(tmp_path / 'died').read_text()}").exists()


def test_failed_trials_are_told_and_not_repeated_by_a_finished_study(tmp_path):
    file = make(tmp_path)
    settings = ("generator.fail_above=30", "search.replacements=1")
    launch = Launch(file, *settings)
    code, said = launch.end()
    failed = [r for r in launch.records if r.state == "failed"]
    assert code == 0 and f"{len(failed)} of {len(launch.records)} trials failed (" in said, said
    before = launch.records
    start = time.monotonic()
    again = Launch(file, *settings)
    code, said = again.end()
    assert code == 0 and again.records == before and time.monotonic() - start < 60
    assert not again.processes("raylet")
    strict = Launch(file, *settings, "search.min_complete=4")
    code, said = strict.end()
    assert code == 1 and one_line(said, "search.min_complete asks for 4 complete ones")
