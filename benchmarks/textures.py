"""The materials that generators are judged on, and what they are judged beside: trivial imitations of each material."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from scipy.stats import norm
from specimens import VOXEL

from matopt.data.sources.base import SOURCES
from matopt.data.windows.scan import Scan
from matopt.data.windows.window import Window
from matopt.descriptors.surface import specific_surface
from matopt.microstructures import Microstructures
from matopt.registry import Component
from matopt.stages.judgement.blocks import blocked
from matopt.stages.judgement.resampling import AuthenticPool

TRAIN = 200
BLOCK = (30, 200, 200)
"""Windows of such a block of Berea, some 300 grains, count as one group."""

REALISATIONS = 20
"""Of a process, in each of the sets that are drawn from it."""

STRIDE = {64: 40, 128: 20}
PROCESSES = {name: Component(name) for name in ("alloy", "fibres", "foam", "sandstone", "spheres", "spinodal")} | {
    "aligned_fibres": Component("fibres", {"orientation": (0.02, 0.9, 0.08)})
}
MATERIALS = ("berea", *PROCESSES)


@dataclass(frozen=True, eq=False)
class Material:
    """What generators learn from, what they are judged against, and as much again of the same material."""

    train: Microstructures
    pool: AuthenticPool
    authentic: Microstructures


def material(name: str, rock: np.ndarray, size: int, drawn: int) -> Material:
    if name == "berea":
        return _berea(rock, size, drawn)
    train = _realisations(name, size, TRAIN, first_seed=0)
    pool = _realisations(name, size, 2 * drawn, first_seed=100)
    other = _realisations(name, size, drawn, first_seed=200)
    groups = np.repeat(np.arange(REALISATIONS), [len(part) for part in pool])
    join = Microstructures.concatenate
    return Material(join(train), AuthenticPool(join(pool), groups), join(other))


def _realisations(name: str, size: int, count: int, first_seed: int) -> list[Microstructures]:
    """Windows of as many realisations of a process, which are a group each: those of one realisation are alike."""
    source = SOURCES.build(PROCESSES[name])
    counts = [count // REALISATIONS + (i < count % REALISATIONS) for i in range(REALISATIONS)]
    return [source.split(Window(size), {"it": n}, seed=first_seed + i)["it"] for i, n in enumerate(counts)]


def _berea(rock: np.ndarray, size: int, drawn: int) -> Material:
    """Train in z < 200 and judge in z >= 220. Other rock of z < 200 lies between the slices that are trained on."""
    low, high = rock[:200], Scan(rock[220:], VOXEL)
    train = Scan(low[::10], VOXEL, "images").windows(size, stride=32)
    authentic = Scan(low[5::10], VOXEL, "images").windows(size, stride=16)
    return Material(
        train.split(train=TRAIN)[0],
        blocked(high.windows(size, stride=STRIDE[size], slice_step=5), BLOCK),
        authentic.split(authentic=drawn)[0],
    )


def median(width: int) -> Callable[[Microstructures], Microstructures]:
    return lambda real: Microstructures(ndimage.median_filter(real.phases, (1, width, width)), real.voxel_size)


def gaussian_field(real: Microstructures, seed: int = 0) -> Microstructures:
    """A levelled Gaussian field of the porosity and the specific surface of the material.

    Straight lines cross its interface sqrt(-rho''(0)) exp(-t^2 / 2) / pi times a length (Rice), rho the correlation, t
    the level; Crofton's formula makes pi / 2 of this in images, twice in volumes.
    """
    level = norm.ppf(real.porosity.mean())
    surface = float(specific_surface(real.density(), 1.0).mean())
    crofton = math.pi / 2 if len(real.shape) == 2 else 2.0
    width = crofton * math.exp(-(level**2) / 2) / (math.pi * math.sqrt(2) * surface)
    margin = math.ceil(4 * width)
    random = np.random.default_rng(seed)
    inner = (slice(margin, -margin),) * len(real.shape)
    fields = [
        ndimage.gaussian_filter(random.standard_normal([n + 2 * margin for n in real.shape]), width)[inner]
        for _ in range(len(real))
    ]
    field = np.stack(fields)
    return Microstructures((field > field.std() * level).astype(np.uint8), real.voxel_size)


BASELINES: dict[str, Callable[[Microstructures], Microstructures]] = {
    "authentic": lambda real: real,
    "authentic, 3x3 median": median(3),
    "authentic, 5x5 median": median(5),
    "Gaussian field": gaussian_field,
}

CEILING = "training windows, mirrored"


def mirrored(train: Microstructures, count: int) -> tuple[Microstructures, np.ndarray]:
    """``count`` of the training windows and their mirror images, and the number of the window that each is of.

    No generator knows more of the material than they say: what judges tell them by, they may tell any generator by that
    learnt from them.
    """
    images = [np.flip(train.phases, axes) for axes in ((), (1,), (2,), (1, 2))]
    window = np.tile(np.arange(len(train)), len(images))
    if count > len(window):
        raise ValueError(f"{len(train)} windows have {len(window)} mirror images, not {count}")
    return Microstructures(np.concatenate(images)[:count], train.voxel_size), window[:count]


def shuffled(samples: torch.Tensor, real: Microstructures, count: int, seed: int) -> tuple[Microstructures, list[bool]]:
    """``count`` of each in a random order, and which of them are samples."""
    random = np.random.default_rng(seed)
    drawn = Microstructures.from_density(samples, real.voxel_size)
    chosen = [m[random.choice(len(m), count, replace=False)] for m in (drawn, real)]
    order = random.permutation(2 * count)
    return Microstructures.concatenate(chosen)[order], [bool(i < count) for i in order]
