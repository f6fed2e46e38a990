"""Launches whose storage fails in their middle: a full disk, one that turns read-only, one that is taken away."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults

STUDY = """
name: s
storage: disk/runs
data: {source: {kind: "tiny_components.py:Dots"}, window: {size: 24}, split: {train: 9, validation: 3, test: 2}}
physics: {properties: [diffusivity]}
generator: {kind: "tiny_components.py:Noise", seconds: 2.0}
predictor: {kind: "tiny_components.py:Linear"}
resources: {timeout: 120, trials: 1, simulators: 1, predictors: 1}
search: {trials: 4, space: {generator.width: {int: [1, 7]}}}
"""


def mount(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode == 0


def unmount(folder):
    subprocess.run(["umount", "-l", folder], capture_output=True)


@pytest.fixture
def folder(tmp_path):
    shutil.copy(Path(__file__).with_name("tiny_components.py"), tmp_path)
    (tmp_path / "disk").mkdir()
    yield tmp_path
    unmount(tmp_path / "disk")


@pytest.fixture
def small_disk(folder):
    if not mount("-t", "tmpfs", "-o", "size=64m", "none", folder / "disk"):
        pytest.skip("needs the right to mount")
    return folder / "disk"


@pytest.fixture
def failing_disk(folder):
    image = folder / "image"
    with image.open("wb") as file:
        file.truncate(128 << 20)
    made = subprocess.run(["mkfs.ext4", "-q", image], capture_output=True).returncode == 0
    if not made or not mount("-o", "loop,errors=remount-ro", image, folder / "disk"):
        pytest.skip("needs the right to mount")
    return folder / "disk"


def begin(folder):
    (folder / "study.yaml").write_text(STUDY)
    command = [sys.executable, "-P", "-m", "matopt", "study", "launch", "study.yaml"]
    environment = {**os.environ, "RAY_raylet_start_wait_time_s": "170"}  # of a machine that is busy with tests
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run_until_a_trial_is_complete(folder, launch):
    said = []
    for line in launch.stderr:
        said.append(line)
        if line.startswith("search: 0 of 4"):
            break
    else:
        raise AssertionError("".join(said))
    journal = folder / "disk" / "runs" / "studies" / "s" / "trials.journal"
    while b'"state":1' not in journal.read_bytes():
        assert launch.poll() is None
        time.sleep(0.1)


def ended_in_one_line(launch, *words):
    rest = launch.communicate(timeout=120)[1]
    said = [line for line in rest.splitlines() if not line.startswith(("search: ", "matopt: note: "))]
    assert launch.returncode == 1, rest
    assert len(said) == 1 and said[0].startswith("matopt: ") and any(word in said[0] for word in words), rest
    return said[0]


def goes_on_to_its_end(folder):
    with begin(folder) as launch:
        _, err = launch.communicate()
    assert launch.returncode == 0, err
    command = [sys.executable, "-P", "-m", "matopt", "study", "status", "study.yaml"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout
    # The trial that met the bad disk has failed by it, and another point took its place.
    assert "finished" in said and re.search("4 complete,( 1 failed,)? of 4", said), said


def fill(disk):
    filled = subprocess.run(["dd", "if=/dev/zero", f"of={disk / 'filler'}", "bs=4096"], capture_output=True, text=True)
    assert "No space left on device" in filled.stderr


def test_a_disk_that_fills_up_ends_a_launch_in_one_line_and_it_goes_on_when_there_is_room(folder, small_disk):
    with begin(folder) as launch:
        run_until_a_trial_is_complete(folder, launch)
        fill(small_disk)
        said = ended_in_one_line(launch, "No space left on device")
        assert str(small_disk) in said
    (small_disk / "filler").unlink()
    goes_on_to_its_end(folder)


def test_a_disk_that_turns_read_only_ends_a_launch_in_one_line_and_it_goes_on_when_it_is_well(folder, failing_disk):
    with begin(folder) as launch:
        run_until_a_trial_is_complete(folder, launch)
        os.sync()
        assert mount("-o", "remount,abort", failing_disk)
        ended_in_one_line(launch, "Read-only file system", "Input/output error")
    command = [sys.executable, "-P", "-m", "matopt", "study", "list", "--storage", "disk/runs"]
    listed = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert listed.returncode == 0 and "stopped" in listed.stdout, listed.stderr
    with begin(folder) as launch:
        ended_in_one_line(launch, "Read-only file system", "Input/output error")
    unmount(failing_disk)
    subprocess.run(["fsck.ext4", "-y", folder / "image"], capture_output=True)
    assert mount("-o", "loop", folder / "image", failing_disk)
    goes_on_to_its_end(folder)


def test_a_storage_that_is_removed_ends_a_launch_in_one_line_and_is_not_made_again(folder):
    with begin(folder) as launch:
        run_until_a_trial_is_complete(folder, launch)
        (folder / "disk" / "runs").rename(folder / "elsewhere")
        ended_in_one_line(launch, "launch.lease is gone: the folder was removed", "the trials cannot be entered")
    assert not (folder / "disk" / "runs" / "studies" / "s" / "state.json").exists()
    shutil.rmtree(folder / "disk" / "runs", ignore_errors=True)
    (folder / "elsewhere").rename(folder / "disk" / "runs")
    goes_on_to_its_end(folder)
