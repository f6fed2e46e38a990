"""Statistics of a scan: percolation, interface, chords, lineal path, and the size of window that they suggest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
import torch

from matopt.data.images.segmentation import PHASES
from matopt.data.windows.autocorrelation import autocorrelation, integral_range
from matopt.data.windows.scan import Scan, Windows
from matopt.descriptors.chords import mean_chord_length
from matopt.descriptors.fabric import axes_alike, mirror_images_alike
from matopt.descriptors.lineal_path import lineal_path
from matopt.descriptors.phases import volume_fraction
from matopt.descriptors.surface import specific_surface
from matopt.descriptors.thin_pores import thin_share
from matopt.errors import InputError

INDEPENDENT_PARTS = 16
"""Integral ranges in a window of the suggested size: the solid fraction then has a quarter of the standard deviation
that it has voxel by voxel. Many more would make all windows alike, fewer would make them no sample of the material."""

MULTIPLE = 16
"""Suggested sizes are multiples of it, since networks halve them four times."""

ENOUGH_VOXELS = 1 << 21
"""Voxels of the windows that surface, chords and lineal path are measured in: in more the means hardly change."""

PLANE, CUBE = 512, 96
"""Edges in voxels of these windows, at most."""

TOLD = {2: 64, 3: 32}
"""Edges of the windows by which a fabric is told, at most: of large ones there are too few."""


@dataclass(frozen=True)
class WindowSuggestion:
    """A size of plane windows that is a sample of the material.

    Attributes:
        size: edge in voxels, the least multiple of :data:`MULTIPLE` that holds :data:`INDEPENDENT_PARTS` integral
            ranges; None if an image is smaller than that.
        spread: standard deviation of the porosity between such windows, as it follows from the integral range.
        integral_range: of plane windows, in voxels; see :func:`matopt.data.windows.autocorrelation.integral_range`.
    """

    size: int | None
    spread: float | None
    integral_range: float


def suggest_window(scan: Scan) -> WindowSuggestion:
    """Work out the size of plane windows from the integral range of the phases."""
    rows, columns = (autocorrelation(scan.volume, axis) for axis in (1, 2))
    lags = min(len(rows), len(columns))
    ranged = integral_range((rows[:lags] + columns[:lags]) / 2, dimensions=2)
    size = math.ceil(math.sqrt(INDEPENDENT_PARTS * ranged) / MULTIPLE) * MULTIPLE
    if size > min(scan.volume.shape[1:]) or not len(scan.windows(size)):
        return WindowSuggestion(None, None, ranged)
    spread = math.sqrt(scan.porosity * (1 - scan.porosity) * ranged) / size
    return WindowSuggestion(size, spread, ranged)


def percolation(scan: Scan) -> dict[str, tuple[float, ...]]:
    """Find in which share of the images (of a volume: 1.0 or 0.0) a phase spans from side to side.

    Returns:
        For "pore" and "grain" one share for each axis of space: of images in which one cluster, connected through
        faces, touches both sides.
    """
    images = [scan.volume] if scan.is_volume else scan.volume
    return {
        name: tuple(np.mean([_spans(image == phase) for image in images], axis=0).tolist())
        for name, phase in PHASES.items()
    }


def hangs_on_corners(scan: Scan, through_faces: tuple[float, ...]) -> tuple[int, ...]:
    """Find the axes of space along which grain reaches across some image through edges and corners of voxels alone.

    Args:
        scan: of grain and pores.
        through_faces: of :func:`percolation`, for grain.
    """
    if min(through_faces) == 1:
        return ()
    images = [scan.volume] if scan.is_volume else scan.volume
    whole = scipy.ndimage.generate_binary_structure(images[0].ndim, images[0].ndim)
    shares = np.mean([_spans(image == PHASES["grain"], whole) for image in images], axis=0)
    return tuple(np.flatnonzero(shares > np.array(through_faces)).tolist())


def thin_pores(scan: Scan) -> float:
    """The share of the pore space that is thinner than :data:`~matopt.descriptors.thin_pores.THIN` voxels, of windows.

    A volume is looked at as one: a crack is thin across its plane alone.
    """
    edge = min(CUBE, *scan.volume.shape) if scan.is_volume else min(PLANE, *scan.volume.shape[1:])
    sample = _sample(scan.windows(edge, dimensions=3 if scan.is_volume else 2))
    pore = 1 - sample.flatten(1).mean(1)
    return float((thin_share(sample) * pore).sum() / pore.sum().clamp_min(1e-12))


def _spans(mask: np.ndarray, connected: np.ndarray | None = None) -> list[bool]:
    labels, _ = scipy.ndimage.label(mask, connected)
    sides = [(np.unique(labels.take(0, axis)), np.unique(labels.take(-1, axis))) for axis in range(mask.ndim)]
    return [bool(np.intersect1d(first, last).any()) for first, last in sides]  # label 0 is the other phase


@dataclass(frozen=True)
class Interface:
    """The interface between the phases: how much there is and how far apart, in voxels, as means over windows.

    Attributes:
        specific_surface: interface per volume, or per area of images, per voxel edge; see
            :func:`matopt.descriptors.surface.specific_surface`.
        chord_length: for "pore" and "grain" the mean length of the pieces that the phase cuts out of straight lines
            along the axes of the plane; infinite where no line has another phase on it.
        lineal_path: for "pore" and "grain" the distance at which the lineal path function has fallen to a tenth of
            the volume fraction; None if it has not within half a window.
    """

    specific_surface: float
    chord_length: Mapping[str, float]
    lineal_path: Mapping[str, int | None]


def measure_interface(scan: Scan) -> Interface:
    """Measure surface, chords and lineal path in windows taken at random from all over the scan."""
    planes = _sample(largest_windows(scan, PLANE))
    bodies = _sample(largest_windows(scan, CUBE, dimensions=3)) if scan.is_volume else planes
    return Interface(
        float(specific_surface(bodies, 1.0).mean()),
        {name: _chord_length(planes, phase) for name, phase in PHASES.items()},
        {name: _lineal_path_end(planes, phase) for name, phase in PHASES.items()},
    )


def fabric(scan: Scan) -> tuple[bool, bool]:
    """Tell whether mirror images, and whether exchanged axes, are as likely as the scan: of slices, those of a slice.

    See :mod:`matopt.descriptors.fabric`.
    """
    dimensions = 3 if scan.is_volume else 2
    windows = _sample(largest_windows(scan, TOLD[dimensions], dimensions))
    return mirror_images_alike(windows), axes_alike(windows)


def largest_windows(scan: Scan, most: int, dimensions: int = 2) -> Windows:
    """Lay windows of at most this edge over a scan, smaller ones where none of them lies wholly in the sample.

    Raises:
        InputError: not even windows of four voxels do.
    """
    size = min(most, *scan.volume.shape[-dimensions:])
    while not len(windows := scan.windows(size, dimensions=dimensions)):
        size = size * 3 // 4
        if size < 4:
            raise InputError("no window lies wholly in the sample: what is outside is strewn all over it")
    return windows


def _sample(windows: Windows) -> torch.Tensor:
    """Cut windows at random, ``(N, 1, *S)`` densities of at most :data:`ENOUGH_VOXELS` voxels, or of one window."""
    voxels = windows.window.size**windows.window.dimensions
    count = min(len(windows), max(1, ENOUGH_VOXELS // voxels))
    return windows.cut(windows.choose({"sample": count})["sample"]).density()


def _chord_length(density: torch.Tensor, phase: int) -> float:
    """Average over all chords of all windows and axes."""
    fraction = volume_fraction(density, phase)[:, None]
    chords = (fraction / mean_chord_length(density, phase)).nan_to_num()  # a voxel; none in a window of no such phase
    return float(fraction.mean() / chords.mean())


def _lineal_path_end(density: torch.Tensor, phase: int) -> int | None:
    """Find where the mean lineal path function falls to a tenth of what it is at distance 0."""
    longest = min(density.shape[2:]) // 2
    length = min(16, longest)
    while True:
        curve = lineal_path(density, length, phase).mean((0, 1))
        below = (curve <= 0.1 * curve[0]).nonzero()
        if len(below):
            return int(below[0])
        if length == longest:
            return None
        length = min(2 * length, longest)
