"""The edges of the voxels of an image: what the user says, what the file says, and cubes made of what are none."""

from __future__ import annotations

import numpy as np

from matopt.data.images.read_options import ReadOptions
from matopt.data.images.segmentation import to_phases
from matopt.data.images.spacing import TOLERANCE, Spacing
from matopt.data.resample import cubes
from matopt.data.windows.scan import Scan
from matopt.errors import InputError, warn
from matopt.units import length_text, voxel_edges


def as_scan(grey: np.ndarray, said: Spacing | None, voxel_size: float | str, options: ReadOptions) -> Scan:
    """Make a scan of grey levels: two phases in voxels that are cubes.

    A size that disagrees with the file's by more than a percent is said by an ``InputWarning``.

    Args:
        grey: 2 or 3 axes, as read.
        said: what the file says of its voxels, along the same axes.
        voxel_size: one edge, or one for each axis of space, axis 0 first: "20 x 5 x 5 um". Of one edge the others
            follow by the proportions that the file gives: it is the one that it agrees with, else the least.
        options: how the phases are told, and whether voxels that are no cubes are resampled.

    Raises:
        InputError: levels that are no two phases, a size that is no length, or voxels that are no cubes.
    """
    phases = to_phases(grey, options.phases, options.threshold, options.grain)
    is_stack = options.stack == "images" and grey.ndim == 3
    n_axes = 2 if is_stack else grey.ndim
    if said is not None and is_stack:
        said = said.keep([1, 2])
    edges = edges_of(voxel_size, said, n_axes)
    least = min(edges)
    if max(edges) <= (1 + TOLERANCE) * least:
        return Scan(phases, edges[-1], options.stack)
    if not options.resample:
        number, unit = length_text(least).split()
        cube = " x ".join([number] * n_axes)
        raise InputError(
            f"its voxels are no cubes but {length_text(*edges)}; add `resample: true` (--resample) for cubes of "
            f"{length_text(least)}, or, if they are cubes, say so: `voxel_size: {cube} {unit}`"
        )
    if is_stack:
        return Scan(np.stack([cubes(image, edges) for image in phases]), least, options.stack)
    return Scan(cubes(phases, edges), least, options.stack)


def edges_of(voxel_size: float | str, said: Spacing | None, n_axes: int) -> tuple[float, ...]:
    """Find the edge of a voxel in metres along each axis of space, from what the user and the file say.

    Raises:
        InputError: as :func:`matopt.units.voxel_edges`, or edges for another number of axes.
    """
    given = voxel_edges(voxel_size)
    if len(given) not in (1, n_axes):
        raise InputError(f"voxel_size {voxel_size!r} has {len(given)} edges, but the image has {n_axes} axes of space")
    edges = given if len(given) == n_axes else given * n_axes
    if said is None:
        return edges
    if len(given) == 1 and not said.is_cubic:
        edges = said.proportioned(given[0])
    if said.contradicts(edges):
        warn(f"the file says that its voxels are {said}, but the voxel size given makes them {length_text(*edges)}")
    return edges
