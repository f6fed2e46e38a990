"""The simulators against other codes, closed forms and the machine, one thread each; writes benchmarks/README.md.

Usage: python benchmarks/physics.py berea.zip [CASE ...] [--without CASE ...]

Cases are named in :data:`CASES`; all by default. What a case measured is kept in benchmarks/physics.json, and the
page is written anew from all that is there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duels
import machine
import numpy as np
import page
import torch
import verification
from specimens import berea

from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus

HERE = Path(__file__).parent
SMALL = {32: (0, 60, 100, 160, 200, 260, 300, 360), 64: (0, 100, 200, 300)}
LARGE = {128: (100,)}

Case = Callable[[np.ndarray], list[dict]]
AGAINST, SIZE, BEREA = "Against other codes", "Iterations against size", "Berea in real units"
CASES: dict[str, tuple[str, Case]] = {
    "bandwidth": ("Against the speed of memory", machine.bandwidth),
    "diffusion": (AGAINST, duels.diffusion),
    "diffusion_batches": (AGAINST, duels.diffusion_batches),
    "elasticity": (AGAINST, duels.elasticity),
    "elasticity_32": (AGAINST, duels.elasticity_32),
    "elasticity_64": (AGAINST, duels.elasticity_64),
    "stokes": (AGAINST, duels.stokes),
    "windows": ("Windows of Berea with default settings", verification.windows),
    "gradients": ("What a gradient costs", machine.gradients),
    "memory": ("Memory", machine.memory),
    "compilation": ("What compilation costs", machine.compilation),
    "batches": ("Images a second against the size of the batch", machine.batches),
    "convergence": ("Convergence with the grid", verification.convergence),
    "growth_diffusion": (SIZE, partial(verification.growth, Diffusivity, SMALL)),
    "growth_diffusion_128": (SIZE, partial(verification.growth, Diffusivity, LARGE)),
    "growth_elasticity": (SIZE, partial(verification.growth, YoungsModulus, SMALL)),
    "growth_elasticity_128": (SIZE, partial(verification.growth, YoungsModulus, LARGE)),
    "growth_stokes": (SIZE, partial(verification.growth, Permeability, SMALL)),
    "growth_stokes_128": (SIZE, partial(verification.growth, Permeability, LARGE)),
    "mirror": ("Periodic and mirrored windows", verification.mirror),
    "bounds": (BEREA, verification.youngs_modulus_of_berea),
    "permeability_x": (BEREA, partial(verification.permeability_of_berea, "x")),
    "permeability_y": (BEREA, partial(verification.permeability_of_berea, "y")),
    "permeability_z": (BEREA, partial(verification.permeability_of_berea, "z")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"out of {', '.join(CASES)}; all by default")
    parser.add_argument("--without", nargs="*", default=[], metavar="CASE", help="cases to leave out, as slow ones")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if unknown := {*arguments.cases, *arguments.without} - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    rock = berea(arguments.scan)
    kept = HERE / "physics.json"
    for name in arguments.cases or CASES:
        if name in arguments.without:
            continue
        start = time.perf_counter()
        rows = CASES[name][1](rock)
        print(f"{name}, {time.perf_counter() - start:.0f} s\n{page.table(rows)}\n", flush=True)
        results = json.loads(kept.read_text()) if kept.exists() else {}
        results[name] = rows
        kept.write_text(json.dumps(results, indent=1) + "\n")
        page.write(HERE / "README.md", results, {name: heading for name, (heading, _) in CASES.items()})


if __name__ == "__main__":
    main()
