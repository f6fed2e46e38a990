"""Stiff and open at once: what designs by a predictor reach between two properties, and what can be had without it.

    python benchmarks/front.py ../shared/data/berea.zip [--quick] [--seeds N] [--generator FILE] [--keep FOLDER]

Windows of Berea, 64^2 voxels, all of porosity .2, are made stiffer, more diffusive, or both, seed by seed: drawn by the
generator of design.py and judged by a predictor that learnt the fields of both properties of the same 100 windows.
Beside it the same search by the physics itself, by nothing, and the best of as many solved samples. The table goes to
front.md and the figure of the report to front.png. The last line is one of JSON: the goals, and whether they are met.
``--quick``: few seeds and draws, short trainings, files of their own.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import page
import torch
from design import Remembering
from design_models import Models, rock_of
from design_page import interval
from specimens import VOXEL, berea

from matopt.design.ascent import optimise
from matopt.design.judges import WhiteNoise
from matopt.design.optimisers.base import Optimiser
from matopt.design.optimisers.draw_and_screen import DrawAndScreen
from matopt.design.optimisers.moves import Moves
from matopt.design.settings import AscentSettings
from matopt.design.spaces.base import Material
from matopt.design.spaces.resampling import Resampling
from matopt.microstructures import Microstructures
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.predictors.full_field import FullField
from matopt.properties import Property, PropertyTable
from matopt.registry import Component
from matopt.report.figures.base import FIGURES
from matopt.report.findings import Findings
from matopt.report.front import FrontScale
from matopt.stages.ascent import Role
from matopt.stages.design import recorded
from matopt.stages.records import DesignResult, SpaceResult
from matopt.stages.simulate import simulate
from matopt.traits.base import PropertyModel

HERE = Path(__file__).parent
POROSITY = 0.2
FIRST, SECOND = "youngs_modulus", "diffusivity"


class Both:
    """The physics of both properties, which keeps what it solved."""

    def __init__(self, models: Models) -> None:
        self.simulators = [YoungsModulus(), Diffusivity()]
        self.properties = tuple(s.property for s in self.simulators)
        self._store = models.store

    def label(self, microstructures: Microstructures) -> PropertyTable:
        """Look up or compute both."""
        return simulate(microstructures, self.simulators, self._store)

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """``(N, 2)`` SI values."""
        return torch.from_numpy(self.label(Microstructures.from_density(density, VOXEL)).values).float()


def predictor(models: Models, physics: Both, is_quick: bool) -> FullField:
    """The predictor of both, fitted or loaded."""
    model = FullField(**({"steps": 200} if is_quick else {}))
    path = models.folder / f"fields_of_both{'_quick' if is_quick else ''}.pt"
    if path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
        return model
    train, held = models.rock.train, models.rock.held_out
    model.fit(train, physics.label(train), (held, physics.label(held)), seed=0)
    torch.save(model.state_dict(), path)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="few seeds and draws, short trainings")
    parser.add_argument("--seeds", type=int, help="designs; thirty by default, ten with --quick")
    parser.add_argument("--generator", type=Path, help="file of the fitted generator, made where it is not there")
    parser.add_argument("--keep", type=Path, help="folder of models, draws and labels; runs/design by default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    name = "front_quick" if arguments.quick else "front"
    folder = arguments.keep or Path("runs") / ("design_quick" if arguments.quick else "design")
    (folder / "draws").mkdir(parents=True, exist_ok=True)
    rock = rock_of(berea(arguments.scan))
    models = Models(rock, folder, arguments.generator or folder / "generator.pt", arguments.quick)
    physics = Both(models)
    model = predictor(models, physics, arguments.quick)
    generator = Remembering()
    generator.load_state_dict(models.generator().state_dict())
    generator.folder = folder / "draws"
    material = Material(generator, authentic=rock.train, held_out=rock.held_out)
    region = material.trust_region(0.95, seed=0)
    draws, steps = (8, 10) if arguments.quick else (64, 60)
    seeds = arguments.seeds or (10 if arguments.quick else 30)
    settings = AscentSettings(
        property=FIRST, against=SECOND, start_porosity=POROSITY, seeds=seeds, steps=steps, n_checked=2
    )
    alone = AscentSettings(property=FIRST, start_porosity=POROSITY, seeds=seeds, steps=steps, n_checked=2)
    cases: list[tuple[Role, PropertyModel, Optimiser, AscentSettings]] = [
        ("design", model, Moves(draws), settings),
        ("physics", physics, Moves(draws), settings),
        ("nothing", WhiteNoise(physics.properties[0], seed=0), Moves(draws), alone),
        ("best_of_solved", physics, DrawAndScreen(2 * draws), settings),
    ]
    runs = []
    for role, judge, optimiser, wanted in cases:
        witness = None if judge is model else model
        designs = optimise(judge, wanted, Resampling(), optimiser, material, region, 0, witness)
        tables = [physics.label(designs.microstructures(column)) for column in range(len(designs.checked))]
        runs.append(recorded("resampling", role, designs, tables, (np.nan, np.nan), SECOND))
        print(f"{role}: {designs.solves.mean():.0f} judged, each", flush=True)
    result = DesignResult(
        FIRST, "maximize", settings.porosity_tolerance, tuple(runs[:1]), tuple(runs[1:]), against=SECOND
    )
    write(HERE / name, result, physics)
    print(json.dumps({"goals": goals(result, physics.properties)}))


def write(stem: Path, result: DesignResult, physics: Both) -> None:
    """Write the page and draw the figure, as a study's report does."""
    findings = Findings(stem.name, "", physics.properties, (), (), 0, design=result)
    figure = FIGURES.build(Component("front"))
    with TemporaryDirectory() as scratch:
        shutil.copy(figure.draw(Path(scratch), findings), stem.with_suffix(".png"))
    table = figure.table(findings)
    assert table is not None
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    beyond = [(run.role.replace("_", " "), more(result, run, physics.properties)) for run in result.baselines]
    differences = [
        {"against": role, "difference of the gains, seed by seed": f"{mean:.2f} [{low:.2f}, {high:.2f}]"}
        for role, (mean, low, high) in beyond
    ]
    reached = [
        {"goal": goal, "value": value, "wanted": wanted, "met": "yes" if is_met else "no"}
        for goal, (value, wanted, is_met) in goals(result, physics.properties).items()
    ]
    text = (
        "# Stiff and open at once: designs of Berea, 64^2 voxels, porosity .2",
        f"Young's modulus along x against the diffusivity of the pores along x, {len(result.spaces[0].true)} seeds. "
        + figure.caption,
        page.table(rows),
        "Brackets: 95 % interval of a mean, seeds resampled.",
        page.table(differences),
        f"![The ends]({stem.name}.png)",
        "## Goals",
        page.table(reached),
    )
    stem.with_suffix(".md").write_text("\n\n".join(text) + "\n")


def more(result: DesignResult, run: SpaceResult, properties: tuple[Property, Property]) -> tuple[float, float, float]:
    """What designs by the predictor gained beyond others, seed by seed, and its 95 % interval."""
    scale = FrontScale.of(result, properties)
    paired = scale.gains(result.spaces[0], "true") - scale.gains(run, "true")
    known = paired[np.isfinite(paired)]
    return float(known.mean()), *interval(known)


def goals(result: DesignResult, properties: tuple[Property, Property]) -> dict[str, tuple[float, float, bool]]:
    """Value, goal and whether it is met, by name."""
    scale = FrontScale.of(result, properties)
    runs = {run.role: run for run in (*result.spaces, *result.baselines)}
    gained = {role: np.nanmean(scale.gains(run, "true")) for role, run in runs.items()}
    promised = np.nanmean(scale.gains(runs["design"], "promised"))
    share = float(gained["design"] / gained["physics"])
    low = more(result, runs["best_of_solved"], properties)[1]
    off = float(abs(promised - gained["design"]) / gained["design"])
    return {
        "true gain over that of the physics, of both properties": (round(share, 3), 0.9, share >= 0.9),
        "lower end over as many solved samples, deviations": (round(low, 3), 0.0, low > 0),
        "gap between promise and truth, of the gain": (round(off, 3), 0.1, off <= 0.1),
    }


if __name__ == "__main__":
    main()
