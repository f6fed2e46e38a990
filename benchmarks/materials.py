"""How do the process models of materials look, and how fast are they?

    python benchmarks/materials.py --figure docs/figures/materials.png

prints the tables of docs/materials.md and draws its figure.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image

from matopt.data.sources.base import SOURCES, Source
from matopt.data.windows.window import Window
from matopt.microstructures import Microstructures
from matopt.registry import Component

MATERIALS = ("spinodal", "spheres", "alloy", "fibres", "foam")
ON_FIGURE = 7
GRAIN, PORE, MARGIN = 225, 30, 255


def timed(source: Source, window: Window, count: int) -> tuple[Microstructures, float]:
    start = time.process_time()
    drawn = source.split(window, {"drawn": count}, seed=0)["drawn"]
    return drawn, time.process_time() - start


def row(source: Source) -> np.ndarray:
    """Windows of 128^2, and the three middle sections of a volume of 64^3, twice enlarged."""
    windows = source.split(Window(128), {"shown": ON_FIGURE}, seed=0)["shown"].phases
    volume = source.split(Window(64, dimensions=3), {"shown": 1}, seed=0)["shown"].phases[0]
    sections = [volume.take(32, axis).repeat(2, 0).repeat(2, 1) for axis in range(3)]
    grey = [np.where(image, GRAIN, PORE).astype(np.uint8) for image in (*windows, *sections)]
    return np.concatenate([np.pad(image, 2, constant_values=MARGIN) for image in grey], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", type=Path, help="where the figure goes")
    figure = parser.parse_args().figure
    sources = {kind: SOURCES.build(Component(kind)) for kind in MATERIALS}
    print("| | porosity of 400 windows of 64^2 | they take | a volume of 64^3 takes |\n| --- | --- | --- | --- |")
    for kind, source in sources.items():
        windows, seconds = timed(source, Window(64), 400)
        _, volume_seconds = timed(source, Window(64, dimensions=3), 1)
        porosity = f"{windows.porosity.mean():.3f} \u00b1 {windows.porosity.std():.3f}"
        print(f"| `{kind}` | {porosity} | {seconds:.1f} s | {volume_seconds:.2f} s |")
    if figure is not None:
        figure.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate([row(source) for source in sources.values()])).save(figure, optimize=True)
        print(f"{figure}: {figure.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
