"""How far permeability depends on the grid, and on what is beyond a sample's faces; writes benchmarks/permeability.md.

Usage: python benchmarks/permeability.py berea.zip [--quick] [--case NAME ...]

Resolution: bodies of known permeability, and sections and blocks of Berea against themselves with every voxel refined,
by the walls of matopt and by walls half a voxel away, as other codes have them. Boundaries: the scatter of labels at
equal porosity, what a network learns of them, and what they cost. Rows are kept in permeability.json as they come; with
--quick in permeability_quick.*, of few samples. The last line of the output is the table of goals, as JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import boundaries
import numpy as np
import page
import torch
from specimens import ball, berea, density
from walls import half_cell

from matopt.physics.permeability import Permeability

HERE = Path(__file__).parent
WALLS = {"exact in slits": nullcontext, "half a voxel away": half_cell}
WIDTHS = (1, 2, 3, 5, 10)
ANGLES = (0, 15, 30, 45)
CYLINDERS = {0.1: 24.83, 0.3: 102.90, 0.5: 532.55}
"""Drag over viscosity and mean velocity by share: Sangani and Acrivos, Int. J. Multiphase Flow 8 (1982) 193."""
SPHERES = {0.125: 4.292, 0.343: 15.4, 0.5236: 42.1}
"""Drag over Stokes' by share, simple cubic: Zick and Homsy, J. Fluid Mech. 115 (1982) 13."""
DUCT = 0.0351443
"""Conductance of a square duct over its edge to the fourth."""

Solve = Callable[[np.ndarray, float], float]


def ducts(image: np.ndarray, voxel: float = 1.0) -> float:
    """The periodic axial permeability of a section ``(*S)``."""
    return Permeability(boundary="periodic").solve(density(image[None]), voxel).values.item()


def across(image: np.ndarray, voxel: float = 1.0) -> float:
    """The periodic permeability of a section or volume ``(*S)`` along x."""
    return Permeability("transverse", boundary="periodic").solve(density(image[None]), voxel).values.item()


def known_bodies(rock: np.ndarray, quick: bool) -> list[dict]:
    """Slits, ducts, cylinders and spheres: the ratio to the exact value, by walls."""
    rows = []
    for case, solve, image, voxel, exact in _known(quick):
        ratios = {}
        for name, wall in WALLS.items():
            with wall():
                ratios[name] = solve(image, voxel) / exact
        rows.append({"body": case, **ratios})
    return rows


def _known(quick: bool) -> list[tuple[str, Solve, np.ndarray, float, float]]:
    """Name, solver, image, voxel size and exact permeability of each body."""
    found: list[tuple[str, Solve, np.ndarray, float, float]] = []
    for angle in ANGLES:
        for width in WIDTHS:
            image = slit(width, angle)
            pore = 1 - image.mean()
            found.append((f"slit {width} wide at {angle} degrees", ducts, image, 1.0, pore * width**2 / 12))
    for width in WIDTHS:
        image = np.pad(np.zeros((width, width)), 1, constant_values=1)
        found.append((f"square duct {width} wide", ducts, image, 1.0, DUCT * width**4 / image.size))
    for size in (64,) if quick else (64, 128, 256):
        for share, drag in CYLINDERS.items():
            found.append((f"cylinders, c = {share}, {size}^2", across, ball(size, share, 2), 1 / size, 1 / drag))
    for size in (32,) if quick else (16, 32, 64):
        for share, drag in SPHERES.items():
            radius = (3 * share / 4 / math.pi) ** (1 / 3)
            exact = 1 / (6 * math.pi * radius * drag)
            found.append((f"spheres, c = {share}, {size}^3", across, ball(size, share, 3), 1 / size, exact))
    return found


def slit(width: float, angle: float, size: int = 120) -> np.ndarray:
    """Grain but for a slit of a width in voxels, at an angle to axis 1, whose image is periodic along the slit."""
    steps = round(math.tan(math.radians(angle)) * size)  # the slit comes in where it went out
    tangent = steps / size
    y, x = np.mgrid[:size, :size] + 0.5
    away = (y - 0.37 - tangent * x) % size
    away = np.minimum(away, size - away) / math.sqrt(1 + tangent**2)
    return (away > width / 2).astype(float)


def refined_sections(rock: np.ndarray, quick: bool) -> list[dict]:
    """Sections of Berea 64^2 along their normal, against the same of voxels refined sixfold."""
    return _refined(rock, (64, 64), 6 if quick else 24, (1, 2, 6), ducts)


def refined_blocks(rock: np.ndarray, quick: bool) -> list[dict]:
    """Blocks of Berea along x, against the same of voxels refined by two and four."""
    return _refined(rock, (24,) * 3 if quick else (32,) * 3, 6 if quick else 16, (1, 2, 4), across)


def _refined(
    rock: np.ndarray, shape: tuple[int, ...], count: int, factors: tuple[int, ...], solve: Solve
) -> list[dict]:
    """Ratios to the finest grid, and to what the two finest grids extrapolate to, to first order."""
    random, found = np.random.default_rng(11), {name: [] for name in WALLS}
    while len(found["exact in slits"]) < count:
        corner = random.integers(0, np.array(rock.shape[-len(shape) :]) - shape + 1)
        place = tuple(slice(a, a + n) for a, n in zip(corner, shape, strict=True))
        image = rock[place] if len(shape) == 3 else rock[random.integers(len(rock))][place]
        if not solve(image, 1.0):
            continue
        for name, wall in WALLS.items():
            with wall():
                grids = [np.kron(image, np.ones((f,) * image.ndim)) for f in factors]
                found[name].append([solve(grid, 1 / f) for grid, f in zip(grids, factors, strict=True)])
    rows, (coarser, finest) = [], factors[-2:]
    for name, values in found.items():
        k = np.array(values)
        limit = k[:, -1] + (k[:, -1] - k[:, -2]) * coarser / (finest - coarser)
        for factor, each in zip(factors, k.T, strict=True):
            row = {"Berea": f"{count} of {shape[0]}^{len(shape)}", "wall": name, "refined by": factor}
            for against, reference in ((f"refined by {finest}", k[:, -1]), ("extrapolated", limit)):
                ratio = each / reference
                row |= {f"over {against}, median": float(np.median(ratio)), f"{against}, spread": float(ratio.std())}
            rows.append(row)
    return rows


LEARNT = "What a network learns of labels, by boundary"
CASES: dict[str, tuple[str, Callable[[np.ndarray, bool], list[dict]]]] = {
    "known": ("Ratio to the exact permeability", known_bodies),
    "sections": ("Sections of Berea, every voxel refined", refined_sections),
    "blocks": ("Blocks of Berea, every voxel refined", refined_blocks),
    "boundaries": ("What is beyond a sample's faces", boundaries.scatter),
    "whole": ("Windows against whole slices", boundaries.against_whole),
    "learnt": (LEARNT, partial(boundaries.learnt, 2)),
    "learnt_volumes": (LEARNT, partial(boundaries.learnt, 3)),
}


def goals(results: dict[str, list[dict]]) -> dict[str, list]:
    """The spread of a block's ratio to its refined self, and slits along the grid."""
    table: dict[str, list] = {}
    for row in results.get("blocks", []):
        if row["wall"] == "exact in slits" and row["refined by"] == 1:
            spread = row["refined by 4, spread"] / row["over refined by 4, median"]
            table["relative spread of a block's ratio to its refined self"] = [spread, 0.05, bool(spread < 0.05)]
    slits = [row["exact in slits"] for row in results.get("known", []) if "at 0 degrees" in row["body"]]
    if slits:
        error = max(abs(ratio - 1) for ratio in slits)
        table["largest error of slits along the grid"] = [error, 1e-3, bool(error < 1e-3)]
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="few samples")
    parser.add_argument("--case", action="append", choices=CASES, help="one of the cases; may be repeated")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rock = berea(arguments.scan)
    stem = "permeability_quick" if arguments.quick else "permeability"
    kept = HERE / f"{stem}.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    for name in arguments.case or CASES:
        start = time.process_time()
        results[name] = CASES[name][1](rock, arguments.quick)
        print(f"{name}, {time.process_time() - start:.0f} s\n{page.table(results[name])}\n", flush=True)
        kept.write_text(json.dumps(results, indent=1) + "\n")
        parts = ["# Permeability: the grid and the boundaries", __doc__.split("\n\n")[2].replace("\n", " ")]
        for heading in dict.fromkeys(heading for heading, _ in CASES.values()):
            tables = [page.table(results[n]) for n in CASES if n in results and CASES[n][0] == heading]
            parts += ["\n\n".join([f"## {heading}", *tables])] if tables else []
        rows = [dict(zip(("goal", "value", "wanted", "met"), (g, *v), strict=True)) for g, v in goals(results).items()]
        parts += [f"## Goals\n\n{page.table(rows)}"] if rows else []
        (HERE / f"{stem}.md").write_text("\n\n".join(parts) + "\n")
    print(json.dumps({"goals": goals(results)}))


if __name__ == "__main__":
    main()
