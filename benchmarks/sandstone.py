"""How like Berea sandstone is the process model, and how fast is it?

    python benchmarks/sandstone.py ../shared/data/berea.zip --figure docs/figures/sandstone.png

prints the tables of docs/sandstone.md and draws its figure. The image is the 400^3 micro-CT scan of Imperial College
(0 = pore, voxel 5.345 um), as a TIFF file or a zip archive with one in it. The model was tuned on slices 0 to 199;
the comparison is with slices 200 to 399. "Floor" is the same comparison of the two halves of the scan with each other:
what is below it cannot be told apart by these windows. Without an image only the speed is measured.
"""

from __future__ import annotations

import argparse
import io
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import tifffile
import torch

from matopt.data.sources.sandstone import Sandstone
from matopt.data.windows.window import Window
from matopt.descriptors.correlation import radial_correlation
from matopt.descriptors.lineal_path import lineal_path
from matopt.descriptors.surface import specific_surface
from matopt.microstructures import Microstructures

VOXEL = 5.345e-6
RADIUS = 40
SLICE_STEP = 10


@dataclass(frozen=True)
class Statistics:
    porosity: np.ndarray
    distance: np.ndarray
    s2: np.ndarray
    pore_path: np.ndarray
    grain_path: np.ndarray
    surface: float

    @staticmethod
    def of(rock: Microstructures) -> Statistics:
        density = rock.density()
        distance, s2 = radial_correlation(density, RADIUS)
        return Statistics(
            rock.porosity,
            distance.numpy(),
            s2.mean(0).numpy(),
            lineal_path(density, RADIUS, phase=0).mean((0, 1)).numpy(),
            lineal_path(density, RADIUS, phase=1).mean((0, 1)).numpy(),
            float(specific_surface(density, rock.voxel_size).mean()),
        )


def differences(one: Statistics, other: Statistics) -> dict[str, float]:
    covariance = other.s2 - other.porosity.mean() ** 2
    quantiles = np.linspace(0, 1, 1001)
    apart = np.quantile(one.porosity, quantiles) - np.quantile(other.porosity, quantiles)
    return {
        "S2, relative": np.abs(one.s2 - other.s2).sum() / other.s2.sum(),
        "S2, relative to the covariance": np.abs(one.s2 - other.s2).sum() / np.abs(covariance).sum(),
        "lineal path of pores, relative": np.abs(one.pore_path - other.pore_path).sum() / other.pore_path.sum(),
        "lineal path of grain, relative": np.abs(one.grain_path - other.grain_path).sum() / other.grain_path.sum(),
        "specific surface, ratio": one.surface / other.surface,
        "porosity, mean": one.porosity.mean(),
        "porosity, spread": one.porosity.std(),
        "W1 of porosity": np.abs(apart).mean(),
    }


def read(path: Path) -> np.ndarray:
    content = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            content = archive.read(next(n for n in archive.namelist() if n.endswith(".tif")))
    return (tifffile.imread(io.BytesIO(content)) > 127).astype(np.uint8)


def windows(scan: np.ndarray, size: int, start: int, stop: int) -> Microstructures:
    places = range(0, scan.shape[1] - size + 1, size)
    cuts = [scan[z, y : y + size, x : x + size] for z in range(start, stop, SLICE_STEP) for y in places for x in places]
    return Microstructures(np.array(cuts), VOXEL)


def model(size: int, count: int, seed: int) -> Microstructures:
    return Sandstone(VOXEL).split(Window(size), {"model": count}, seed)["model"]


def draw(
    path: Path, real: Microstructures, made: Microstructures, curves: dict[int, tuple[Statistics, Statistics]]
) -> None:
    matplotlib.use("Agg")
    plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    figure = plt.figure(figsize=(10, 5.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.25, 1))
    places = np.random.default_rng(0)
    for row, (name, rock) in enumerate({"Berea": real, "model": made}.items()):
        for column, sample in enumerate(places.choice(len(rock), 8, replace=False)):
            axes = above.add_subplot(2, 8, 8 * row + column + 1)
            axes.imshow(rock.phases[sample], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set(xticks=[], yticks=[], ylabel=name if column == 0 else "")
            axes.spines[:].set_visible(True)
    panels = below.subplots(1, 4)
    berea, ours = curves[128]
    for name, s, style in (("Berea", berea, "k-"), ("model", ours, "C1--")):
        panels[0].plot(s.distance * VOXEL * 1e6, s.s2, style, label=name)
        z = np.arange(RADIUS + 1) * VOXEL * 1e6
        panels[1].semilogy(z, s.pore_path, style)
        panels[2].plot(z, s.grain_path, style)
    panels[0].legend(frameon=False)
    bins = np.linspace(0, 0.5, 26)
    panels[3].hist(curves[64][0].porosity, bins, density=True, histtype="step", color="k")
    panels[3].hist(curves[64][1].porosity, bins, density=True, histtype="step", color="C1", linestyle="--")
    titles = ("S2 of pores", "lineal path of pores", "lineal path of grain", "porosity of 64$^2$ windows")
    for panel, title in zip(panels, titles, strict=True):
        panel.set(title=title, xlabel="distance [\u00b5m]")
    panels[3].set_xlabel("porosity")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?", type=Path, help="Berea, a TIFF file or a zip archive with one in it")
    parser.add_argument("--figure", type=Path, help="where the figure goes")
    parser.add_argument(
        "--count", type=int, default=400, help="windows of 128^2 of the model; four times as many of 64^2"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for size in (64, 128):
        start, wall = time.process_time(), time.perf_counter()
        model(size, 300, seed=1)
        seconds, wall = time.process_time() - start, time.perf_counter() - wall
        print(f"300 images of {size}^2: {seconds:.1f} s of one core, {wall:.1f} s by the clock")
    if arguments.image is None:
        return
    scan = read(arguments.image)
    curves = {}
    for size, count in ((64, 4 * arguments.count), (128, arguments.count)):
        made = model(size, count, seed=0)
        real, spare = windows(scan, size, 200, 400), windows(scan, size, 0, 200)
        ours, berea, floor = Statistics.of(made), Statistics.of(real), Statistics.of(spare)
        curves[size] = berea, ours
        print(f"\n{size}^2: {len(made)} windows of the model, {len(real)} of Berea z >= 200, {len(spare)} of z < 200")
        print("| | model | floor |\n| --- | --- | --- |")
        against, least = differences(ours, berea), differences(floor, berea)
        for name, value in against.items():
            print(f"| {name} | {value:.3f} | {least[name]:.3f} |")
        print(f"Berea z >= 200: porosity {berea.porosity.mean():.3f} +- {berea.porosity.std():.3f}")
    if arguments.figure is not None:
        draw(arguments.figure, real, made, curves)


if __name__ == "__main__":
    main()
