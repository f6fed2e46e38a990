"""Cases about the machine: the speed of memory, the memory held, compilation, gradients, batches."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from specimens import VOXEL, ball, cube, density, slices

from matopt.physics.base import SIMULATORS, Simulator
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus

VECTORS = 14.5
"""Least traffic of an iteration of conjugate gradients with a Fourier preconditioner, in vectors of displacements."""


def bandwidth(rock: np.ndarray) -> list[dict]:
    """Time of an iteration and load of elasticity against its least traffic at the speed of memory."""
    a, b, c = (torch.rand(2**25) for _ in range(3))
    speed = 3 * a.nbytes / median(lambda: torch.add(a, b, alpha=2.0, out=c))
    batch = density(slices(rock, 128, 16))
    seconds = {}
    for cap in (5, 25):
        simulator = YoungsModulus(tolerance=1e-4, max_iterations=cap)
        simulator.solve(batch, 1.0)
        seconds[cap] = median(partial(simulator.solve, batch, 1.0))
    each = (seconds[25] - seconds[5]) / 20 / len(batch) / 3
    bound = VECTORS * 2 * 128**2 * 4 / speed
    return [
        {
            "what": "elasticity, 16 of 128^2, an iteration and load",
            "measured [ms]": 1e3 * each,
            "memory-bandwidth bound [ms]": 1e3 * bound,
            "ratio": each / bound,
            "bandwidth [GB/s]": speed / 1e9,
        }
    ]


def median(run: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of processor time."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return statistics.median(times)


def memory(rock: np.ndarray) -> list[dict]:
    """Peak memory of a few iterations, in processes of their own; also where freed memory is given back at once."""
    rows = []
    for name in SIMULATORS.names():
        command = [sys.executable, str(Path(__file__).with_name("peak_memory.py")), name]
        peaks, in_use = (
            sorted(
                float(subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | more).stdout)
                for _ in range(repeats)
            )
            for more, repeats in (({}, 9), ({"MALLOC_MMAP_THRESHOLD_": "65536"}, 1))
        )
        rows.append(
            {
                "simulator": name,
                "sample": "96^3, fp32",
                "peak, fields": statistics.median(peaks),
                "least / most": f"{peaks[0]:.0f} / {peaks[-1]:.0f}",
                "in use, fields": in_use[0],
            }
        )
    return rows


def gradients(rock: np.ndarray) -> list[dict]:
    """What a gradient adds to a solve: medians, of the share that over pairs of runs in turn, as speeds drift."""
    section, ducts = density(slices(rock, 128, 1)), density(slices(rock, 128, 8))
    cases: tuple[tuple[str, Simulator, torch.Tensor], ...] = (
        ("youngs_modulus, Berea 128^2", YoungsModulus(), section),
        ("youngs_modulus, Berea 32^3", YoungsModulus(), density(cube(rock, 32, 100)[None])),
        ("diffusivity, Berea 128^2", Diffusivity(), section),
        ("diffusivity, Berea 64^3", Diffusivity(), density(cube(rock, 64, 100)[None])),
        ("permeability, 8 of Berea 128^2", Permeability(), ducts),
        ("permeability, spheres 32^3", Permeability(boundary="periodic"), density(ball(32, 0.343, 3)[None])),
    )
    rows = []
    for case, simulator, images in cases:
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for turn in range(42):
            wanted = bool(turn % 2)
            start = time.process_time()
            images.requires_grad_(wanted)
            values = simulator.solve(images, VOXEL).values
            if wanted:
                torch.autograd.grad(values.sum(), images)
            if turn > 1:  # the first two make what is kept between calls
                seconds[wanted].append(time.process_time() - start)
        shares = [both / alone - 1 for alone, both in zip(seconds[False], seconds[True], strict=True)]
        rows.append(
            {
                "case": case,
                "solve [s]": statistics.median(seconds[False]),
                "with gradient [s]": statistics.median(seconds[True]),
                "gradient over solve [%]": 100 * statistics.median(shares),
            }
        )
    return rows


def batches(rock: np.ndarray) -> list[dict]:
    """Images a second against the size of the batch, by the clock, on a GPU where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    label = torch.cuda.get_device_name() if device == "cuda" else "CPU, one thread"
    rows = []
    for images in (slices(rock, 128, 64), np.stack([cube(rock, 64, corner) for corner in (0, 100, 200, 300)])):
        for name in SIMULATORS.names():
            simulator = SIMULATORS.find(name)()
            for count in (1, 4, 16, 64, 256, 1024):
                batch = density(images[np.arange(count) % len(images)]).to(device)
                if count == 1:
                    simulator.solve(batch, VOXEL)  # makes what is kept between calls
                seconds = clock(partial(simulator.solve, batch, VOXEL), device)
                edge = "x".join(map(str, batch.shape[2:]))
                rows.append(
                    {
                        "device": label,
                        "simulator": name,
                        "images": edge,
                        "batch": count,
                        "images a second": count / seconds,
                    }
                )
                if seconds > 4:
                    break
    return rows


def compilation(rock: np.ndarray) -> list[dict]:
    """Seconds by the clock of a first solve: where nothing is compiled yet, and in later processes and calls."""
    rows = []
    for name in ("youngs_modulus", "permeability"):
        for shape in ((16, 16), (16, 16, 16)):
            if name == "permeability" and len(shape) == 2:
                continue  # has no compiled loops
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, str(Path(__file__).with_name("first_solve.py")), name, *map(str, shape)]
                found = [
                    json.loads(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)
                    for environment in 2 * [os.environ | {"NUMBA_CACHE_DIR": folder}]
                ]
            rows.append(
                {
                    "simulator": name,
                    "images": "x".join(map(str, shape)),
                    "nothing compiled [s]": found[0][0],
                    "later process [s]": found[1][0],
                    "same process [s]": found[1][1],
                }
            )
    return rows


def clock(run: Callable[[], object], device: str) -> float:
    """Seconds by the clock, until the device is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
