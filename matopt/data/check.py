"""Checking an image file: what it holds, and how a study would best use it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from matopt.data.file_report import FileReport
from matopt.data.images.contact_sheet import contact_sheet
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import read_grey
from matopt.data.images.segmentation import Side, grey_levels, otsu, refuse_non_finite, to_phases
from matopt.data.scan_statistics import hangs_on_corners, measure_interface, percolation, suggest_window, thin_pores
from matopt.data.windows.scan import Scan
from matopt.errors import InputError
from matopt.units import metres

ON_SHEET = 36
"""Windows on a contact sheet, at most."""


def check(
    path: str | PathLike[str], options: ReadOptions, voxel_size: float | str | None = None, sheet: Path | None = None
) -> FileReport:
    """Examine an image file: what it holds, whether its phases are told apart, and how to cut it into windows.

    More than two grey levels without a rule are looked at under Otsu's threshold, which the suggested source then
    names. With ``sheet`` a contact sheet of some windows is written there: of the suggested size, or the largest if
    none is.

    Args:
        path: a file or a folder of slices, as for :func:`matopt.data.read.read`.
        options: how it becomes two phases.
        voxel_size: the edge of a voxel, in metres or as text: "5.345 um"; lengths are in voxels without it.
        sheet: where the contact sheet goes, a PNG file.

    Raises:
        InputError: the file cannot be read, or holds one phase or levels that are not finite.
        FailureError: the sheet cannot be written.
    """
    length = metres(voxel_size) if voxel_size is not None else None
    grey = read_grey(Path(path), options)
    levels = grey_levels(grey)
    if options.phases is None and options.threshold is None and len(levels) > 2:
        options = replace(options, threshold="otsu")
    try:
        refuse_non_finite(grey)
        suggested = otsu(grey) if options.threshold == "otsu" else None
        threshold = options.threshold if suggested is None else suggested
        scan = Scan(to_phases(grey, options.phases, threshold, options.grain), 1.0, options.stack)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    window, spans = suggest_window(scan), percolation(scan)
    if sheet is not None:
        windows = scan.windows(window.size or min(scan.volume.shape[1:]))
        contact_sheet(sheet, *windows.split(sample=min(ON_SHEET, len(windows))))
    return FileReport(
        path=Path(path),
        shape=grey.shape,
        dtype=str(grey.dtype),
        levels=tuple(float(level) for level in levels) if len(levels) <= 256 else None,
        lowest=float(grey.min()),
        highest=float(grey.max()),
        threshold=suggested,
        rule=_rule(levels, options.phases, threshold, suggested, options.grain),
        porosity=scan.porosity,
        stack=options.stack,
        percolation=spans,
        decorrelation=tuple(scan.decorrelation_length(axis) for axis in range(0 if scan.is_volume else 1, 3)),
        integral_range=window.integral_range,
        window=window.size,
        spread=window.spread,
        number=len(scan.windows(window.size)) if window.size is not None else 0,
        voxel_size=length,
        interface=measure_interface(scan),
        thin_pores=thin_pores(scan),
        hints=tuple(_hints(scan, grey, voxel_size is None, spans)),
        source=_source(path, voxel_size, options, grey.ndim),
    )


def _source(
    path: str | PathLike[str], voxel_size: float | str | None, options: ReadOptions, n_axes: int
) -> dict[str, Any]:
    """Collect the settings of the source "files" that are not the default."""
    settings: dict[str, Any] = {
        "kind": "files",
        "path": str(path),
        "voxel_size": voxel_size if voxel_size is not None else "? um",
    }
    for field in fields(options):
        value = getattr(options, field.name)
        if value != field.default and not (field.name == "stack" and n_axes != 3):
            settings[field.name] = value
    if "phases" in settings:
        settings["phases"] = dict(settings["phases"])
    if "shape" in settings:
        settings["shape"] = list(settings["shape"])
    return settings


def _rule(
    levels: np.ndarray,
    phases: Mapping[float | str, str] | None,
    threshold: float | Literal["otsu"] | None,
    suggested: float | None,
    grain: Side,
) -> str:
    """Put in words which levels are pore and which are grain."""
    if phases is not None:
        return ", ".join(f"{level} is {phase}" for level, phase in phases.items())
    if threshold is None:
        pore, solid = levels if grain == "above" else levels[::-1]
        swap = "; if it is the other way round, add `grain: below`" if grain == "above" else ""
        return f"pore is {pore:g}, grain is {solid:g}{swap}"
    level = f"{threshold:g}" if suggested is None else f"{suggested:g} (Otsu's threshold)"
    return f"grain is {grain} {level}"


def _hints(scan: Scan, grey: np.ndarray, is_size_unknown: bool, spans: Mapping[str, tuple[float, ...]]) -> list[str]:
    hints = []
    if is_size_unknown:
        hints.append("no voxel size was given: put it in place of '? um'")
    side = math.isqrt(max(grey.shape))
    if grey.ndim == 2 and side * side == grey.shape[1] and side >= 16 and grey.shape[1] > 16 * grey.shape[0]:
        hints.append(f"if each row is an image of its own, add `shape: [{grey.shape[0]}, {side}, {side}]`")
    if axes := hangs_on_corners(scan, spans["grain"]):
        names = " and ".join(("xyz" if scan.is_volume else "xy")[axis] for axis in axes)
        hints.append(
            f"grain reaches across along {names} through edges and corners of voxels alone: there Young's modulus is "
            "the grid's, and falls as voxels get smaller"
        )
    if scan.is_volume:
        along, across = scan.decorrelation_length(0), min(scan.decorrelation_length(axis) for axis in (1, 2))
        if along == 1:
            hints.append("neighbouring slices are not alike: if they are independent images, add `stack: images`")
        elif 2 * along < across:
            hints.append(
                f"slices lose their likeness after {along} voxels, their own pixels after {across}: if slices are "
                "further apart than pixels, cut plane windows only"
            )
    return hints
