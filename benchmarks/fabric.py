"""How well materials are told from their mirror images, and from themselves with exchanged axes.

    python benchmarks/fabric.py berea.zip

Prints a row a material: Berea in slices and in blocks, the process models, and Gaussian fields that are stretched or
turned. The last line is one of JSON: the goals, and whether they are met. Takes a minute and a half.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import page
import torch
from scipy import ndimage
from specimens import berea
from textures import PROCESSES, material
from volumes import blocks

from matopt.descriptors.fabric import axes_alike, mirror_images_alike, told_from

STRETCHED = {
    "stretched by a tenth": (3.3, 0),
    "stretched by a fifth": (3.6, 0),
    "stretched by half, slanted": (4.5, 30),
}
"""Correlation lengths along the first axis, 3 along the other, and by how many degrees both are turned."""


def gaussian_fields(width: float, angle: float, n: int = 200, size: int = 64) -> torch.Tensor:
    random, densities = np.random.default_rng(0), []
    for _ in range(n):
        field = ndimage.gaussian_filter(random.standard_normal((2 * size, 2 * size)), (width, 3))
        inner = ndimage.rotate(field, angle, reshape=False, order=1)[size // 2 :, size // 2 :][:size, :size]
        densities.append(inner > -0.5 * inner.std())
    return torch.from_numpy(np.stack(densities))[:, None].float()


def row(name: str, density: torch.Tensor) -> dict:
    axes = range(2, density.ndim)
    mirrored = [told_from(density, lambda x, axis=axis: x.flip(axis)) for axis in axes]
    exchanged = [
        told_from(density, lambda x, pair=pair: x.transpose(*pair)) for pair in itertools.combinations(axes, 2)
    ]
    return {
        "material": name,
        "told from mirror images": f"{min(mirrored):.2f} to {max(mirrored):.2f}",
        "mirror images alike": mirror_images_alike(density),
        "told from exchanged axes": f"{min(exchanged):.2f} to {max(exchanged):.2f}",
        "axes alike": axes_alike(density),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rock = berea(arguments.scan)
    alike = {f"berea, slices of {n}^2": material("berea", rock, n, 400).train.density() for n in (64, 128)}
    alike |= {f"berea, blocks of {n}^3": blocks(rock[:192], n)[:100].density() for n in (32, 64)}
    alike |= {name: material(name, rock, 64, 40).train.density() for name in PROCESSES if name != "aligned_fibres"}
    unlike = {name: gaussian_fields(*how) for name, how in STRETCHED.items()}
    unlike["aligned_fibres"] = material("aligned_fibres", rock, 64, 40).train.density()
    rows = [row(name, density) for name, density in (alike | unlike).items()]
    print(page.table(rows))
    right = sum(found["axes alike"] == (found["material"] in alike) for found in rows)
    print(json.dumps({"goals": {"materials whose axes are judged right": [right, len(rows), right == len(rows)]}}))


if __name__ == "__main__":
    main()
