"""Generators beside authentic microstructures, over materials and seeds; writes benchmarks/generators.md.

Usage: python benchmarks/generators.py berea.zip [--quick] [--material NAME ...] [--size N ...] [--generators NAME ...]
           [--seeds N] [--set NAME=VALUE ...]

Every generator learns from 200 windows on one thread, draws, and is judged against windows that it has not seen, beside
trivial imitations, which are judged once. The rows are kept in generators.json and shown in generators.md; with --quick
in generators_quick.*, of short trainings and few samples, which show that all works and not what is good. For each
generator a sheet of samples and authentic windows in random order is drawn in the folder of --sheets, and which are
samples is written beside it. The last line of the output is the table of goals, as JSON.
"""

from __future__ import annotations

import argparse
import inspect
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import generator_goals
import numpy as np
import page
import torch
from kept_rows import KeptRows
from specimens import berea
from textures import BASELINES, CEILING, MATERIALS, Material, material, mirrored, shuffled

from matopt.data.images.contact_sheet import contact_sheet
from matopt.generators.base import GENERATORS, LatentGenerator
from matopt.microstructures import Microstructures
from matopt.properties import NOT_CONVERGED, PropertyTable
from matopt.registry import Component
from matopt.stages.judgement.active_dimensions import active_dimensions
from matopt.stages.judgement.judge import Drawn, Judge
from matopt.stages.judgement.statistics import TEN
from matopt.stages.judgement.two_sample_test import Classifier
from matopt.stages.simulate import simulate

HERE = Path(__file__).parent
PROPERTIES = ("youngs_modulus", "diffusivity", "permeability")
SHORT = {"steps": 40, "detail_steps": 40, "sampling_steps": 8, "channels": 16, "trees": 20}
"""What quick runs set where a generator has such a setting: no more than the default of any."""

OF_IMAGES = [name for name in GENERATORS.names() if not GENERATORS.find(name).draws_volumes]
"""Volumes of slices are judged by volumes.py."""

SHEET = 32
"""Samples, and as many authentic windows, on a sheet."""


@dataclass(frozen=True)
class Scale:
    """How much is done."""

    sizes: dict[str, tuple[int, ...]]
    drawn: int
    repeats: int
    has_properties: bool


FULL = Scale({name: (64, 128) if name == "berea" else (64,) for name in MATERIALS}, 800, 2, True)
QUICK = Scale(dict.fromkeys(MATERIALS, (64,)), 100, 1, False)


class Court:
    """One material and size, with its judges."""

    def __init__(self, real: Material, scale: Scale) -> None:
        self.real, self.scale = real, scale
        pool = real.pool
        if scale.has_properties and (table := converged(pool.microstructures)) is not None:
            pool = type(pool)(pool.microstructures, pool.groups, table)
        self.judge = Judge(pool, real.train, scale.drawn)
        self.classifier = Classifier(pool, self.judge.set_size, scale.repeats)

    def row(self, raw: torch.Tensor, groups: np.ndarray | None = None) -> dict:
        """Judge what was drawn; of which groups, where samples are not independent."""
        samples = Microstructures.from_density(raw, self.real.train.voxel_size)
        table = converged(samples) if self.judge.pool.properties is not None else None
        found = self.judge.judge(Drawn(raw, samples.voxel_size, table))
        test = self.classifier.test(samples, groups)
        worst = max((found.distance(name) for name in TEN), key=lambda d: d.multiple)
        return {
            "classifier": test.accuracy,
            "excess": test.excess,
            "within, of ten": found.within_of_ten,
            "beyond": ", ".join(d.name for d in found.distances if not d.is_within) or "none",
            "farthest": f"{worst.name}, {worst.multiple:.1f} times",
            "style, deviations": found.style.deviations,
            "spread": found.spread,
            "grey": found.grey_images,
            "copies": found.copies.share,
            "copies, from": found.copies.low,
            "to": found.copies.high,
            "sets": found.set_size,
        }


def converged(microstructures: Microstructures) -> PropertyTable | None:
    """Solve for all properties; None where a value is not reached, so that geometry alone is judged."""
    table = simulate(microstructures, PROPERTIES)
    if (table.status == NOT_CONVERGED).any():
        print("properties are left out: some values did not converge", flush=True)
        return None
    return table


def generated(kind: str, seed: int, court: Court, settings: dict[str, Any]) -> tuple[dict, torch.Tensor]:
    """Fit a generator with those settings that it has, draw, and judge; the seconds are of the processor."""
    allowed = inspect.signature(GENERATORS.find(kind)).parameters
    settings = {name: value for name, value in settings.items() if name in allowed}
    generator = GENERATORS.build(Component(kind, settings))
    start = time.process_time()
    generator.fit(court.real.train, seed=seed)
    fitted = time.process_time()
    raw = generator.sample(court.scale.drawn, seed=1000 + seed)
    drawn = time.process_time()
    active = ""
    if isinstance(generator, LatentGenerator):
        active = f"{active_dimensions(generator, court.real.train.density())} of {generator.latent_dim}"
    times = {"fit [s]": fitted - start, "1000 samples [s]": (drawn - fitted) * 1000 / len(raw)}
    return {**court.row(raw), **times, "active dimensions": active}, raw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="short trainings, few samples, Berea 64^2 alone")
    parser.add_argument("--material", nargs="*", default=[], choices=MATERIALS, help="all by default")
    parser.add_argument(
        "--size", nargs="*", type=int, default=[], help="of windows; all that a material has by default"
    )
    parser.add_argument("--generators", nargs="*", default=[], help="by their registered names; all by default")
    parser.add_argument("--seeds", type=int, help="of each generator; three by default, one with --quick")
    parser.add_argument("--set", nargs="*", default=[], help="settings, in a row of their own; the defaults without")
    parser.add_argument("--sheets", type=Path, default=HERE / "sheets", help="where contact sheets go")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if unknown := set(arguments.generators) - set(OF_IMAGES):
        parser.error(f"no such generator: {', '.join(sorted(unknown))}; there are {', '.join(OF_IMAGES)}")
    scale = QUICK if arguments.quick else FULL
    seeds = arguments.seeds or (1 if arguments.quick else 3)
    settings = SHORT if arguments.quick else {}
    given = dict(text.split("=", 1) for text in arguments.set)
    settings = {**settings, **{name: json.loads(value) for name, value in given.items()}}
    path = HERE / ("generators_quick.json" if arguments.quick else "generators.json")
    kept = KeptRows(path, ("material", "size", "model", "seed"), PROPERTIES)
    rock = berea(arguments.scan)
    for name in arguments.material or (["berea"] if arguments.quick else MATERIALS):
        for size in [n for n in scale.sizes[name] if not arguments.size or n in arguments.size]:
            court = Court(material(name, rock, size, scale.drawn), scale)
            place = {"material": name, "size": size}
            for model, imitate in BASELINES.items():
                if not kept.find(**(label := {**place, "model": model, "seed": 0})):
                    keep(kept, label, court.row(imitate(court.real.authentic).density()))
            if not kept.find(**(label := {**place, "model": CEILING, "seed": 0})):
                windows, number = mirrored(court.real.train, scale.drawn)
                keep(kept, label, court.row(windows.density(), number))
            for kind in arguments.generators or OF_IMAGES:
                for seed in range(seeds):
                    model = ", ".join([kind, *(f"{name} {value}" for name, value in given.items())])
                    label = {**place, "model": model, "seed": seed}
                    row, raw = generated(kind, seed, court, settings)
                    keep(kept, label, row)
                    if seed == 0:
                        sheet(arguments.sheets / f"{name}_{size}_{kind}", raw, court.real.authentic)
    print(json.dumps({"goals": generator_goals.goals(kept.rows)}))


def sheet(stem: Path, raw: torch.Tensor, real: Microstructures) -> None:
    """Draw samples and authentic windows in random order; the key tells which are samples, row by row."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    mixed, is_sample = shuffled(raw, real, SHEET, seed=len(stem.name))
    contact_sheet(stem.with_suffix(".png"), mixed)
    key = "".join("s" if sample else "r" for sample in is_sample)
    lines = [key[i : i + 8] for i in range(0, len(key), 8)]
    stem.with_suffix(".key.txt").write_text("s = sample, r = real\n" + "\n".join(lines) + "\n")


def keep(kept: KeptRows, label: dict, row: dict) -> None:
    """Put a row in place of the former one with its label, print it, and write the page anew."""
    kept.keep({**label, **row})
    print(page.table([{**label, **row}]), flush=True)
    kept.path.with_suffix(".md").write_text(generator_goals.markdown(kept.rows))


if __name__ == "__main__":
    main()
