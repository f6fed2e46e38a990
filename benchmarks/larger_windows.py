"""Is it worth its time that predictors see large windows voxel by voxel, and not averaged down?

    python benchmarks/larger_windows.py berea.zip [--quick] [--seeds N] [--kinds NAME ...] [--properties NAME ...]

Predictors learn one property from 100 windows of 128^2 voxels of Berea, as they are by default and averaged down to 64
pixels, and are tested on 162 windows of another part of the scan. Each seed draws other windows to learn from. Beside
them is a parabola of the porosity. What was measured is kept in larger_windows.json beside this file and not measured
again; the page larger_windows.md is made anew of all rows. The last line is the table of goals, as JSON. ``--quick``:
stiffness alone, one seed, a tenth of the training, into files of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from pathlib import Path

import numpy as np
import page
import torch
from design_models import AVERAGED, COUNT, Rock, rock_of
from kept_rows import KeptRows
from predictors import POROSITY, QUICK, SIMULATORS, Linear, porosity
from scipy import stats
from specimens import berea

from matopt.data.labels.store import LabelStore
from matopt.microstructures import Microstructures
from matopt.predictors.base import PREDICTORS
from matopt.registry import Component
from matopt.stages.data import LabelledSet
from matopt.stages.r2 import r2
from matopt.stages.simulate import simulate

HERE = Path(__file__).parent
SIZE = 128
KINDS = ("cnn", "full_field")


def sets(rock: Rock, seed: int) -> tuple[Microstructures, Microstructures, Microstructures]:
    """Windows to learn from, to choose by and to test on."""
    learnt = Microstructures.concatenate([rock.train, rock.spare])
    return learnt[np.random.default_rng([0, seed]).permutation(len(learnt))[:COUNT]], rock.held_out, rock.test


def measure(parts: list[LabelledSet], kind: str, resolution: int | None, seed: int, steps: int | None) -> dict:
    """R2 of test windows, and the processor time of the training; a parabola of porosity has no resolution."""
    train, held, test = parts
    (property_,) = train.labels.names
    start = time.process_time()
    if kind == POROSITY:
        model = Linear(train, porosity)
    else:
        settings = {"resolution": resolution} | ({} if steps is None else {"steps": steps})
        model = PREDICTORS.build(Component(kind, settings))
        model.fit(train.microstructures, train.labels, (held.microstructures, held.labels), seed=seed)
    seconds = time.process_time() - start
    score = r2(model, test.microstructures, test.labels)[property_]
    return {
        "predictor": kind, "property": property_, "averaged": resolution is not None, "seed": seed,
        "R2": score, "seconds": seconds,
    }  # fmt: skip


def chosen(rows: list[dict], kind: str, property_: str, is_averaged: bool, of: str = "R2") -> np.ndarray:
    """A column, seed by seed."""
    wanted = (kind, property_, is_averaged)
    found = {r["seed"]: r[of] for r in rows if (r["predictor"], r["property"], r["averaged"]) == wanted}
    return np.array([found[seed] for seed in sorted(found)])


def differences(rows: list[dict], kind: str, property_: str) -> tuple[np.ndarray, float, float] | None:
    """What seeing every voxel adds to R2, by seed, and the 95 % interval of its mean; None of fewer than two seeds."""
    whole, averaged = (chosen(rows, kind, property_, of) for of in (False, True))
    n = min(len(whole), len(averaged))
    if n < 2:
        return None
    found = whole[:n] - averaged[:n]
    return found, *map(float, stats.ttest_1samp(found, 0.0).confidence_interval())


def markdown(rows: list[dict]) -> str:
    """The page."""
    lines = []
    for p, kind in product(SIMULATORS, (POROSITY, *KINDS)):
        for is_averaged in (True, False):
            scores = chosen(rows, kind, p, is_averaged)
            if not len(scores):
                continue
            gained = None if is_averaged else differences(rows, kind, p)
            seen = f"{AVERAGED}^2" if is_averaged else f"{SIZE}^2"
            lines.append(
                {
                    "property": p,
                    "predictor": kind,
                    "sees": "the porosity" if kind == POROSITY else f"{seen} pixels",
                    "R2": f"{scores.mean():.4f} ({scores.min():.4f} to {scores.max():.4f}; {len(scores)})",
                    "more": f"{gained[0].mean():.4f} [{gained[1]:.4f}, {gained[2]:.4f}]" if gained else "",
                    "CPU s": float(chosen(rows, kind, p, is_averaged, "seconds").mean()),
                }
            )
    return (
        f"# Windows of {SIZE}^2 voxels, seen as they are and averaged down\n\n"
        f"Berea sandstone: {COUNT} windows to learn from, 162 of another part of the scan to test on, one property a "
        "predictor, default settings. R2: mean over seeds, each of other windows to learn from (least to largest; how "
        "many); more: the mean difference, seed by seed, with its 95 % interval (Student's t). Made by `python "
        "benchmarks/larger_windows.py berea.zip`.\n\n" + page.table(lines) + "\n"
    )


def goals(rows: list[dict]) -> dict[str, list]:
    """Whether seeing every voxel is worth more than nothing, interval apart; None of fewer than two seeds."""
    found: dict[str, list] = {}
    for kind, p in product(KINDS, SIMULATORS):
        if len(chosen(rows, kind, p, is_averaged=False)):
            gained = differences(rows, kind, p)
            name = f"R2 of every voxel less that of averages, {p}, {kind}, lower end"
            found[name] = [None, 0.0, None] if gained is None else [gained[1], 0.0, gained[1] > 0]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="stiffness, one seed, a tenth of the training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--properties", nargs="+", default=list(SIMULATORS), choices=SIMULATORS)
    parser.add_argument("--keep", type=Path, default=HERE / "kept", help="where labels are kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rock, store = rock_of(berea(arguments.scan), SIZE), LabelStore(arguments.keep / "labels")
    path = HERE / f"larger_windows{'_quick' if arguments.quick else ''}.json"
    kept = KeptRows(path, ("predictor", "property", "averaged", "seed"))
    properties = list(SIMULATORS)[:1] if arguments.quick else arguments.properties
    for seed, p in product(range(1 if arguments.quick else arguments.seeds), properties):
        cases = [(POROSITY, None), *product(arguments.kinds, (AVERAGED, None))]
        label = {"property": p, "seed": seed}
        todo = [c for c in cases if not kept.find(predictor=c[0], averaged=c[1] is not None, **label)]
        if not todo:
            continue
        parts = [LabelledSet(m, simulate(m, [SIMULATORS[p]], store)) for m in sets(rock, seed)]
        for kind, resolution in todo:
            row = measure(parts, kind, resolution, seed, QUICK if arguments.quick else None)
            kept.keep(row)
            print({name: round(v, 4) if isinstance(v, float) else v for name, v in row.items()}, flush=True)
    path.with_suffix(".md").write_text(markdown(kept.rows))
    print(json.dumps({"goals": goals(kept.rows)}))


if __name__ == "__main__":
    main()
