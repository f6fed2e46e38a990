"""How well are properties predicted from few microstructures?

Usage: python benchmarks/predictors.py berea.zip [--quick] [--volumes] [--seeds N] [--kinds NAME ...]
           [--properties NAME ...]

Learning curves on windows of 64^2 voxels of Berea sandstone: predictors with their default settings learn one property
from 10 to 500 windows, are chosen by 100 others, and are tested on 648 windows of another part of the scan, which
nothing was tuned on. Each seed draws other windows to learn from. Beside them is what needs no training: a parabola of
the porosity, and for diffusivity linear maps of the conductances that cnn is told, and of those of the finer blocks
that full_field corrects. Of ensembles it is measured how often their intervals hold the truth. What a case measured is
kept in predictors.json beside this file and not measured again; the page predictors.md is made anew of all rows. With
--volumes they are blocks of 32^3 voxels, 100 to learn from, in predictors_3d.*. --quick takes one size, one seed and a
tenth of the training, into files of its own: it shows that all works, and not what is good. The last line of the
output is the table of goals, as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import page
import torch
from kept_rows import KeptRows
from specimens import VOXEL, berea, windows

from matopt.data.labels.store import LabelStore
from matopt.microstructures import Microstructures
from matopt.physics.base import Simulator
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.predictors.base import PREDICTORS, Predictor
from matopt.predictors.convolutional.conductances import BLOCKS, conductances
from matopt.predictors.convolutional.links import BLOCKS as FINER_BLOCKS
from matopt.predictors.ensemble import Ensemble
from matopt.predictors.full_field import FullField
from matopt.properties import PropertyTable
from matopt.stages.data import LabelledSet
from matopt.stages.r2 import r2
from matopt.stages.responses.reference import CONSTANT_POROSITY, Responses, responses
from matopt.stages.responses.skill import mean_skill, response_skill
from matopt.stages.simulate import simulate

HERE = Path(__file__).parent
SIZES = {2: 64, 3: 32}
"""Edges of windows, by their number of dimensions."""

SIMULATORS: dict[str, Simulator] = {
    "youngs_modulus": YoungsModulus(),
    "diffusivity": Diffusivity(flow="all"),
    "permeability": Permeability(),
}
COUNTS = (100, 25, 10, 50, 500)
"""How many windows are learnt from, the most telling first."""

POROSITY, CONDUCTANCES = "parabola of porosity", "linear map of conductances"
FINER = "linear map of finer conductances"
OF_CONDUCTION = (CONDUCTANCES, FINER)

VALUES_ALONE = "full_field, values alone"
"""The network of fields without them: what its form is worth."""

GOALS = {"youngs_modulus": 0.93, "diffusivity": 0.88, "permeability": 0.98}
"""R2 from 100 windows."""

SECONDS = 60.0
"""Of one thread, for such a training."""

FASTER = "predictions in the time of a solve"

MOVED = {2: 648, 3: 50}
"""How many test windows are moved, by their number of dimensions: all sections, as of fifty a few large responses of
stiffness decide. Moved volumes take long to solve."""

VERSIONS = {2: 3, 3: 2}
"""Of what rows measure."""

QUICK = 60
"""Steps of a training."""

TIMED = 64
"""Windows that are predicted and solved together to see how long that takes."""

COVERAGES = (0.5, 0.9)
"""Of the intervals of ensembles, nominally."""

WITHIN = 0.1
"""How far coverages may be off: 100 windows to calibrate by and 648 to test on leave as much open in one of twenty."""

SKILLS = {"skill": 0.85, "skill, constant porosity": 0.6}
"""Of predictors of stiffness, from 100 windows."""


@dataclass(frozen=True, eq=False)
class Rock:
    """Windows of a scan side by side: learnt from (z < 165), chosen by (174 to 199) and tested on (z >= 220)."""

    scan: np.ndarray
    store: LabelStore
    dimensions: int = 2

    def train(self, property_: str, count: int, seed: int) -> LabelledSet:
        pool = self._windows(range(0, 165, 5))
        return self.labelled(pool[np.random.default_rng([0, seed]).permutation(len(pool))[:count]], property_)

    @cache  # noqa: B019  (one rock a process)
    def validation(self, property_: str) -> LabelledSet:
        pool = self._windows(range(174 if self.dimensions == 2 else 168, 200, 5))
        return self.labelled(pool[np.random.default_rng(0).permutation(len(pool))[:100]], property_)

    @cache  # noqa: B019  (one rock a process)
    def test(self, property_: str) -> LabelledSet:
        return self.labelled(self._windows(range(220, 400, 10)), property_)

    @cache  # noqa: B019  (one rock a process)
    def responses(self, property_: str) -> Responses:
        label = partial(self._label, property_=property_)
        return responses(self.test(property_), label, windows=MOVED[self.dimensions])

    def labelled(self, microstructures: Microstructures, property_: str) -> LabelledSet:
        return LabelledSet(microstructures, self._label(microstructures, property_))

    def _label(self, microstructures: Microstructures, property_: str) -> PropertyTable:
        return simulate(microstructures, [SIMULATORS[property_]], self.store)

    @cache  # noqa: B019  (one rock a process)
    def _windows(self, slices: range) -> Microstructures:
        return windows(self.scan, SIZES[self.dimensions], self.dimensions, slices)


class Linear:
    """Least squares on what is known of a microstructure without learning."""

    def __init__(self, train: LabelledSet, known: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.properties = train.labels.properties
        self._known = known
        usable = train.labels.is_usable[:, 0]
        values = self.properties[0].on_scale(train.labels.values[usable, 0])
        x = known(train.microstructures.density()[usable])
        self._weights = torch.linalg.lstsq(x, torch.from_numpy(values)[:, None], driver="gelsd").solution

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        told = self._known(density) @ self._weights
        return told.exp() if self.properties[0].scale == "log" else told


def porosity(density: torch.Tensor) -> torch.Tensor:
    """``(N, 3)`` powers of the porosity."""
    return (1 - density.double().flatten(1).mean(1, keepdim=True)) ** torch.arange(3)


def coarse(density: torch.Tensor, most: int = BLOCKS) -> torch.Tensor:
    """``(N, 2 + 2 d)``: one, the solid fraction and the conductances."""
    density = density.double()
    known = [torch.ones(len(density), 1), density.flatten(1).mean(1, keepdim=True), conductances(density, most)]
    return torch.cat(known, 1)


def new(kind: str, is_quick: bool) -> Predictor:
    """A predictor with its default settings, or with a tenth of the steps."""
    settings: dict[str, Any] = {"steps": QUICK} if is_quick else {}
    if kind == VALUES_ALONE:
        return FullField(field_weight=0.0, **settings)
    return PREDICTORS.find(kind)(**({"settings": settings} if kind == "ensemble" else settings))


def measure(rock: Rock, kind: str, property_: str, count: int, seed: int, is_quick: bool = False) -> dict:
    """One row: a predictor's R2 and response skill, and the processor time of its training."""
    train, validation, test = rock.train(property_, count, seed), rock.validation(property_), rock.test(property_)
    start = time.process_time()
    if kind == POROSITY:
        model = Linear(train, porosity)
    elif kind in OF_CONDUCTION:
        model = Linear(train, partial(coarse, most=BLOCKS if kind == CONDUCTANCES else FINER_BLOCKS[rock.dimensions]))
    else:
        chosen_by = (validation.microstructures, validation.labels)
        model = new(kind, is_quick).fit(train.microstructures, train.labels, chosen_by, seed=seed)
    seconds = time.process_time() - start
    skills = response_skill(model, rock.responses(property_))
    held = (
        {f"held by {c:.0%} intervals": holds(model, test, c) for c in COVERAGES} if isinstance(model, Ensemble) else {}
    )
    is_learnt = kind not in (POROSITY, *OF_CONDUCTION)
    return {
        "predictor": kind,
        "property": property_,
        "windows": count,
        "seed": seed,
        "R2": r2(model, test.microstructures, test.labels)[property_],
        "skill": mean_skill(skills),
        "skill, constant porosity": mean_skill(skills, CONSTANT_POROSITY),
        **held,
        **({FASTER: speed(model, test)} if is_learnt else {}),
        "seconds": seconds,
    }


@torch.no_grad()
def speed(model: Predictor, test: LabelledSet) -> float:
    """How many samples a predictor predicts in the time that the simulator takes for one: medians, taking turns."""
    density, simulator = test.microstructures.density()[:TIMED], SIMULATORS[test.labels.names[0]]
    taken = []
    for _ in range(5):
        starts = [time.process_time()]
        for work in (lambda: model.predict(density), lambda: simulator.solve(density, VOXEL)):
            work()
            starts.append(time.process_time())
        taken.append(np.diff(starts))
    predicting, solving = np.median(taken, 0)
    return float(solving / predicting)


@torch.no_grad()
def holds(model: Ensemble, test: LabelledSet, coverage: float) -> float:
    """The share of windows whose value is inside of the intervals of this coverage."""
    usable = test.labels.is_usable[:, 0]
    truth = test.labels.values[usable, 0]
    parts = [model.interval(part, coverage) for part in test.microstructures.density()[usable].split(128)]
    lower, upper = (torch.cat(side)[:, 0].double().numpy() for side in zip(*parts, strict=True))
    return float(((lower <= truth) & (truth <= upper)).mean())


def cases(
    kinds: list[str], properties: list[str], counts: tuple[int, ...], seeds: int
) -> list[tuple[str, str, int, int]]:
    """Predictor, property, windows and seed: all seeds of the first size, then seed by seed of the others."""
    found = [
        (kind, p, count, seed)
        for part in (counts[:1], counts[1:])
        for seed, count, p, kind in product(range(seeds), part, properties, kinds)
    ]
    return [case for case in found if case[0] not in OF_CONDUCTION or case[1] == "diffusivity"]


def chosen(rows: list[dict], kind: str, property_: str, count: int) -> list[dict]:
    """The rows of a case, one a seed."""
    wanted = (kind, property_, count)
    return [row for row in rows if (row["predictor"], row["property"], row["windows"]) == wanted]


def spread(rows: list[dict], column: str) -> str:
    """Mean, least and largest over seeds."""
    values = [row[column] for row in rows if column in row]
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f}; {len(values)})" if values else ""


def write(path: Path, rows: list[dict], of: str) -> None:
    """Make the page."""
    counts = sorted({row["windows"] for row in rows})
    kinds = list(dict.fromkeys(row["predictor"] for row in rows))
    parts = [
        "# Properties predicted from few microstructures",
        f"Berea sandstone, windows of {of} voxels, one property a predictor, default settings; tested on windows of "
        "another part of the scan. Means over seeds, each of other windows to learn from (least to largest; how "
        "many). R2 on the property's own scale, the response skill as in docs/interpretability.md. Seconds are "
        "processor time of one thread on a machine shared with others.",
    ]
    columns = ("R2", "skill", "skill, constant porosity", *(f"held by {c:.0%} intervals" for c in COVERAGES), FASTER)
    for column in columns:
        parts.append(f"## {column}")
        for p in SIMULATORS:
            cells = {kind: [spread(chosen(rows, kind, p, count), column) for count in counts] for kind in kinds}
            lines = [
                {p: kind, **dict(zip(map(str, counts), row, strict=True))} for kind, row in cells.items() if any(row)
            ]
            if lines:
                parts.append(page.table(lines))
    parts.append("## Seconds of a training")
    parts.append(
        page.table(
            [
                {"predictor": kind, **{p: spread(chosen(rows, kind, p, counts[-1]), "seconds") for p in SIMULATORS}}
                for kind in kinds
            ]
        )
    )
    path.write_text("\n\n".join(parts) + "\n")


def goals(rows: list[dict]) -> dict[str, list]:
    """What predictors reach from 100 windows."""
    found: dict[str, list] = {}
    for kind, (p, goal) in product(("cnn", "full_field"), GOALS.items()):
        of_property = chosen(rows, kind, p, COUNTS[0])
        if of_property:
            value = float(np.mean([row["R2"] for row in of_property]))
            seconds = max(row["seconds"] for row in of_property)
            found[f"R2 of {p}, {kind}"] = [value, goal, value >= goal]
            found[f"seconds of a training, {p}, {kind}"] = [seconds, SECONDS, seconds <= SECONDS]
    for kind, (name, goal) in product(("cnn", "full_field"), SKILLS.items()):
        if of_stiffness := chosen(rows, kind, "youngs_modulus", COUNTS[0]):
            value = float(np.mean([row[name] for row in of_stiffness]))
            found[f"{name}, youngs_modulus, {kind}"] = [value, goal, value >= goal]
    for p in SIMULATORS:
        for coverage in COVERAGES:
            name = f"held by {coverage:.0%} intervals"
            if of_property := chosen(rows, "ensemble", p, COUNTS[0]):
                value = float(np.mean([row[name] for row in of_property]))
                found[f"{name}, {p}"] = [value, coverage, abs(value - coverage) <= WITHIN]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="one size, one seed, a tenth of the training")
    parser.add_argument("--volumes", action="store_true", help="volumes of 32^3 in place of sections of 64^2")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=PREDICTORS.names(), help="predictors by name; all by default")
    parser.add_argument("--properties", nargs="+", default=list(SIMULATORS), choices=SIMULATORS)
    parser.add_argument("--keep", type=Path, default=HERE / "kept", help="where labels are kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rock = Rock(berea(arguments.scan), LabelStore(arguments.keep / "labels"), 3 if arguments.volumes else 2)
    counts = COUNTS[:1] if arguments.quick or arguments.volumes else COUNTS
    seeds = 1 if arguments.quick else arguments.seeds
    path = HERE / f"predictors{'_3d' * arguments.volumes}{'_quick' * arguments.quick}.json"
    label = ("predictor", "property", "windows", "seed")
    kept = KeptRows(path, label, version=VERSIONS[rock.dimensions])
    alone = [VALUES_ALONE] if "full_field" in arguments.kinds else []
    for case in cases([POROSITY, *OF_CONDUCTION, *arguments.kinds, *alone], arguments.properties, counts, seeds):
        if kept.find(**dict(zip(label, case, strict=True))):
            continue
        row = measure(rock, *case, arguments.quick)
        kept.keep(row)
        print({name: round(v, 3) if isinstance(v, float) else v for name, v in row.items()}, flush=True)
    write(path.with_suffix(".md"), kept.rows, "32^3" if arguments.volumes else "64^2")
    print(path.with_suffix(".md").read_text())
    print(json.dumps({"goals": goals(kept.rows)}))


if __name__ == "__main__":
    main()
