"""The simulators against other codes, closed forms and the machine, one thread each; writes benchmarks/README.md.

Usage: python benchmarks/physics.py berea.zip [CASE ...]

Cases are named in :data:`CASES`; all by default. What a case measured is kept in benchmarks/physics.json, and the
page is written anew from all that is there.
"""

from __future__ import annotations

import json
import math
import platform
import subprocess
import sys
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import peers
import tifffile
import torch
from contest import GOAL, Contender, duel, table

from matopt.physics.base import SIMULATORS, Simulator
from matopt.physics.diffusion import Diffusivity
from matopt.physics.elasticity import YoungsModulus
from matopt.physics.permeability import SQUARE_METRES_A_MILLIDARCY, Permeability

HERE = Path(__file__).parent
VOXEL = 5.345e-6
TOLERANCES = (3e-2, 1e-2, 3e-3, 1e-3)


def berea(path: Path) -> np.ndarray:
    """``(400, 400, 400)`` uint8, 1 in grains."""
    with zipfile.ZipFile(path) as archive, archive.open("berea.tif") as file:
        return (tifffile.imread(file) > 0).astype(np.uint8)


def tensor(solid: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(solid[:, None].astype(np.float32))


def ours(name: str, solid: np.ndarray, kind: type[Simulator], **settings) -> Contender:
    """Our solver of ``(N, *S)`` images in single precision; the reference is in double precision."""
    density = tensor(solid)
    reference = kind(tolerance=1e-8, **settings).solve(density.double(), 1.0).values.numpy()

    def solve(tolerance: float) -> np.ndarray:
        return kind(tolerance=tolerance, **settings).solve(density, 1.0).values.double().numpy()

    return Contender(name, solve, TOLERANCES, reference)


def ball(size: int, share: float, dimensions: int) -> np.ndarray:
    x = (np.arange(size) + 0.5) / size - 0.5
    radius = math.sqrt(share / math.pi) if dimensions == 2 else (3 * share / 4 / math.pi) ** (1 / 3)
    return sum(g**2 for g in np.meshgrid(*[x] * dimensions, indexing="ij")) < radius**2


def diffusion(rock: np.ndarray) -> list[dict]:
    whole = rock[None, :100, :100, :100]
    mine = ours("matopt", whole, Diffusivity, grain_diffusivity=0.0)
    rows = [duel("diffusivity, Berea 100^3", mine, peers.taufactor(whole, mine.reference), 8)]
    rows.append(duel("diffusivity, Berea 100^3", mine, peers.porespy(whole[0]), 6))
    return rows


def diffusion_batches(rock: np.ndarray) -> list[dict]:
    cubes = np.stack([rock[i : i + 64, i : i + 64, :64] for i in (0, 80, 160, 240)])
    # The grain conducts, for it percolates in most slices; the peer has no value of those where it does not.
    slices = 1 - np.stack([rock[z, 100:228, 100:228] for z in range(0, 400, 25)])
    slices = slices[Diffusivity(0.0).solve(tensor(slices), 1.0).is_ok]
    rows = []
    for case, solid in (
        ("diffusivity, 4 of Berea 64^3", cubes),
        (f"diffusivity in grain, {len(slices)} of Berea 128^2", slices),
    ):
        mine = ours("matopt", solid, Diffusivity, grain_diffusivity=0.0)
        rows.append(duel(case, mine, peers.taufactor(solid, mine.reference), 10))
    return rows


def elasticity(rock: np.ndarray) -> list[dict]:
    settings = {"youngs_modulus": 1.0, "poisson_ratio": 0.074}
    plane = ours("matopt", rock[None, 20, 100:228, 100:228], YoungsModulus, **settings)
    rows = [
        duel(
            "elasticity, Berea 128^2",
            plane,
            peers.direct(peers.Lattice(carrying(rock[20, 100:228, 100:228]), 0.074)),
            5,
        )
    ]
    cube = rock[:32, :32, :32]
    volume = ours("matopt", cube[None], YoungsModulus, **settings)
    lattice = peers.Lattice(carrying(cube), 0.074)
    for peer in (peers.conjugate_gradients, peers.multigrid):
        rows.append(duel("elasticity, Berea 32^3", volume, peer(lattice, volume.reference), 20))
    return rows


def elasticity_64(rock: np.ndarray) -> list[dict]:
    cube = rock[100:164, 100:164, 100:164]
    volume = ours("matopt", cube[None], YoungsModulus, youngs_modulus=1.0, poisson_ratio=0.074)
    peer = peers.conjugate_gradients(peers.Lattice(carrying(cube), 0.074), volume.reference)
    return [duel("elasticity, Berea 64^3", volume, peer, 20)]


def carrying(solid: np.ndarray) -> np.ndarray:
    """The grain that carries load: direct solvers cannot do with any other."""
    from matopt.physics.percolation import wrapping

    return wrapping(solid[None] > 0, corners=True).carrying[0]


def stokes(rock: np.ndarray) -> list[dict]:
    rows = []
    for size in (32, 64):
        solid = ball(size, 0.343, 3)
        mine = ours("matopt", solid[None], Permeability)
        scale = (size // 32) ** 2
        steps = tuple(scale * n for n in (50, 75, 100, 150, 200, 300, 400))
        rows.append(duel(f"permeability, spheres {size}^3", mine, peers.lbmpy(solid, steps, 800 * scale), 10))
    return rows


def windows(rock: np.ndarray) -> list[dict]:
    rows = []
    for size in (64, 128):
        cuts = np.stack([rock[z, z % (400 - size) :, z // 2 % (400 - size) :][:size, :size] for z in range(0, 384, 16)])
        for name in SIMULATORS.names():
            kind = SIMULATORS.find(name)
            start = time.process_time()
            found = kind().solve(tensor(cuts), VOXEL)
            seconds = time.process_time() - start
            exact = kind(tolerance=1e-8).solve(tensor(cuts).double(), VOXEL)
            is_ok = found.is_ok & exact.is_ok
            error = (found.values / exact.values - 1).abs()[torch.from_numpy(is_ok)]
            rows.append(
                {
                    "property": name,
                    "windows": f"{len(cuts)} of {size}^2",
                    "ms an image": 1e3 * seconds / len(cuts),
                    "iterations, median / most": f"{np.median(found.iterations):.0f} / {found.iterations.max()}",
                    "error, median": error.median().item(),
                    "error, largest": error.max().item(),
                    "ok": int(found.is_ok.sum()),
                }
            )
    return rows


def growth(rock: np.ndarray) -> list[dict]:
    rows = []
    for kind in (Diffusivity, YoungsModulus, Permeability):
        for size in (32, 64, 128):
            if size == 128 and kind is not Diffusivity:
                continue
            found = kind().solve(tensor(rock[None, 100 : 100 + size, 100 : 100 + size, 100 : 100 + size]), VOXEL)
            rows.append(
                {
                    "simulator": kind.__name__,
                    "Berea": f"{size}^3",
                    "iterations": int(found.iterations[0]),
                    "status": str(found.status[0]),
                }
            )
    return rows


def convergence(rock: np.ndarray) -> list[dict]:
    rayleigh = 1 + 0.2 - 0.305827 * 0.2**4
    sphere = 1 / (6 * math.pi * (3 * 0.343 / 4 / math.pi) ** (1 / 3) * 15.4)
    plane, volume = (64, 128, 256, 512), (16, 32, 64, 96)
    holes, discs = "holes, f = 0.2 (Rayleigh)", "cylinders, c = 0.3 (Sangani, Acrivos)"
    spheres = "spheres, c = 0.343 (Zick, Homsy)"
    cases = (
        (f"square array of {holes}", Diffusivity(0.0, "periodic"), 2, 0.2, 1 - 0.4 / rayleigh, plane),
        (f"square array of {discs}", Permeability("transverse"), 2, 0.3, 1 / 102.90, plane),
        (f"cubic array of {spheres}", Permeability(), 3, 0.343, sphere, volume),
    )
    rows = []
    for case, simulator, dimensions, share, exact, sizes in cases:
        errors = []
        for size in sizes:
            value = simulator.solve(tensor(ball(size, share, dimensions)[None]), 1 / size).values.item()
            errors.append(f"{size}: {100 * (value / exact - 1):+.2f} %")
        rows.append({"case": case, "error by size": ", ".join(errors)})
    return rows


def machine(rock: np.ndarray) -> list[dict]:
    """Time of an iteration and load of elasticity against the traffic of 14.5 vectors at the speed of memory."""
    a, b, c = (torch.rand(2**25) for _ in range(3))
    speeds = []
    for _ in range(5):
        start = time.perf_counter()
        torch.add(a, b, alpha=2.0, out=c)
        speeds.append(3 * a.nbytes / (time.perf_counter() - start))
    speed = float(np.median(speeds))
    density = tensor(np.stack([rock[z, 100:228, 100:228] for z in range(0, 400, 25)]))
    seconds = {}
    for cap in (5, 25):
        simulator = YoungsModulus(tolerance=1e-5, max_iterations=cap)
        simulator.solve(density, 1.0)
        times = []
        for _ in range(5):
            start = time.process_time()
            simulator.solve(density, 1.0)
            times.append(time.process_time() - start)
        seconds[cap] = float(np.median(times))
    each = (seconds[25] - seconds[5]) / 20 / len(density) / 3
    bound = 14.5 * 2 * 128**2 * 4 / speed
    return [
        {
            "what": "elasticity, 16 of 128^2, an iteration and load",
            "measured [ms]": 1e3 * each,
            "memory-bandwidth bound [ms]": 1e3 * bound,
            "ratio": each / bound,
            "target": 2.5,
            "bandwidth [GB/s]": speed / 1e9,
        }
    ]


def memory(rock: np.ndarray) -> list[dict]:
    """Peak memory of a few iterations, in a process of its own for each simulator."""
    rows = []
    for name in SIMULATORS.names():
        found = subprocess.run(
            [sys.executable, __file__, "--peak", name], capture_output=True, text=True, check=True, cwd=HERE.parent
        )
        rows.append({"simulator": name, "sample": "96^3, fp32", "peak, fields": float(found.stdout), "target": 40})
    return rows


def peak(name: str) -> None:
    density = (torch.rand(1, 1, 96, 96, 96, generator=torch.Generator().manual_seed(0)) < 0.6).float()
    SIMULATORS.find(name)(max_iterations=2).solve(density[..., :8, :8, :8].contiguous(), VOXEL)
    held = resident("VmRSS")
    SIMULATORS.find(name)(max_iterations=3).solve(density, VOXEL)
    print((resident("VmHWM") - held) / density.nbytes)


def resident(name: str) -> int:
    """Bytes; getrusage would tell the parent's peak where that is higher."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def rock_128(rock: np.ndarray) -> list[dict]:
    density = tensor(rock[None, 136:264, 136:264, 136:264])
    rows = []
    for flow in "xyz":
        start = time.process_time()
        found = Permeability(flow=flow).solve(density, VOXEL)
        rows.append(
            {
                "Berea 128^3": f"permeability along {flow}",
                "value": f"{found.values.item() / SQUARE_METRES_A_MILLIDARCY:.0f} mD",
                "status": str(found.status[0]),
                "iterations": int(found.iterations[0]),
                "s": time.process_time() - start,
            }
        )
    return rows


CASES = {
    "machine": (machine, "## Against the speed of memory"),
    "diffusion": (diffusion, "## Against other codes"),
    "elasticity": (elasticity, ""),
    "elasticity_64": (elasticity_64, ""),
    "stokes": (stokes, ""),
    "diffusion_batches": (diffusion_batches, ""),
    "windows": (windows, "## Windows of Berea with default settings"),
    "memory": (memory, "## Memory"),
    "convergence": (convergence, "## Convergence with the grid"),
    "growth": (growth, "## Iterations against size"),
    "rock_128": (rock_128, "## Berea in real units"),
}


def page(results: dict[str, list[dict]]) -> str:
    notes = (HERE / "physics_notes.md").read_text()
    packages = ("torch", "numpy", "scipy", "scikit-fem", "taufactor", "porespy", "lbmpy", "pyamg")
    versions = ", ".join(f"{p} {version(p)}" for p in packages)
    computer = f"{platform.processor() or platform.machine()}, one thread"
    parts = [f"# The physics, measured\n\nPython {platform.python_version()}, {versions}; {computer}.\n"]
    for name, (_, heading) in CASES.items():
        if name in results:
            parts.append(f"{heading}\n\n{table(results[name])}\n".lstrip())
    return "\n".join([*parts, notes])


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1] == "--peak":
        peak(sys.argv[2])
        return
    rock = berea(Path(sys.argv[1]))
    kept = HERE / "physics.json"
    for name in sys.argv[2:] or CASES:
        rows = CASES[name][0](rock)
        print(f"{name}, errors up to {GOAL:g}\n{table(rows)}\n", flush=True)
        results = json.loads(kept.read_text()) if kept.exists() else {}
        kept.write_text(json.dumps({**results, name: rows}, indent=1) + "\n")
        (HERE / "README.md").write_text(page(json.loads(kept.read_text())))


if __name__ == "__main__":
    main()
