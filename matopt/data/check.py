"""What a file of images holds, and how a study would best use it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.ndimage
import yaml

from matopt.data.images.contact_sheet import contact_sheet
from matopt.data.images.readers import read_grey
from matopt.data.images.segmentation import PHASES, Side, grey_levels, otsu, refuse_non_finite, to_phases
from matopt.data.read import unsaid
from matopt.data.windows.autocorrelation import DECORRELATED, autocorrelation, integral_range
from matopt.data.windows.scan import Scan, Stack
from matopt.errors import InputError
from matopt.units import metres

INDEPENDENT_PARTS = 16
"""Integral ranges in a window of the suggested size: the solid fraction then has a quarter of the standard deviation
that it has voxel by voxel. Many more would make all windows alike, fewer would make them no sample of the material."""

ON_SHEET = 36
"""Windows on a contact sheet, at most."""

MULTIPLE = 16
"""Suggested sizes are multiples of it, since networks halve them four times."""


@dataclass(frozen=True)
class FileReport:
    """What :func:`check` found.

    Attributes:
        path: what was checked.
        shape, dtype: of the array as read.
        levels: the grey levels if there are at most 256, else None.
        lowest, highest: the range of the grey levels.
        threshold: Otsu's threshold where no other rule told the phases; else None.
        rule: which levels are pore and which are grain, in words.
        porosity: the pore fraction.
        stack: what axis 0 of three is taken for.
        percolation: for "pore" and "grain" the share of the images (of a volume: 1.0 or 0.0) in which a cluster of
            the phase, connected through faces, spans from one side to the other; one number for each axis of space.
        decorrelation: voxels along each axis of space after which the correlation is below
            :data:`~matopt.data.windows.autocorrelation.DECORRELATED`.
        integral_range: of plane windows, in voxels; see :func:`matopt.data.windows.autocorrelation.integral_range`.
        window: the suggested edge of plane windows: the least multiple of :data:`MULTIPLE` that holds
            :data:`INDEPENDENT_PARTS` integral ranges; None if the image is smaller than that.
        spread: the standard deviation of the porosity between such windows that follows from the integral range.
        number: how many such windows lie side by side.
        hints: what else to look at, one sentence each.
        source: the settings of the source, for the study.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: str
    levels: tuple[float, ...] | None
    lowest: float
    highest: float
    threshold: float | None
    rule: str
    porosity: float
    stack: Stack
    percolation: Mapping[str, tuple[float, ...]]
    decorrelation: tuple[int, ...]
    integral_range: float
    window: int | None
    spread: float | None
    number: int
    hints: tuple[str, ...]
    source: Mapping[str, Any]

    @property
    def yaml(self) -> str:
        """The lines to paste under ``data:`` in a study."""
        block: dict[str, Any] = {"source": dict(self.source)}
        if self.window is not None:
            block["window"] = {"size": self.window}
        return yaml.safe_dump(block, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)

    def __str__(self) -> str:
        """The report as text for a terminal."""
        axes = "xyz" if self.is_volume else "xy"
        if self.levels is None:
            levels = "more than 256"
        else:
            shown = ", ".join(f"{level:g}" for level in self.levels[:8]) + (", ..." if len(self.levels) > 8 else "")
            levels = f"{len(self.levels)} ({shown})"
        lines = [
            str(self.path),
            f"  shape        {' x '.join(map(str, self.shape))}, {self.dtype}"
            + (f", axis 0 taken for {'space' if self.is_volume else 'a count of images'}" * (len(self.shape) == 3)),
            f"  grey levels  {levels}, from {self.lowest:g} to {self.highest:g}",
            f"  phases       {self.rule}; porosity {self.porosity:.4f}",
            *(f"  {phase:<12} {self._spans(shares, axes)}" for phase, shares in self.percolation.items()),
            f"  correlation  below {DECORRELATED} after "
            + ", ".join(f"{n} voxels along {axis}" for n, axis in zip(self.decorrelation, axes, strict=True)),
        ]
        if self.window is None:
            lines.append(
                f"  window       none suggested: {INDEPENDENT_PARTS} independent parts of {self.integral_range:.0f} "
                "voxels each are more than an image holds"
            )
        else:
            lines.append(
                f"  window       {self.window} voxels: {self.window**2 / self.integral_range:.0f} independent parts of "
                f"{self.integral_range:.0f} voxels each (integral range); porosity then varies by {self.spread:.3f} "
                f"(standard deviation) between windows, of which {self.number} lie side by side"
            )
        lines += [f"  note         {hint}" for hint in self.hints]
        return "\n".join([*lines, "", "To use it in a study, under `data:`", "", self.yaml])

    @property
    def is_volume(self) -> bool:
        """Whether axis 0 of the array is an axis of space."""
        return len(self.shape) == 3 and self.stack == "volume"

    def _spans(self, shares: tuple[float, ...], axes: str) -> str:
        if len(self.shape) == 3 and not self.is_volume:
            parts = ", ".join(f"{100 * share:.0f} % along {axis}" for share, axis in zip(shares, axes, strict=True))
            return f"percolates in {parts} of the images"
        spanned = [axis for share, axis in zip(shares, axes, strict=True) if share]
        return f"percolates along {', '.join(spanned)}" if spanned else "does not percolate"


def check(
    path: str | PathLike[str],
    voxel_size: float | str | None = None,
    variable: str | None = None,
    phases: Mapping[float | str, str] | None = None,
    threshold: float | Literal["otsu"] | None = None,
    grain: Side = "above",
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    stack: Stack = "volume",
    sheet: Path | None = None,
) -> FileReport:
    """Look at a file: what it holds, whether its phases are told apart, and how to cut it.

    The arguments are those of :func:`matopt.data.read.read`; all but the path may be unknown yet. More than
    two grey levels without a rule are looked at under Otsu's threshold, which the suggested source then names. With
    ``sheet`` a contact sheet of some windows is written there: of the suggested size, or the largest if none is.

    Raises:
        InputError: the file cannot be read, or holds one phase or levels that are not finite.
        FailureError: the sheet cannot be written.
    """
    if voxel_size is not None:
        metres(voxel_size)
    grey = read_grey(Path(path), unsaid(variable, shape, dtype))
    levels = grey_levels(grey)
    rule: float | Literal["otsu"] | None = threshold
    if phases is None and threshold is None and len(levels) > 2:
        rule = "otsu"
    try:
        refuse_non_finite(grey)
        suggested = otsu(grey) if rule == "otsu" else None
        found = to_phases(grey, phases, rule if suggested is None else suggested, grain)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    scan = Scan(found, 1.0, stack)
    window, spread, ranged = _suggest(scan)
    if sheet is not None:
        windows = scan.windows(window or min(scan.volume.shape[1:]))
        contact_sheet(sheet, *windows.split(sample=min(ON_SHEET, len(windows))))
    settings = {
        "kind": "files",
        "path": str(path),
        "voxel_size": voxel_size if voxel_size is not None else "? um",
        "variable": variable,
        "phases": dict(phases) if phases is not None else None,
        "threshold": rule,
        "grain": grain if grain != "above" else None,
        "shape": list(shape) if shape is not None else None,
        "dtype": dtype,
        "stack": stack if grey.ndim == 3 and stack != "volume" else None,
    }
    return FileReport(
        path=Path(path),
        shape=grey.shape,
        dtype=str(grey.dtype),
        levels=tuple(float(level) for level in levels) if len(levels) <= 256 else None,
        lowest=float(grey.min()),
        highest=float(grey.max()),
        threshold=suggested,
        rule=_rule(levels, phases, rule, suggested, grain),
        porosity=scan.porosity,
        stack=stack,
        percolation={name: _percolation(scan, value) for name, value in PHASES.items()},
        decorrelation=tuple(scan.decorrelation_length(axis) for axis in range(0 if scan.is_volume else 1, 3)),
        integral_range=ranged,
        window=window,
        spread=spread,
        number=len(scan.windows(window)) if window is not None else 0,
        hints=tuple(_hints(scan, grey, voxel_size is None)),
        source={name: value for name, value in settings.items() if value is not None},
    )


def _rule(
    levels: np.ndarray,
    phases: Mapping[float | str, str] | None,
    threshold: float | Literal["otsu"] | None,
    suggested: float | None,
    grain: Side,
) -> str:
    """Which levels are pore and which are grain, in words."""
    if phases is not None:
        return ", ".join(f"{level} is {phase}" for level, phase in phases.items())
    if threshold is None:
        pore, solid = levels if grain == "above" else levels[::-1]
        swap = "; if it is the other way round, add `grain: below`" if grain == "above" else ""
        return f"pore is {pore:g}, grain is {solid:g}{swap}"
    level = f"{threshold:g}" if suggested is None else f"{suggested:g} (Otsu's threshold)"
    return f"grain is {grain} {level}"


def _suggest(scan: Scan) -> tuple[int | None, float | None, float]:
    """The edge of plane windows, the porosity's spread between them, and the integral range it follows from."""
    rows, columns = (autocorrelation(scan.volume, axis) for axis in (1, 2))
    lags = min(len(rows), len(columns))
    ranged = integral_range((rows[:lags] + columns[:lags]) / 2, dimensions=2)
    size = math.ceil(math.sqrt(INDEPENDENT_PARTS * ranged) / MULTIPLE) * MULTIPLE
    if size > min(scan.volume.shape[1:]):
        return None, None, ranged
    return size, math.sqrt(scan.porosity * (1 - scan.porosity) * ranged) / size, ranged


def _percolation(scan: Scan, phase: int) -> tuple[float, ...]:
    """The share of images (or of the one volume) that the phase spans, for each axis of space."""
    images = [scan.volume] if scan.is_volume else scan.volume
    return tuple(np.mean([_spans(image == phase) for image in images], axis=0).tolist())


def _spans(mask: np.ndarray) -> list[bool]:
    labels, _ = scipy.ndimage.label(mask)
    sides = [(np.unique(labels.take(0, axis)), np.unique(labels.take(-1, axis))) for axis in range(mask.ndim)]
    return [bool(np.intersect1d(first, last).any()) for first, last in sides]  # label 0 is the other phase


def _hints(scan: Scan, grey: np.ndarray, is_size_unknown: bool) -> list[str]:
    hints = []
    if is_size_unknown:
        hints.append("no voxel size was given: put it in place of '? um'")
    side = math.isqrt(max(grey.shape))
    if grey.ndim == 2 and side * side == grey.shape[1] and side >= 16 and grey.shape[1] > 16 * grey.shape[0]:
        hints.append(f"if each row is an image of its own, add `shape: [{grey.shape[0]}, {side}, {side}]`")
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
