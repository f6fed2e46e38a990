"""Prints how many seconds the first two solves of a small sample take in this process, as JSON.

Usage: python benchmarks/first_solve.py PROPERTY EDGE EDGE [EDGE]
"""

from __future__ import annotations

import json
import sys
import time

import torch

from matopt.physics.base import SIMULATORS


def main() -> None:
    torch.set_num_threads(1)
    simulator = SIMULATORS.find(sys.argv[1])()
    shape = tuple(map(int, sys.argv[2:]))
    density = (torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(0)) < 0.6).float()
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        simulator.solve(density, 1e-6)
        seconds.append(time.perf_counter() - start)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
