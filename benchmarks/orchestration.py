"""What the engine costs, case by case. Ends with the goals in a line, ``{"goals": {name: [value, goal, met]}}``.

Usage: python benchmarks/orchestration.py [CASE ...] [--quick] [--keep FOLDER] [--scan FILE]

``labels`` makes a store of 10^7 labels in 10^4 files (10^6 with ``--quick``), compacts it, and looks up images drawn at
random, beside the store as it was (all labels in a dictionary) and a plain dataset of pyarrow, which read the files
as they were. Needs 5 GB of disk, 1 GB with ``--quick``, and 3 GB of memory for the dictionary of 10^7.

``trials`` searches with 10,000 trials (3,000 with ``--quick``) that take no time, and tells what the ledger and the
sampler take for each, beside Optuna's own TPE. Needs ten minutes, one with ``--quick``.

``pruning`` runs trials of the quickstart's space, made small, and of a wider one, and plays searches through over them:
with pruning, with as many trials pruned at random, and with none. With a ``--scan`` of Berea the wider one is searched
on its windows of 64^2 too. Needs ten minutes of a processor, or three; twice as many with the scan.

``nodes`` searches on one, two and four hosts, namespaces of this machine on a switch that delays and loses frames, with
trials that sleep for 30 s (10 s with ``--quick``): what orchestration takes of their time, and how it scales where each
host has as many trials. It needs the rights of root, the programs that ``tests/study/hosts.py`` names, 6 GB of memory
and twelve minutes, five with ``--quick``. All hosts share this machine's processors, which is why the trials sleep;
what Ray and matopt compute for four hosts counts as if one had to do it.

``thousand`` does so with 1,008 trials on four hosts, four at a time on each, beside 16 on one. It needs 12 GB of memory
and forty minutes. With ``--quick`` it is 64 trials that sleep for 10 s, in four minutes, and only where it is named.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import label_stores
import many_nodes
import many_trials
import pruned_searches
from page import table

Goals = dict[str, tuple[float, float, bool]]
MEMORY = 50.0
LOOK_UP = 10.0
TRIAL = 100.0
SHARE = 5.0
SCALING = 90.0


def labels(folder: Path, is_quick: bool) -> Goals:
    """Look-ups in a large label store: their time and the memory they take."""
    count = 10**6 if is_quick else 10**7
    store, before = folder / "labels", folder / "before"
    if not before.exists():
        label_stores.fill(before, count)
    peers = {kind: _measured(before, count, kind) for kind in ("in memory", "pyarrow dataset")}
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(before, store)
    compaction = _measured(store, count, "compaction")
    ours = _measured(store, count, "matopt")
    rows = [{"store": kind, **found} for kind, found in {"matopt": ours, **peers}.items()]
    print(f"{count:.0e} labels in {len(list((before / 'labels').iterdir()))} files\n\n{table(rows)}\n")
    print(f"{table([compaction])}\n")
    return {
        "first look-up of a process [s]": _at_most(ours["first look-up [s]"], 1.0),
        **{f"look-up of {n} [ms]": _at_most(ours[f"{n} keys [ms]"], LOOK_UP) for n in (1, 64)},
        "look-up of 1000 [ms a key]": _at_most(ours["1000 keys [ms]"] / 1000, LOOK_UP / 64),
        "memory of a process [MB]": _at_most(ours["memory [MB]"], MEMORY),
        "files after compaction": _at_most(compaction["files"], 128),
    }


def trials(folder: Path, is_quick: bool) -> Goals:
    """What the ledger and the sampler take for a trial of a large search."""
    rows = many_trials.measure(folder, [1000, 3000] if is_quick else [1000, 3000, 10_000])
    print(f"{table(rows)}\n")
    return {f"ledger and TPE at {row['trials']} trials [ms]": _at_most(row["a trial [ms]"], TRIAL) for row in rows}


def pruning(folder: Path, is_quick: bool, scan: Path | None = None) -> Goals:
    """What pruning saves of a search's seconds, and what it costs of its best trial."""
    rows = pruned_searches.measure(folder, 8 if is_quick else 20, scan)
    print(f"{table(rows)}\n")
    by_kind = {(row["space"], row["search"]): row for row in rows}
    goals: Goals = {}
    for space in dict.fromkeys(str(row["space"]) for row in rows):
        ours, others = (by_kind[space, kind] for kind in (pruned_searches.PRUNED, pruned_searches.AT_RANDOM))
        missed = "r2 missed, 10 trials' time"
        goals[f"{space}: {missed}, and of random pruning"] = _at_most(float(ours[missed]), float(others[missed]))
    return goals


def nodes(folder: Path, is_quick: bool) -> Goals:
    """What orchestration takes of the time of trials that sleep, on one host to four."""
    return _on_hosts(folder, is_quick, 2, dict.fromkeys((1, 4) if is_quick else (1, 2, 4), 4))


def thousand(folder: Path, is_quick: bool) -> Goals:
    """The same in a long search."""
    return _on_hosts(folder, is_quick, 4, {1: 4, 4: 4 if is_quick else 63})


def _on_hosts(folder: Path, is_quick: bool, slots: int, rounds: dict[int, int]) -> Goals:
    if many_nodes.hosts.missing:
        print(f"not measured, as there is no {', '.join(many_nodes.hosts.missing)}\n")
        return {}
    shutil.rmtree(folder)
    rows = many_nodes.measure(folder, 10.0 if is_quick else 30.0, slots, rounds)
    print(f"{table(rows)}\n")
    name, scaling = "orchestration [%]", "weak scaling [%]"
    return {
        **{f"{name}, {row['hosts']} hosts, {row['trials']} trials": _at_most(row[name], SHARE) for row in rows},
        f"{scaling}, 4 hosts, {rows[-1]['trials']} trials": (rows[-1][scaling], SCALING, rows[-1][scaling] >= SCALING),
    }


CASES: dict[str, Callable[[Path, bool], Goals]] = {
    "labels": labels,
    "trials": trials,
    "pruning": pruning,
    "nodes": nodes,
    "thousand": thousand,
}


def _measured(root: Path, count: int, kind: str) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, label_stores.__file__, str(root), str(count), kind]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _at_most(value: float, goal: float) -> tuple[float, float, bool]:
    return value, goal, value <= goal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--quick", action="store_true", help="fewer labels, fewer trials; under ten minutes")
    parser.add_argument("--keep", type=Path, help="a folder for what is made, which is used again")
    parser.add_argument("--scan", type=Path, help="the scan of Berea, a zip archive, for pruning")
    arguments = parser.parse_args()
    cases = {**CASES, "pruning": partial(pruning, scan=arguments.scan)}
    goals: Goals = {}
    with tempfile.TemporaryDirectory() as scratch:
        for case in arguments.cases or list(CASES)[: -1 if arguments.quick else None]:
            folder = (arguments.keep or Path(scratch)) / case
            folder.mkdir(parents=True, exist_ok=True)
            goals |= cases[case](folder, arguments.quick)
    print(json.dumps({"goals": goals}))


if __name__ == "__main__":
    main()
