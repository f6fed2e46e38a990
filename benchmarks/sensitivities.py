"""Estimates of what voxels, blocks and layers do to properties, beside solves; writes benchmarks/sensitivities.md.

Usage: python benchmarks/sensitivities.py berea.zip [--quick] [--case NAME ...]

Windows of Berea in z >= 220, at random places; margins and tolerances were set on others. The estimates come from one
solve with default settings in single precision; the true changes from solves of the changed samples in double
precision. Beside the estimates are the sums of one-sided derivatives, for Young's modulus also those of the adjoint
(the energy of the displacement that the solver leaves in a pore), and what knows no physics: the solid fraction around
the changed voxels. Then what the laws for grey voxels are worth to designs. Rows are kept in sensitivities.json as they
come; with --quick in sensitivities_quick.*, of few windows and changes. The last line of the output is the table of
goals, as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import changes
import grey_laws
import numpy as np
import page
import torch
from scipy.stats import spearmanr
from specimens import VOXEL, berea, density

from matopt.physics.base import Simulator
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus

HERE = Path(__file__).parent
HELD_OUT = 220
KINDS = {"single voxels": 0.95, "blocks": 0.9, "layers": 0.9}


@dataclass(frozen=True)
class Case:
    """A property on samples of one size.

    Attributes:
        simulator: with default settings.
        tolerance: at which changes are true.
        shape: of the windows.
        windows: how many.
        count: of changes of a kind in a window.
        layer: edge of the boxes in which layers come or go.
    """

    simulator: Simulator
    tolerance: float
    shape: tuple[int, ...]
    windows: int = 12
    count: int = 24
    layer: int = 16


CASES = {
    "k duct, 64^2": Case(Permeability(), 1e-6, (64, 64)),
    "D, 64^2": Case(Diffusivity(), 1e-5, (64, 64)),
    "E, 64^2": Case(YoungsModulus(), 1e-4, (64, 64)),
    "k Stokes, 24^3": Case(Permeability(), 1e-4, (24, 24, 24), 6, 16, 8),
    "D, 24^3": Case(Diffusivity(), 1e-5, (24, 24, 24), 6, 16, 8),
    "E, 24^3": Case(YoungsModulus(), 1e-4, (24, 24, 24), 4, 10, 8),
}


def windows(rock: np.ndarray, case: Case) -> np.ndarray:
    """Windows at random places that have the property, and porosities of 5 to 60 %."""
    rng, found = np.random.default_rng(2024), []
    while len(found) < case.windows:
        extent = (1, *case.shape) if len(case.shape) == 2 else case.shape
        start = [rng.integers(low, n - e + 1) for low, n, e in zip((HELD_OUT, 0, 0), rock.shape, extent, strict=True)]
        cut = rock[tuple(slice(a, a + e) for a, e in zip(start, extent, strict=True))].reshape(case.shape)
        if 0.4 < cut.mean() < 0.95 and case.simulator.solve(density(cut[None]), VOXEL).is_ok.all():
            found.append(cut)
    return np.stack(found)


def rows(name: str, case: Case, cuts: np.ndarray) -> list[dict]:
    """How well each kind of change is estimated, medians over windows."""
    exact = replace(case.simulator, tolerance=case.tolerance)
    found: dict[str, list[dict[str, float]]] = {}
    for seed, cut in enumerate(cuts):
        sample = density(cut[None])
        told = case.simulator.sensitivity(sample, VOXEL)
        value = exact.solve(sample.double(), VOXEL).values
        adjoint = adjoint_in_pores(case.simulator, sample)
        for kind, moved in changes.changes(cut, case.count, case.layer, seed):
            if len(moved) < 3:
                continue
            after = density(moved)
            true = (exact.solve(after.double(), VOXEL).values - value).numpy()
            step = (after - sample)[:, 0].double()
            flips = (told.flip[:, 0] * step.abs()).flatten(1).sum(1).numpy()
            is_voxel = "a block" not in kind and "a layer" not in kind
            estimate = (
                flips
                if is_voxel
                else case.simulator.estimated_changes(sample, after, torch.zeros(len(after), dtype=torch.int64), VOXEL)
                .double()
                .numpy()
            )
            baselines = {
                "sum of flips": flips,
                "sum of derivatives": (told.derivative[:, 0] * step).flatten(1).sum(1).numpy(),
                "adjoint": None if adjoint is None else (adjoint * step).flatten(1).sum(1).numpy(),
                "solid nearby": changes.solid_nearby(cut, moved),
            }
            found.setdefault(kind, []).append(judged(true, estimate, baselines, abs(value.item())))
    return [{"case": name, "change": kind, **summary(each)} for kind, each in found.items()]


def judged(true: np.ndarray, estimate: np.ndarray, baselines: dict, value: float) -> dict[str, float]:
    """Correlations in a window; NaN where all changes are alike, as where nothing changes."""
    size = np.abs(true).max()
    if size < 1e-8 * value:
        return {"nothing changes": float(np.abs(estimate).max() < 1e-6 * value)}
    if true.std() < 1e-4 * size:
        return {"all alike": float(np.median(estimate / true))}
    return {
        "correlation": pearson(true, estimate),
        "of ranks": float(spearmanr(true, estimate).statistic),
        "true over estimate": float(np.median(true[estimate != 0] / estimate[estimate != 0])),
        **{name: np.nan if other is None else pearson(true, other) for name, other in baselines.items()},
    }


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """0 where the second does not vary."""
    return float(np.corrcoef(a, b)[0, 1]) if b.std() > 0 else 0.0


def summary(found: list[dict[str, float]]) -> dict[str, object]:
    """Medians over the windows in which changes differ."""
    told = [each for each in found if "correlation" in each]
    row: dict[str, object] = {"windows": len(told)}
    columns = ("correlation", "of ranks", "true over estimate", "sum of flips", "sum of derivatives", "adjoint")
    for column in (*columns, "solid nearby"):
        values = [each[column] for each in told]
        row[column] = float(np.median(values)) if told and not np.isnan(values).any() else ""
    row["least correlation"] = min((each["correlation"] for each in told), default="")
    alike = [f"all alike, estimate over true {np.median(v):.2f}" for v in [_those(found, "all alike")] if v]
    nothing = [f"nothing changes, estimated {sum(v):.0f} of {len(v)}" for v in [_those(found, "nothing changes")] if v]
    row["else"] = "; ".join(alike + nothing)
    return row


def _those(found: list[dict[str, float]], name: str) -> list[float]:
    return [each[name] for each in found if name in each]


def adjoint_in_pores(simulator: Simulator, sample: torch.Tensor) -> torch.Tensor | None:
    """For Young's modulus the energy of the displacement that the solver leaves, in pores too, ``(1, *S)``."""
    if not isinstance(simulator, YoungsModulus):
        return None
    fields = simulator._stretched(sample[:, 0])
    return fields.problem.energy_density(fields.solved.x, fields.tension).double() * simulator.youngs_modulus


def costs(name: str, case: Case, cuts: np.ndarray) -> dict:
    """Processor time of solves and of what is told besides, in turns, the least of six."""
    samples = density(cuts)
    moved = {"block": [], "layer": []}
    for cut in cuts:
        for kind, after in changes.changes(cut, 12, case.layer, 0):
            for word in moved:
                if word in kind:
                    moved[word].append(after)
    of = {word: torch.arange(len(cuts)).repeat_interleave(24) for word in moved}
    after = {word: density(np.concatenate(each)) for word, each in moved.items()}
    work = {
        "solve": lambda: case.simulator.solve(samples, VOXEL),
        "flips": lambda: case.simulator.sensitivity(samples, VOXEL),
        **{word: lambda w=word: case.simulator.estimated_changes(samples, after[w], of[w], VOXEL) for word in moved},
    }
    seconds: dict[str, list[float]] = {key: [] for key in work}
    for _ in range(6):
        for key, run in work.items():
            start = time.process_time()
            run()
            seconds[key].append(time.process_time() - start)
    least = {key: min(each) for key, each in seconds.items()}
    row: dict[str, object] = {
        "case": name,
        "solve, ms a window": 1e3 * least["solve"] / len(cuts),
        "all flips, in solves": (least["flips"] - least["solve"]) / least["solve"],
    }
    for word in moved:
        extra = (least[word] - least["solve"]) / len(after[word])
        row[f"a {word}, in solves"] = extra * len(cuts) / least["solve"]
        row[f"{word}s for a solve"] = least["solve"] / len(cuts) / extra
    return row


def goals(told: list[dict], cost: list[dict]) -> dict[str, list]:
    """The worst of each kind of change, and what the estimates cost, for each case."""
    out = {}
    for row in cost:
        name = row["case"]
        for kind, goal in KINDS.items():
            is_kind = {"blocks": "a block", "layers": "a layer"}.get(kind)
            worst = min(
                r["correlation"]
                for r in told
                if r["case"] == name
                and r["correlation"] != ""
                and (
                    is_kind in r["change"] if is_kind else "a block" not in r["change"] and "a layer" not in r["change"]
                )
            )
            out[f"{name}: {kind}, median correlation of the worst class"] = [worst, goal, worst >= goal]
        spent = row["all flips, in solves"]
        out[f"{name}: all single voxels, further solves"] = [spent, 1, spent <= 1]
        for word in ("block", "layer"):
            each = row[f"a {word}, in solves"]
            out[f"{name}: a {word}, further solves"] = [each, 1, each <= 1]
    return out


def write(kept: Path, results: dict[str, list[dict]], settings: str) -> None:
    """Keep the rows, and show them."""
    kept.write_text(json.dumps(results, indent=1) + "\n")
    headings = {
        "told": "Estimates beside true changes",
        "costs": "What they cost",
        "grey": "What designs on grey pixels become",
    }
    parts = ["# What voxels do, estimated", settings]
    for key, heading in headings.items():
        if results[key]:
            parts.append(f"## {heading}\n\n{page.table(results[key])}")
    kept.with_suffix(".md").write_text("\n\n".join(parts) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="three windows and eight changes of each kind")
    parser.add_argument("--case", action="append", choices=CASES, help="only these; other rows are kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rock = berea(arguments.scan)
    kept = HERE / ("sensitivities_quick.json" if arguments.quick else "sensitivities.json")
    results: dict[str, list[dict]] = {"told": [], "costs": [], "grey": []}
    if arguments.case and kept.exists():
        results = json.loads(kept.read_text())
    settings = (
        "Medians over windows of Berea, z >= 220, of correlations with true changes; processor time of one thread. "
        "`sum of flips`, `sum of derivatives`, `adjoint` and `solid nearby` are what the estimate is to be better than."
    )
    for name in arguments.case or CASES:
        case = CASES[name]
        if arguments.quick:
            case = replace(case, windows=3, count=8)
        cuts = windows(rock, case)
        for key in ("told", "costs"):
            results[key] = [row for row in results[key] if row["case"] != name]
        results["told"] += rows(name, case, cuts)
        results["costs"].append(costs(name, case, cuts))
        write(kept, results, settings)
        print(page.table([r for r in results["told"] if r["case"] == name]), flush=True)
        print(page.table(results["costs"][-1:]), flush=True)
    if not arguments.case:
        chosen = windows(rock, replace(CASES["E, 64^2"], windows=3 if arguments.quick else 12))
        results["grey"] = grey_laws.rows(chosen)
        write(kept, results, settings)
        print(page.table(results["grey"]))
    print(json.dumps({"goals": goals(results["told"], results["costs"])}))


if __name__ == "__main__":
    main()
