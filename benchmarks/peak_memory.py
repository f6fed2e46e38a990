"""Prints the peak memory of a few iterations of a simulator at 96^3, in fields of the sample's size.

Usage: python benchmarks/peak_memory.py PROPERTY
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from matopt.physics.base import SIMULATORS


def resident(name: str) -> int:
    """Bytes; getrusage would tell the parent's peak where that is higher."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def main() -> None:
    torch.set_num_threads(1)
    simulator = SIMULATORS.find(sys.argv[1])
    density = (torch.rand(1, 1, 96, 96, 96, generator=torch.Generator().manual_seed(0)) < 0.6).float()
    # Libraries that are loaded by the first call are no part of it.
    simulator(max_iterations=2).solve(density[..., :8, :8, :8].contiguous(), 1e-6)
    held = resident("VmRSS")
    simulator(max_iterations=3).solve(density, 1e-6)
    print((resident("VmHWM") - held) / density.nbytes)


if __name__ == "__main__":
    main()
