"""Volumes drawn from slices alone, and from blocks, beside volumes of rock; writes benchmarks/volumes_64.md.

Usage: python benchmarks/volumes.py berea.zip [--quick] [--edge 64] [--volumes 20] [--seeds 1]
           [--generators "of slices" "of volumes"]

A generator learns from 200 windows of slices of the lower part of Berea, draws volumes, and is judged against blocks of
the upper part by descriptors in three dimensions, by percolation and by diffusivity and permeability. Beside it are
what would do as well: a levelled Gaussian field of the rock's porosity and surface, and the blocks that the slices were
cut from; and a generator that was taught by all blocks of 64^3 there, which slices need not be. The upper part begins
at z = 208; for volumes of 128^3, of which it would hold nine, at z = 144. Rows are kept in volumes_64.json and measured
once; with --quick in volumes_quick.*, of a short training and small volumes, which show that all works and not what is
good. The last line of the output is the table of goals, as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import page
import torch
from kept_rows import KeptRows
from specimens import VOXEL, berea
from textures import TRAIN, gaussian_field

from matopt.data.windows.scan import Scan
from matopt.descriptors.block_variance import block_variance
from matopt.descriptors.clusters import connected_clusters
from matopt.descriptors.surface import specific_surface
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
HELD_OUT = {32: 208, 64: 208, 128: 144}
"""The first slice of what is judged by, by the edge of volumes; what is learnt from ends 8 before it."""

TAUGHT_BY = 64
"""Edge of the largest blocks that a generator learns from."""

WITHIN = 8
OF_SLICES, NOT_HARMONISED, OF_VOLUMES = "of slices", "of slices, not harmonised", "of volumes"
GENERATORS = (OF_SLICES, NOT_HARMONISED, OF_VOLUMES)
FIELD, BELOW = "Gaussian field", "rock that the slices are of"


def blocks(rock: np.ndarray, edge: int) -> Microstructures:
    """All blocks that lie side by side."""
    starts = [range(0, n - edge + 1, edge) for n in rock.shape]
    cut = [rock[z : z + edge, y : y + edge, x : x + edge] for z in starts[0] for y in starts[1] for x in starts[2]]
    return Microstructures(np.stack(cut), VOXEL)


def row(judge: Judge, volumes: Microstructures) -> dict:
    """Judge volumes, and say how their pores hang together and what flows through them."""
    table = simulate(volumes, PROPERTIES)
    found = judge.judge(Drawn(volumes.density(), VOXEL, table))
    beyond = [d for d in found.distances if not d.is_within]
    worst = max((found.distance(name) for name in TEN), key=lambda d: d.multiple)
    return {
        **described(volumes, table),
        "within, of ten": found.within_of_ten,
        "D and k within, of two": sum(found.distance(p).is_within for p in PROPERTIES),
        "beyond, times authentic pairs": ", ".join(f"{d.name} {d.multiple:.1f}" for d in beyond) or "none",
        "farthest of ten": f"{worst.name} {worst.multiple:.1f}",
        "sets": found.set_size,
    }


def described(volumes: Microstructures, table: PropertyTable) -> dict:
    medians = {p.name: np.median(table.column(p.name)) * p.display_factor for p in table.properties}
    density = volumes.density()
    return {
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


class Generators:
    """Those that are judged, and what they learn from.

    Args:
        learnt: the rock that they learn from.
        edge: of the volumes that they draw.
        count: how many these are.
        settings: of all of them.
    """

    def __init__(self, learnt: np.ndarray, edge: int, count: int, settings: dict[str, int]) -> None:
        self.slices = Scan(learnt[::10], VOXEL, "images").windows(64, stride=32).split(train=TRAIN)[0]
        self._blocks = blocks(learnt, min(edge, TAUGHT_BY))
        self._edge, self._count, self._settings = edge, count, settings

    def draw(self, name: str, seed: int) -> tuple[Microstructures, dict]:
        """Volumes of a generator, by name and seed, and the processor seconds of its training and of each."""
        generator, fit_seconds = self._fitted(name, seed)
        start = time.process_time()
        density = generator.sample(self._count, 1 + seed, shape=(self._edge,) * 3)
        seconds = (time.process_time() - start) / self._count
        return Microstructures.from_density(density, VOXEL), {"fit [s]": fit_seconds, "a volume [s]": seconds}

    @cache  # noqa: B019  one a process
    def _fitted(self, name: str, seed: int) -> tuple[SlicesToVolume | LocalDiffusion, float]:
        if name == NOT_HARMONISED:
            taught, seconds = self._fitted(OF_SLICES, seed)
            plain = SlicesToVolume(edge=self._edge, rounds=0, **self._settings)
            plain.load_state_dict(taught.state_dict())
            return plain, seconds
        start = time.process_time()
        if name == OF_SLICES:
            generator = SlicesToVolume(edge=self._edge, **self._settings).fit(self.slices, seed=seed)
        else:
            generator = LocalDiffusion(**self._settings).fit(self._blocks, seed=seed)
        return generator, time.process_time() - start


def goals(rows: list[dict], edge: int) -> dict[str, tuple[int, int, bool]]:
    """Value, goal and whether it is met, by name: the least over the seeds of each generator."""
    found = {}
    for name in (OF_SLICES, OF_VOLUMES):
        mine = [row for row in rows if row["volumes"] == name]
        for column, wanted in {"within, of ten": WITHIN, "D and k within, of two": len(PROPERTIES)}.items():
            if mine:
                least = min(row[column] for row in mine)
                found[f"{column}, {name}, {edge}^3"] = (least, wanted, least >= wanted)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="a short training, volumes of 32^3")
    parser.add_argument("--edge", type=int, default=64, choices=HELD_OUT, help="of a volume")
    parser.add_argument("--volumes", type=int, default=20, help="how many are drawn")
    parser.add_argument("--seeds", type=int, default=1, help="of the generators")
    parser.add_argument(
        "--generators", nargs="+", choices=GENERATORS, default=GENERATORS, help="by the names of their rows"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    edge, count = (32, 12) if arguments.quick else (arguments.edge, arguments.volumes)
    rock = berea(arguments.scan)
    learnt, held_out = rock[: HELD_OUT[edge] - 8], rock[HELD_OUT[edge] :]
    generators = Generators(learnt, edge, count, {"steps": 150, "channels": 16} if arguments.quick else {})

    real, below = blocks(held_out, edge), blocks(learnt, edge)
    labels = simulate(real, PROPERTIES)
    judge = Judge(AuthenticPool(real, np.arange(len(real)), labels), below, count)
    some = below[np.random.default_rng(0).choice(len(below), min(count, len(below)), replace=False)]

    expected = block_variance(generators.slices.density(), (edge,) * 3) ** 0.5
    print(f"porosities of blocks: deviation {expected:.4f} expected from slices, {real.porosity.std():.4f} of the rock")
    path = HERE / ("volumes_quick.json" if arguments.quick else f"volumes_{edge}.json")
    if arguments.quick:
        path.unlink(missing_ok=True)
    kept = KeptRows(path, ["volumes", "seed"], PROPERTIES)
    judged: dict[tuple[str, int], Callable[[], tuple[Microstructures, dict]]] = {
        (FIELD, 0): lambda: (gaussian_field(some), {}),
        (BELOW, 0): lambda: (some, {}),
    } | {
        (name, seed): partial(generators.draw, name, seed)
        for name in arguments.generators
        for seed in range(1 if name == NOT_HARMONISED else arguments.seeds)
    }
    for (name, seed), draw in judged.items():
        if kept.find(volumes=name, seed=seed) is None:
            volumes, seconds = draw()
            kept.keep({"volumes": name, "seed": seed, **row(judge, volumes), **seconds})
    rows = sorted(kept.rows, key=lambda r: ((*GENERATORS, FIELD, BELOW).index(r["volumes"]), r["seed"]))
    shown = [*rows, {"volumes": "rock that is judged by", **described(real, labels)}]
    columns = list(dict.fromkeys(c for r in shown for c in r))
    table = page.table([{c: r.get(c, "") for c in columns} for r in shown])
    title = f"# Volumes of {edge}^3\n\nSeconds are of one thread.\n\n"
    path.with_suffix(".md").write_text(title + table + "\n")
    print(table)
    print(json.dumps({"goals": goals(rows, edge)}))


if __name__ == "__main__":
    main()
