"""Checking an image file: what it holds, and how a study would best use it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from matopt.data.file_report import FileReport
from matopt.data.images.contact_sheet import contact_sheet
from matopt.data.images.levels import Levels, levels_of
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import read_image
from matopt.data.images.segmentation import no_rule, otsu, refuse_non_finite, rule_text, to_phases
from matopt.data.images.spacing import Spacing
from matopt.data.scan_statistics import (
    fabric,
    hangs_on_corners,
    largest_windows,
    measure_interface,
    percolation,
    suggest_window,
    thin_pores,
)
from matopt.data.voxels import as_scan
from matopt.data.windows.scan import Scan
from matopt.errors import InputError, heard, named
from matopt.units import length_text

ON_SHEET = 36
"""Windows on a contact sheet, at most."""


def check(
    path: str | PathLike[str], options: ReadOptions, voxel_size: float | str | None = None, sheet: Path | None = None
) -> FileReport:
    """Examine an image file: what it holds, whether its phases are told apart, and how to cut it into windows.

    Where nothing says which levels are which phase, the suggested source does: a few levels by a guess at each, grey
    ones by Otsu's threshold. Voxels that are no cubes are resampled to cubes. With ``sheet`` a contact sheet of some
    windows is written there: of the suggested size, or the largest if none is.

    Args:
        path: a file or a folder of slices, as for :func:`matopt.data.read.read`.
        options: how it becomes two phases.
        voxel_size: the edge of a voxel, in metres or as text: "5.345 um"; without it, what the file says; lengths are
            in voxels where neither does.
        sheet: where the contact sheet goes, a PNG file.

    Raises:
        InputError: the file cannot be read, or holds one phase, levels that are not finite or numbers of regions; or
            the sheet would lie in the folder that is read.
        FailureError: the sheet cannot be written.
    """
    path = Path(path)
    if sheet is not None and lies_among_slices(sheet, path):
        raise InputError(f"{sheet}: a contact sheet would be taken for a slice of {path}; name another place for it")
    with heard() as remarks:
        grey, said = read_image(path, options)
        with named(str(path)):
            refuse_non_finite(grey)
            levels = levels_of(grey)
            chosen = _with_rule(options, levels)
            suggested = otsu(_inside(grey, chosen)) if chosen.threshold == "otsu" else None
            told = chosen if suggested is None else replace(chosen, threshold=suggested)
            size, is_known = _voxel_size(voxel_size, said)
            scan = as_scan(grey, said, size, replace(told, resample=True))
            window, spans = suggest_window(scan), percolation(scan)
            interface = measure_interface(scan)
    is_resampled = scan.phases.shape != grey.shape
    if sheet is not None:
        windows = scan.windows(window.size) if window.size else largest_windows(scan, max(grey.shape))
        contact_sheet(sheet, *windows.split(sample=min(ON_SHEET, len(windows))))
    if is_resampled and not options.resample:
        chosen = replace(chosen, resample=True)
    hints = [*remarks, *_hints(scan, grey, levels, options, spans)]
    if is_resampled:
        hints.insert(0, _resampled(grey, scan, told, said, size))
    if voxel_size is None:
        hints.insert(0, _size_of_file(said) if is_known else _no_size(said))
    return FileReport(
        path=path,
        shape=grey.shape,
        dtype=str(grey.dtype),
        levels=tuple(map(float, levels.values)) if levels.values is not None and len(levels.values) <= 256 else None,
        shares=tuple(levels.counts / levels.counts.sum()) if levels.are_few else None,
        lowest=float(grey.min()),
        highest=float(grey.max()),
        threshold=suggested,
        rule=_rule(levels, told, suggested),
        said=str(said) if said is not None else None,
        porosity=scan.porosity,
        stack=options.stack,
        percolation=spans,
        decorrelation=tuple(scan.decorrelation_length(axis) for axis in range(0 if scan.is_volume else 1, 3)),
        integral_range=window.integral_range,
        window=window.size,
        spread=window.spread,
        number=len(scan.windows(window.size)) if window.size is not None else 0,
        voxel_size=scan.voxel_size if is_known else None,
        interface=interface,
        thin_pores=thin_pores(scan),
        hints=tuple(hints),
        source=_source(path, size if is_known else "? um", chosen, grey.ndim),
    )


def lies_among_slices(file: Path, path: Path) -> bool:
    """Whether a file would lie in the folder of slices that is read."""
    return path.is_dir() and file.resolve().parent == path.resolve()


def _with_rule(options: ReadOptions, levels: Levels) -> ReadOptions:
    """Add the rule that tells phases, where none is given and the levels need one.

    Raises:
        InputError: the levels are numbers of regions.
    """
    is_masked = options.phases is not None and set(options.phases.values()) == {"outside"}
    if (options.phases is not None and not is_masked) or options.threshold is not None:
        return options
    if levels.values is not None and len(levels.values) <= (2 if options.phases is None else 3):
        return options
    if levels.are_few and options.phases is None:
        return replace(options, phases=levels.suggested_phases())
    if levels.are_labels:
        raise InputError(no_rule(levels))
    corner = levels.surroundings if options.phases is None else None
    phases = options.phases if corner is None else {corner: "outside"}
    return replace(options, threshold="otsu", phases=phases)


def _inside(grey: np.ndarray, options: ReadOptions) -> np.ndarray:
    """The grey levels that are not outside, in rows."""
    if options.phases is None:
        return grey
    return grey[~np.isin(grey, [float(level) for level in options.phases])][None]


def _voxel_size(given: float | str | None, said: Spacing | None) -> tuple[float | str, bool]:
    """Choose the voxel size, and say whether it is known: the user's, the file's, or one that means nothing."""
    if given is not None:
        return given, True
    edges = said.metres if said is not None else None
    if said is None or edges is None or edges[-1] is None:
        known = [edge for edge in said.edges if edge is not None] if said is not None else [1.0]
        return 1e-6 * min(known), False
    return length_text(*(edge if edge is not None else edges[-1] for edge in edges)), True


def _source(path: Path, voxel_size: float | str, options: ReadOptions, n_axes: int) -> dict[str, Any]:
    """Collect the settings of the source "files" that are not the default; paths are right from anywhere."""
    settings: dict[str, Any] = {"kind": "files", "path": str(path.resolve()), "voxel_size": voxel_size}
    for field in fields(options):
        value = getattr(options, field.name)
        if value != field.default and not (field.name == "stack" and n_axes != 3):
            settings[field.name] = value
    if "phases" in settings:
        settings["phases"] = dict(settings["phases"])
    if "shape" in settings:
        settings["shape"] = list(settings["shape"])
    if "threshold" in settings and settings["threshold"] != "otsu":
        settings["threshold"] = float(settings["threshold"])
    if ".py:" in settings.get("format", ""):
        file, _, name = settings["format"].rpartition(":")
        settings["format"] = f"{Path(file).resolve()}:{name}"
    return settings


def _rule(levels: Levels, options: ReadOptions, suggested: float | None) -> str:
    """Put in words which levels are pore and which are grain."""
    outside = f"{rule_text(options.phases)}; of the rest " if options.phases is not None else ""
    if options.phases is not None and set(options.phases.values()) != {"outside"}:
        return rule_text(options.phases)
    if options.threshold is None:
        assert levels.values is not None
        rest = [v for v in levels.values if options.phases is None or v not in {float(o) for o in options.phases}]
        pore, solid = rest if options.grain == "above" else rest[::-1]
        swap = "; if it is the other way round, add `grain: below`" if options.grain == "above" else ""
        return f"{outside}pore is {pore:g}, grain is {solid:g}{swap}"
    level = f"{options.threshold:g}" if suggested is None else f"{suggested:g} (Otsu's threshold)"
    return f"{outside}grain is {options.grain} {level}"


def _size_of_file(said: Spacing | None) -> str:
    is_whole = said is not None and None not in said.edges
    slices = "" if is_whole else ", which does not tell the distance of its slices; it is taken for the same"
    return f"the voxel size is what the file says{slices}; check it"


def _no_size(said: Spacing | None) -> str:
    if said is None:
        return "no voxel size was given: put it in place of '? um'"
    return f"no voxel size was given, and the file says {said}: put it in place of '? um'"


def _resampled(grey: np.ndarray, scan: Scan, told: ReadOptions, said: Spacing | None, size: float | str) -> str:
    """Say what resampling did to an image."""
    before = Scan(to_phases(grey, told.phases, told.threshold, told.grain), 1.0, told.stack).porosity
    voxels = size if isinstance(size, str) and "x" in size else said
    shapes = (" x ".join(map(str, shape)) for shape in (grey.shape, scan.phases.shape))
    return (
        f"its voxels are no cubes ({voxels}): what stands above is of {' voxels resampled to '.join(shapes)}, by "
        f"shape-based interpolation that keeps the porosity ({before:.4f}, now {scan.porosity:.4f}); what is thinner "
        "than the longest edge was never seen, so that pores are smoother along it than they were"
    )


def _hints(
    scan: Scan, grey: np.ndarray, levels: Levels, options: ReadOptions, spans: Mapping[str, tuple[float, ...]]
) -> list[str]:
    hints = []
    if levels.are_few and options.phases is None:
        hints.append(
            "`phases` is a guess: say of each level whether it is pore, grain or outside the sample"
            if options.threshold is None
            else f"a threshold takes {levels.shares()} for two phases: say what each is, as `phases: "
            f"{{{', '.join(f'{level}: {phase}' for level, phase in levels.suggested_phases().items())}}}`"
        )
    if levels.are_labels and options.phases is None and options.threshold is not None and levels.values is not None:
        hints.append(f"its {len(levels.values)} levels number regions (grain ids): they are no grey levels")
    if levels.corner is not None and not scan.is_masked:
        own = math.floor(float(grey.max())) + 1
        hints.append(
            f"level {levels.corner:g} fills the corners of every slice: if that is the outside of a core, or a "
            f"frame, it is no phase; give it a level of its own, as {own}, and add `phases: {{{own}: outside}}`, or "
            "crop it away"
        )
    side = math.isqrt(max(grey.shape))
    if grey.ndim == 2 and side * side == grey.shape[1] and side >= 16 and grey.shape[1] > 16 * grey.shape[0]:
        hints.append(f"if each row is an image of its own, add `shape: [{grey.shape[0]}, {side}, {side}]`")
    if axes := hangs_on_corners(scan, spans["grain"]):
        names = " and ".join(("xyz" if scan.is_volume else "xy")[axis] for axis in axes)
        hints.append(
            f"grain reaches across along {names} through edges and corners of voxels alone: there Young's modulus is "
            "the grid's, and falls as voxels get smaller"
        )
    is_mirrored, is_exchanged = fabric(scan)
    if not is_mirrored:
        hints.append("it is told from its mirror images, as a slanted fabric is: generators do not learn from these")
    if not is_exchanged:
        hints.append(
            "its axes are told apart, as those of a bedded rock are: generators learn windows as they lie, and "
            "`slices_to_volume` needs volumes"
        )
    if scan.is_volume:
        along, across = scan.decorrelation_length(0), min(scan.decorrelation_length(axis) for axis in (1, 2))
        if along == 1:
            hints.append("neighbouring slices are not alike: if they are independent images, add `stack: images`")
        elif 2 * along < across:
            hints.append(
                f"slices lose their likeness after {along} voxels, their own pixels after {across}: if slices are "
                f"further apart than pixels, say so, as `voxel_size: {round(across / along)} x 1 x 1 um`, or cut plane "
                "windows only"
            )
    return hints
