"""Volumes drawn from slices alone, beside volumes of rock; writes benchmarks/volumes.md.

Usage: python benchmarks/volumes.py berea.zip [--quick] [--edge 64] [--volumes 20]

A generator learns from 200 windows of slices of Berea in z < 200, draws volumes, and is judged against blocks of the
rock in z >= 208 by descriptors in three dimensions, by percolation and by diffusivity and permeability. Beside it are
what would do as well: a levelled Gaussian field of the rock's porosity and surface, and the blocks that the slices were
cut from; and a generator that was taught by all of those blocks, which slices need not be. Rows are kept in
volumes_64.json and measured once; with --quick in volumes_quick.*, of a short training and small volumes, which show
that all works and not what is good. The last line of the output is the table of goals, as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import page
import torch
from kept_rows import KeptRows
from specimens import VOXEL, berea
from textures import gaussian_field, material

from matopt.descriptors.block_variance import block_variance
from matopt.descriptors.clusters import connected_clusters
from matopt.descriptors.surface import specific_surface
from matopt.generators.base import Generator
from matopt.generators.local_diffusion import LocalDiffusion
from matopt.generators.slices_to_volume import SlicesToVolume
from matopt.microstructures import Microstructures
from matopt.properties import PropertyTable
from matopt.stages.judgement.judge import Drawn, Judge
from matopt.stages.judgement.resampling import AuthenticPool
from matopt.stages.judgement.statistics import TEN
from matopt.stages.simulate import simulate

HERE = Path(__file__).parent
PROPERTIES = ("diffusivity", "permeability")
HELD_OUT = 208
WITHIN = 8


def blocks(rock: np.ndarray, edge: int) -> Microstructures:
    """All blocks that lie side by side."""
    starts = [range(0, n - edge + 1, edge) for n in rock.shape]
    cut = [rock[z : z + edge, y : y + edge, x : x + edge] for z in starts[0] for y in starts[1] for x in starts[2]]
    return Microstructures(np.stack(cut), VOXEL)


def row(name: str, judge: Judge, volumes: Microstructures) -> dict:
    """Judge volumes, and say how their pores hang together and what flows through them."""
    table = simulate(volumes, PROPERTIES)
    found = judge.judge(Drawn(volumes.density(), VOXEL, table))
    beyond = [d for d in found.distances if not d.is_within]
    worst = max((found.distance(name) for name in TEN), key=lambda d: d.multiple)
    return {
        **described(name, volumes, table),
        "within, of ten": found.within_of_ten,
        "D and k within, of two": sum(found.distance(p).is_within for p in PROPERTIES),
        "beyond, times authentic pairs": ", ".join(f"{d.name} {d.multiple:.1f}" for d in beyond) or "none",
        "farthest of ten": f"{worst.name} {worst.multiple:.1f}",
        "sets": found.set_size,
    }


def described(name: str, volumes: Microstructures, table: PropertyTable) -> dict:
    medians = {p.name: np.median(table.column(p.name)) * p.display_factor for p in table.properties}
    density = volumes.density()
    return {
        "volumes": name,
        "porosity": spread(volumes.porosity),
        "surface, 1/voxel": spread(specific_surface(density, 1.0).numpy()),
        "pore clusters": spread(connected_clusters(density).count.double().numpy()),
        "share of the largest": spread(largest_share(volumes)),
        "median D/D0": float(medians["diffusivity"]),
        "median k [mD]": float(medians["permeability"]),
    }


def largest_share(volumes: Microstructures) -> np.ndarray:
    clusters = connected_clusters(volumes.density())
    largest = np.zeros(len(volumes))
    np.maximum.at(largest, clusters.sample.numpy(), clusters.size.numpy())
    return largest / (volumes.phases == 0).reshape(len(volumes), -1).sum(1)


def spread(values: np.ndarray) -> str:
    return f"{values.mean():.3f} ± {values.std():.3f}"


def fitted(generator: Generator, train: Microstructures) -> tuple[Generator, float]:
    """A generator once it is fitted, and the processor seconds of that."""
    start = time.process_time()
    return generator.fit(train, seed=0), time.process_time() - start


def timed(taught: tuple[Generator, float], count: int) -> tuple[Microstructures, dict]:
    """Volumes of a fitted generator, and the processor seconds of its training and of each."""
    generator, seconds = taught
    start = time.process_time()
    drawn = generator.draw(count, seed=1)
    return drawn, {"fit [s]": seconds, "a volume [s]": (time.process_time() - start) / count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="a short training, volumes of 32^3")
    parser.add_argument("--edge", type=int, default=64, help="of a volume")
    parser.add_argument("--volumes", type=int, default=20, help="how many are drawn")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    edge, count = (32, 12) if arguments.quick else (arguments.edge, arguments.volumes)
    settings = {"steps": 150, "channels": 16} if arguments.quick else {}
    rock = berea(arguments.scan)
    slices = material("berea", rock, 64, 800).train

    real = blocks(rock[HELD_OUT:], edge)
    labels = simulate(real, PROPERTIES)
    learnt_from = blocks(rock[: HELD_OUT - 8], edge)
    judge = Judge(AuthenticPool(real, np.arange(len(real)), labels), learnt_from, count)
    some = learnt_from[np.random.default_rng(0).choice(len(learnt_from), count, replace=False)]

    @cache
    def taught_by_slices() -> tuple[Generator, float]:
        return fitted(SlicesToVolume(edge=edge, **settings), slices)

    def not_harmonised() -> tuple[Microstructures, dict]:
        plain = SlicesToVolume(edge=edge, rounds=0, **settings)
        generator, seconds = taught_by_slices()
        plain.load_state_dict(generator.state_dict())
        return timed((plain, seconds), count)

    expected = block_variance(slices.density(), (edge,) * 3) ** 0.5
    print(f"porosities of blocks: deviation {expected:.4f} expected from slices, {real.porosity.std():.4f} of the rock")
    path = HERE / ("volumes_quick.json" if arguments.quick else f"volumes_{edge}.json")
    kept = KeptRows(path, ["volumes"], PROPERTIES)
    judged: dict[str, Callable[[], tuple[Microstructures, dict]]] = {
        "of slices": lambda: timed(taught_by_slices(), count),
        "of slices, not harmonised": not_harmonised,
        "of volumes": lambda: timed(fitted(LocalDiffusion(**settings), learnt_from), count),
        "Gaussian field": lambda: (gaussian_field(some), {}),
        "rock that the slices are of": lambda: (some, {}),
    }
    rows = []
    for name, draw in judged.items():
        if (known := None if arguments.quick else kept.find(volumes=name)) is None:
            volumes, seconds = draw()
            kept.keep(known := {**row(name, judge, volumes), **seconds})
        rows.append(known)
    rows.append(described("rock that is judged by", real, labels))
    columns = list(dict.fromkeys(c for r in rows for c in r))
    table = page.table([{c: r.get(c, "") for c in columns} for r in rows])
    title = f"# Volumes of {edge}^3 from slices\n\nSeconds are of one thread.\n\n"
    path.with_suffix(".md").write_text(title + table + "\n")
    print(table)
    within, flows = rows[0]["within, of ten"], rows[0]["D and k within, of two"]
    goals = {
        f"distances within authentic pairs, {edge}^3": [within, WITHIN, within >= WITHIN],
        f"D and k within authentic pairs, {edge}^3": [flows, 2, flows == 2],
    }
    print(json.dumps({"goals": goals}))


if __name__ == "__main__":
    main()
