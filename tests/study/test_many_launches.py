"""Many launches of one process, as from a notebook."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_every_section import ALL, FILE, HERE

SCRIPT = """
import gc, sys, threading, time
from matopt.study.config.study import load_study
from matopt.study.launch import launch

class Garbage:
    def __init__(self):
        self.me = self
    def __del__(self):
        time.sleep(0.05)

def collect():  # as other threads of a notebook do at any time
    while True:
        Garbage()
        gc.collect()
        time.sleep(0.01)

threading.Thread(target=collect, daemon=True).start()
for number in range(int(sys.argv[2])):
    study = load_study(sys.argv[1], [f"name=s{number}", f"storage=runs{number}"])
    print(number, len(launch(study).trials), flush=True)
"""


@pytest.mark.slow  # twenty launches of all stages
@pytest.mark.timeout(3600)
def test_twenty_launches_of_one_process_end_well(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / FILE).parent.mkdir()
    shutil.copy(HERE / "tiny_components.py", folder / FILE)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(ALL))
    command = [sys.executable, "-P", "-c", SCRIPT, "tiny.yaml", "20"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{number} 1" for number in range(20)], done.stderr
    assert done.returncode == 0, done.stderr
