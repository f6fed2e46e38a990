"""Searches on one to four hosts that are namespaces of this machine, on a slow switch, with trials that sleep."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import slow_switch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "study"))
import hosts  # noqa: E402 (the tests' own, found by the line above)

DELAY = 0.002
"""Of each frame, in seconds: 4 ms there and back."""
LOSS = 0.001
STUDY = """
name: nodes
data:
  source: {{kind: "tiny_components.py:Dots"}}
  window: {{size: 24}}
  split: {{train: 12, validation: 8, test: 8}}
physics:
  properties: ["tiny_components.py:Solid"]
  "tiny_components.py:Solid": {{seconds: 0.05}}
generator: {{kind: "tiny_components.py:Noise", seconds: {seconds}}}
predictor: {{kind: "tiny_components.py:Linear"}}
augmentation: {{size: 4}}
search:
  trials: {trials}
  sampler: random
  space: {{generator.fail_above: {{int: [100, 1000000]}}}}  # changes nothing, but that no two trials share a generator
resources: {{trials: {slots}, simulators: {simulators}, timeout: 600}}
"""


class SlowHosts(hosts.Hosts):
    """Hosts whose switch delays and loses frames."""

    def _lay(self):
        for space in self.spaces.values():
            subprocess.run(["ip", "netns", "add", space], check=True)
        command = [sys.executable, slow_switch.__file__, str(DELAY), str(LOSS), *self.spaces.values()]
        self.processes["the switch"] = process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"


def measure(folder: Path, seconds: float, slots: int, rounds: Mapping[int, int]) -> list[dict[str, float]]:
    """Search with trials that sleep for ``seconds``.

    Args:
        folder: for what each search needs.
        seconds: of a trial's sleep.
        slots: trials at a time on each host.
        rounds: how many times as many trials as run at once there are, by the number of hosts.

    Returns:
        A row for each number of hosts. What orchestration takes is measured from when the first trials are done, so
        without the start of processes, which four hosts that share this machine's processors do one after another. The
        driver is the launching process: it chooses points, enters results and tells MLflow's sender.
    """
    rows = []
    for count, rounds_here in rounds.items():
        place = folder / f"{count}"
        place.mkdir(parents=True)
        at_once = slots * count
        trials = at_once * rounds_here
        (place / "study.yaml").write_text(STUDY.format(seconds=seconds, trials=trials, slots=at_once, simulators=count))
        shutil.copy(ROOT / "tests" / "study" / "tiny_components.py", place)
        found = _searched(place, count, slots)
        first, last = found["done"][at_once - 1], found["done"][-1]
        computed = sum(found["seconds"][at_once:])
        rows.append(
            {
                "hosts": count,
                "trials": trials,
                "search [s]": round(found["wall"], 1),
                "after the first trials [s]": round(last - first, 1),
                "a trial [s]": round(sum(found["seconds"]) / len(found["seconds"]), 2),
                "orchestration [%]": round(100 * (1 - computed / at_once / (last - first)), 1),
                "a round [s]": round((last - first) / (rounds_here - 1), 2),
                "driver, a trial [CPU s]": round(
                    (found["processor"][-1] - found["processor"][at_once - 1]) / (trials - at_once), 3
                ),
            }
        )
        rows[-1]["weak scaling [%]"] = round(100 * rows[0]["a round [s]"] / rows[-1]["a round [s]"], 1)
    return rows


def _searched(place: Path, count: int, slots: int) -> dict:
    names = [f"host{i}" for i in range(count)]
    variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])
    with SlowHosts(place, names, Path(sys.prefix)) as network:
        address = network.start_ray(slots, **variables)
        search = [sys.executable, __file__, place / "study.yaml", address]
        done = subprocess.run(network.command("host0", *search, **variables), stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def search(file: str, address: str) -> None:
    """Run a study on a cluster; prints when each trial was done, and how long it took."""
    from matopt.study.config.study import load_study
    from matopt.study.launch import launch

    times: list[float] = []
    processor: list[float] = []
    begun: list[float] = []

    def progress(stage: str, done: int, total: int, message: str) -> None:
        if stage == "search":
            begun.append(time.monotonic())
            processor.extend([time.process_time()] * (done - len(times)))
            times.extend([time.monotonic()] * (done - len(times)))

    result = launch(load_study(file, [f"storage={Path(file).parent / 'runs'}"]), address, progress=progress)
    assert all(trial.state == "complete" for trial in result.trials), [trial.error for trial in result.trials]
    seconds = [trial.outcome.seconds for trial in result.trials if trial.outcome]
    print(json.dumps({"wall": times[-1] - begun[0], "done": times, "processor": processor, "seconds": seconds}))


if __name__ == "__main__":
    search(sys.argv[1], sys.argv[2])
