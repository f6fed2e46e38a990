"""How far does a response skill hang on which windows are moved, and do its intervals say so?

    python benchmarks/moved_windows.py berea.zip [--quick]

The default network learns Young's modulus from 100 windows of Berea, 64^2 voxels. All 648 test windows are moved and
solved, and their skill stands for the truth; then 200 sets of fewer windows are drawn from them. The table says how far
the mean skills of sets scatter, and how many of the 95 % intervals of their kinds of move hold the skill of all
windows, beside a constant, whose skill is 0 for every set. The last line is one of JSON. ``--quick``: 20 sets of 216
windows, a short training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import page
import torch
from design_models import rock_of
from specimens import berea

from matopt.microstructures import Microstructures
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.predictors.cnn import CNN
from matopt.properties import PropertyTable
from matopt.stages.data import LabelledSet
from matopt.stages.responses.reference import KINDS, STEPS, WINDOWS, responses
from matopt.stages.responses.skill import skill_interval, skill_of
from matopt.stages.simulate import simulate

NUMBERS = (25, 50, 100, 200)


def label(microstructures: Microstructures) -> PropertyTable:
    return simulate(microstructures, [YoungsModulus()])


def changes(scan: np.ndarray, is_quick: bool) -> tuple[np.ndarray, np.ndarray]:
    """What the network foretells and what is true, ``(windows, kinds and steps)`` each, in GPa."""
    rock = rock_of(scan)
    model = CNN(**({"steps": 100} if is_quick else {}))
    model.fit(rock.train, label(rock.train), (rock.held_out, label(rock.held_out)), seed=0)
    test = rock.test[::3] if is_quick else rock.test
    found = responses(LabelledSet(test, label(test)), label, windows=len(test))
    halves = (found.held_out, found.moved)
    with torch.no_grad():
        told = [torch.cat([model.predict(x) for x in h.microstructures.density().split(256)]).numpy() for h in halves]
    true = [half.labels.values for half in halves]
    # Window by window, all kinds and steps in one order: see responses.
    grids = [(after - before[found.origin]).reshape(len(test), -1) / 1e9 for before, after in (told, true)]
    assert grids[0].shape[1] == len(KINDS) * len(STEPS)
    return grids[0], grids[1]


def row(model: str, number: int, told: np.ndarray, true: np.ndarray, sets: int) -> dict:
    random, whole = np.random.default_rng(number), skill_of(told, true)
    means, held, widths = [], [], []
    for _ in range(sets):
        drawn = random.choice(len(true), number, replace=False)
        means.append(skill_of(told[drawn], true[drawn]).mean())
        ends = np.array([skill_interval(told[drawn, i], true[drawn, i]) for i in range(len(whole))])
        held.append((ends[:, 0] <= whole) & (whole <= ends[:, 1]))
        widths.append(ends[:, 1] - ends[:, 0])
    return {
        "model": model,
        "windows": number,
        "skill of all": float(whole.mean()),
        "means of sets, 5 to 95 %": "{:.2f} to {:.2f}".format(*np.quantile(means, [0.05, 0.95])),
        "their deviation": float(np.std(means)),
        "intervals that hold it": float(np.mean(held)),
        "median width": float(np.median(widths)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="fewer windows and sets, a short training")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    told, true = changes(berea(arguments.scan), arguments.quick)
    sets = 20 if arguments.quick else 200
    rows = [row("cnn", number, told, true, sets) for number in NUMBERS]
    print(page.table([*rows, row("constant", WINDOWS, np.zeros_like(true), true, sets)]))
    held = {r["windows"]: r["intervals that hold it"] for r in rows}[WINDOWS]
    print(json.dumps({"goals": {"intervals that hold the skill of all windows": [held, 0.9, held >= 0.9]}}))


if __name__ == "__main__":
    main()
