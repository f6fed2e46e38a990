"""Are designs by a predictor what the physics says they are, and better than what can be had without it?

    python benchmarks/design.py berea.zip [--quick] [--size 128] [--seeds N] [--generator FILE] [--keep FOLDER]

Windows of Berea, 64^2 voxels unless --size says otherwise, are made stiffer at the porosity that they have: seeds
drawn by a generator that learnt from 100 authentic windows, judged by predictors that learnt from the same windows: the
fields behind the modulus, or, beside them, its values alone, of perturbed copies of the windows too.
What each case gained by the physics stands beside what it promised, and beside designs without a model, by the solid
fraction, by the physics itself, and voxel by voxel; and how well a classifier tells its ends from rock of their
porosity. Cases that were run are kept in design.json and not run again with as many seeds; models, draws and labels are
kept in the folder of ``--keep``. The page, design.md, is made anew of all that is there. The last line is one of JSON:
the goals, and whether they are met. ``--quick``: ten seeds, short trainings, files of their own.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import design_page as page
import numpy as np
import torch
from design_likeness import Likeness
from design_models import AVERAGED, PREDICTORS, Models, rock_of
from specimens import berea

from matopt.design.ascent import Designs, optimise
from matopt.design.judges import SolidFraction, WhiteNoise
from matopt.design.optimisers.adam import Adam
from matopt.design.optimisers.annealing import Annealing
from matopt.design.optimisers.base import Optimiser
from matopt.design.optimisers.draw_and_screen import DrawAndScreen
from matopt.design.optimisers.moves import Moves
from matopt.design.settings import AscentSettings
from matopt.design.spaces.base import Material, Space
from matopt.design.spaces.pixel import Pixel
from matopt.design.spaces.resampling import Resampling
from matopt.design.trust_region import MorphologyTrustRegion
from matopt.generators.local_diffusion import LocalDiffusion
from matopt.microstructures import Microstructures
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.stages.r2 import r2
from matopt.traits.base import PropertyModel

HERE = Path(__file__).parent
PROPERTY = "youngs_modulus"
MODEL_SEEDS = 3
OFFERED = 10
"""Windows of rock of which the stiffest is chosen."""


@dataclass(frozen=True)
class Case:
    """One way to make designs.

    Attributes:
        name: in the tables.
        judge: a predictor of :class:`design_models.Models`, "physics", "solid fraction" or "nothing".
        optimiser: what improves designs.
        is_held: whether the porosity of the start is held.
        space: "resampling" or "pixel".
        seed: of the predictor.
        times: as many steps as other cases.
    """

    name: str
    judge: str
    optimiser: Optimiser
    is_held: bool = True
    space: str = "resampling"
    seed: int = 0
    times: int = 1


def cases(draws: int, size: int) -> list[Case]:
    """All cases of windows of a size; those that the goals are about come first."""
    both, climb, screen = Moves(draws), Moves(0), DrawAndScreen(draws)
    first, *others = (
        [Case(page.BOTH, "fields", both, seed=seed), Case(page.SCREEN, "fields", screen, seed=seed)]
        for seed in range(MODEL_SEEDS)
    )
    of_larger = [
        Case(page.AVERAGED, "averaged", both),
        Case(page.LEARNT, "longer", both),
        Case(page.LONGER, "fields", both, times=4),
        Case(page.PHYSICS_LONGER, "physics", both, times=4),
    ]
    return [
        *first,
        Case(page.PHYSICS, "physics", both),
        Case(page.NOTHING, "nothing", both),
        Case(page.SOLID_HELD, "solid fraction", both),
        Case(page.PIXEL, "fields", Adam(), space="pixel"),
        Case(page.SOLVED, "physics", DrawAndScreen(2 * draws)),
        Case(page.FREE, "fields", both, is_held=False),
        Case(page.SOLID, "solid fraction", both, is_held=False),
        Case(page.PHYSICS_FREE, "physics", both, is_held=False),
        *(of_larger if size > AVERAGED else []),
        Case(page.COPIES, "copies", both),
        Case(page.VALUES, "values", both),
        Case(page.CLIMB, "fields", climb),
        Case(page.ANNEAL, "fields", Annealing(draws=draws)),
        *(case for pair in others for case in pair),
    ]


class Remembering(LocalDiffusion):
    """The generator, which keeps what it drew: all cases are offered the same draws."""

    folder: Path

    def sample(self, n: int, seed: int, *, porosity: torch.Tensor | None = None, **asked: object) -> torch.Tensor:
        """Draw, or load what was drawn before."""
        text = [n, seed, None if porosity is None else np.asarray(porosity).round(5).tolist()]
        path = self.folder / f"{blake2b(json.dumps(text).encode(), digest_size=12).hexdigest()}.npy"
        if not path.exists():
            drawn = super().sample(n, seed, porosity=porosity, **asked)  # ty: ignore[invalid-argument-type]
            np.save(path, (drawn >= 0.5).numpy())
        return torch.from_numpy(np.load(path).astype(np.float32))


class Solver:
    """The physics as a judge of binary microstructures, which keeps what it solved."""

    def __init__(self, models: Models) -> None:
        self.properties = (YoungsModulus().property,)
        self._models = models

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """``(N, 1)`` moduli, Pa."""
        found = self._models.label(Microstructures.from_density(density, self._models.rock.train.voxel_size))
        return torch.from_numpy(found.values).float()


class Bench:
    """The rock, its models and its trust region, and what is designed with them."""

    def __init__(self, models: Models, seeds: int, steps: int) -> None:
        self.models, self.seeds, self.steps = models, seeds, steps
        self.generator = Remembering()
        self.generator.load_state_dict(models.generator().state_dict())
        self.generator.folder = models.folder / "draws"
        self.generator.folder.mkdir(parents=True, exist_ok=True)
        rock = models.rock
        self.material = Material(self.generator, authentic=rock.train, held_out=rock.held_out)
        self.region = self.material.trust_region(0.95, seed=0)
        self.likeness = Likeness(rock.test, rock.test_slices, models.label(rock.test).values[:, 0] / 1e9)

    def admitted(self) -> dict[str, float]:
        """The share of windows that the region admits, by set, and by the limits that were in use before."""
        sets = {"held out": self.models.rock.held_out, "test": self.models.rock.test}
        found = {}
        for name, windows in sets.items():
            distance = torch.cat([self.region.distance(part) for part in windows.density().split(64)])
            found[name] = float((distance <= self.region.limit).float().mean())
            for quantile in (0.5, 0.95):
                old = MorphologyTrustRegion(
                    self.region._features, self.models.rock.train.density(), None, quantile
                ).limit
                found[f"{name}, {quantile} of training"] = float((distance <= old).float().mean())
        return found

    def told(self) -> dict[str, float | None]:
        """How well the classifier of the ends tells what nothing was designed of, chosen by nothing and by stiffness.

        Whoever chooses by stiffness changes what is typical, of rock too.
        """
        rock = self.models.rock.spare
        sets = {"rock of other slices": rock, "samples": self.generator.draw(OFFERED * self.seeds, seed=2000)}
        found = {}
        for name, windows in sets.items():
            stiffness = self.models.label(windows).values[:, 0]
            alike = np.argsort(windows.porosity, kind="stable")[: len(windows) // OFFERED * OFFERED]
            alike = np.random.default_rng(0).permutation(alike.reshape(-1, OFFERED))[: self.seeds]
            stiffest = alike[np.arange(len(alike)), stiffness[alike].argmax(1)]
            found[name] = self.likeness.excess(windows[alike[:, 0]])
            found[f"{name}, the stiffest of {OFFERED} of one porosity"] = self.likeness.excess(windows[stiffest])
        return found

    def run(self, case: Case) -> dict:
        """Make the designs of a case, and solve what it kept of them."""
        start = time.process_time()
        designs = self.designs(case, self._judge(case), self.models.predictor("fields", case.seed))
        return self.row(case, designs, time.process_time() - start)

    def designs(self, case: Case, judge: PropertyModel, witness: PropertyModel, search_seed: int = 0) -> Designs:
        """Make designs by a judge; another ``search_seed`` tries other candidates from the same starts."""
        space: Space = Pixel() if case.space == "pixel" else Resampling()
        settings = AscentSettings(
            property=PROPERTY,
            seeds=self.seeds,
            steps=self.steps * case.times,
            porosity_tolerance=0.01 if case.is_held else None,
        )
        region = None if case.space == "pixel" else self.region
        seen_by = None if case.judge in PREDICTORS else witness
        return optimise(judge, settings, space, case.optimiser, self.material, region, 0, seen_by, search_seed)

    def _judge(self, case: Case) -> PropertyModel:
        if case.judge == "physics":
            return Solver(self.models)
        property_ = YoungsModulus().property
        if case.judge == "solid fraction":
            return SolidFraction(property_)
        if case.judge == "nothing":
            return WhiteNoise(property_, seed=0)
        return self.models.predictor(case.judge, case.seed)

    def row(self, case: Case, designs: Designs, seconds: float) -> dict:
        """What is kept of the designs of a case, and what the physics says of them."""
        true, inside, told = [], None, None
        for column in range(len(designs.checked)):
            found = designs.microstructures(column)
            true.append(self.models.label(found).values[:, 0] / 1e9)
            distance = torch.cat([self.region.distance(part) for part in found.density().split(64)])
            inside = (distance <= self.region.limit).tolist()
            if column == len(designs.checked) - 1:
                told = self.likeness.excess(found)
        predicted = designs.predicted[:, designs.checked] / 1e9
        return {
            "case": case.name,
            "model": case.seed,
            "seeds": self.seeds,
            "seconds": seconds,
            "predicted": predicted.round(4).tolist(),
            "true": np.stack(true, 1).round(4).tolist(),
            "porosity": (1 - designs.volume_fraction[:, designs.checked]).round(5).tolist(),
            "inside": inside,
            "told": told,
            "solves": designs.solves.tolist(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="few seeds and draws, short trainings")
    parser.add_argument("--size", type=int, default=64, choices=(64, 128), help="voxels along an edge; 64 by default")
    parser.add_argument("--seeds", type=int, help="designs; a hundred by default, ten with --quick")
    parser.add_argument("--generator", type=Path, help="file of the fitted generator, made where it is not there")
    parser.add_argument("--keep", type=Path, help="folder of models, draws and labels; runs/design by default")
    parser.add_argument("--only", nargs="*", default=[], help="cases by their names; all by default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    name = "design" + ("" if arguments.size == 64 else f"_{arguments.size}") + ("_quick" if arguments.quick else "")
    folder = arguments.keep or Path("runs") / name
    folder.mkdir(parents=True, exist_ok=True)
    rock = rock_of(berea(arguments.scan), arguments.size)
    models = Models(rock, folder, arguments.generator or folder / "generator.pt", arguments.quick)
    draws, steps = (8, 10) if arguments.quick else (64, 60)
    bench = Bench(models, arguments.seeds or (10 if arguments.quick else 100), steps)
    path = HERE / f"{name}.json"
    kept = json.loads(path.read_text()) if path.exists() else {"rows": []}
    kept["size"] = arguments.size
    kept["admitted"] = bench.admitted()
    if kept.get("told", {}).get("seeds") != bench.seeds:
        kept["told"] = {"seeds": bench.seeds, **bench.told()}
    for case in cases(draws, arguments.size):
        if arguments.only and case.name not in arguments.only:
            continue
        same = [r for r in kept["rows"] if (r["case"], r["model"]) == (case.name, case.seed)]
        if same and same[0]["seeds"] >= bench.seeds:
            continue
        row = bench.run(case)
        kept["rows"] = [r for r in kept["rows"] if r not in same] + [row]
        path.write_text(json.dumps(kept) + "\n")
        path.with_suffix(".md").write_text(page.markdown(kept))
        gain = np.array(row["true"])[:, -1] - np.array(row["true"])[:, 0]
        print(f"{case.name} {case.seed}: {np.median(gain):.1f} GPa in {row['seconds']:.0f} s", flush=True)
    for row in kept["rows"]:
        porosity, modulus = (np.array(row[of])[:, -1] for of in ("porosity", "true"))
        row["told by modulus"] = bench.likeness.excess_by_modulus(porosity, modulus)
    ran = {row["case"] for row in kept["rows"]}
    judges = dict.fromkeys(c.judge for c in cases(draws, arguments.size) if c.name in ran and c.judge in PREDICTORS)
    test, labels = rock.test, models.label(rock.test)
    kept["r2"] = {kind: r2(models.predictor(kind, seed=0), test, labels)[PROPERTY] for kind in judges}
    if (gain := page.gains(kept, page.PHYSICS)) is not None:
        kept["largest gain"] = bench.likeness.largest_gain(page.TOLD, float(gain.mean()))
    path.write_text(json.dumps(kept) + "\n")
    path.with_suffix(".md").write_text(page.markdown(kept))
    print(json.dumps({"goals": page.goals(kept)}))


if __name__ == "__main__":
    main()
