"""Processor time of the simulators an image on one thread, and their error against tight solves in double precision.

Usage: python benchmarks/physics.py IMAGE.zip|IMAGE.tif [SIZE ...]
"""

from __future__ import annotations

import io
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import tifffile
import torch

from matopt.physics.base import SIMULATORS


def windows(path: Path, size: int, count: int) -> torch.Tensor:
    """``(count, 1, size, size)`` windows of slices far apart."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith(".tif"))
            volume = tifffile.imread(io.BytesIO(archive.read(name)))
    else:
        volume = tifffile.imread(path)
    cuts = [
        volume[z, y : y + size, x : x + size]
        for z in range(0, volume.shape[0], 20)
        for y in range(0, volume.shape[1] - size + 1, size)
        for x in range(0, volume.shape[2] - size + 1, size)
    ]
    chosen = np.random.default_rng(0).permutation(len(cuts))[:count]
    return torch.from_numpy(np.stack([cuts[i] > 0 for i in chosen])[:, None].astype(np.float32))


def main() -> None:
    torch.set_num_threads(1)
    path, sizes = Path(sys.argv[1]), [int(s) for s in sys.argv[2:]] or [64, 128]
    print(f"{'property':>15} {'size':>5} {'ms':>7} {'iterations':>12} {'median error':>13} {'largest':>8}  statuses")
    for size in sizes:
        images = windows(path, size, 24)
        for name in ("youngs_modulus", "diffusivity", "permeability"):
            simulator = SIMULATORS.find(name)()
            simulator.solve(images[:2], 1e-6)
            start = time.process_time()
            solution = simulator.solve(images, 1e-6)
            seconds = (time.process_time() - start) / len(images)
            exact = type(simulator)(tolerance=1e-8).solve(images.double(), 1e-6).values
            error = (solution.values / exact - 1).abs()
            statuses = {str(s): int((solution.status == s).sum()) for s in np.unique(solution.status)}
            iterations = f"{np.median(solution.iterations):.0f} / {solution.iterations.max()}"
            print(
                f"{name:>15} {size:>5} {seconds * 1e3:7.1f} {iterations:>12} {error.median():13.1e} "
                f"{error.max():8.1e}  {statuses}"
            )


if __name__ == "__main__":
    main()
