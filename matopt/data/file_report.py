"""The report on an image file: values, and text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from matopt.data.scan_statistics import INDEPENDENT_PARTS, Interface
from matopt.data.windows.autocorrelation import DECORRELATED
from matopt.data.windows.scan import Stack
from matopt.descriptors.thin_pores import THIN


@dataclass(frozen=True)
class FileReport:
    """The findings of :func:`matopt.data.check.check` on an image file.

    Attributes:
        path: what was checked.
        shape, dtype: of the array as read.
        levels: the grey levels if there are at most 256, else None.
        shares: of the levels among the voxels, where they are more than two but few; else None.
        lowest, highest: the range of the grey levels.
        threshold: Otsu's threshold where no other rule told the phases; else None.
        rule: which levels are pore and which are grain, in words.
        said: what the file says of the edges of its voxels, in words; None where it says nothing.
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
        voxel_size: metres; None if it was not given.
        interface: specific surface, mean chord lengths and the reach of the lineal path, in voxels.
        thin_pores: the share of the pore space that is thinner than
            :data:`~matopt.descriptors.thin_pores.THIN` voxels.
        hints: what else to look at, one sentence each.
        source: the settings of the source, for the study.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: str
    levels: tuple[float, ...] | None
    shares: tuple[float, ...] | None
    lowest: float
    highest: float
    threshold: float | None
    rule: str
    said: str | None
    porosity: float
    stack: Stack
    percolation: Mapping[str, tuple[float, ...]]
    decorrelation: tuple[int, ...]
    integral_range: float
    window: int | None
    spread: float | None
    number: int
    voxel_size: float | None
    interface: Interface
    thin_pores: float
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
        elif self.shares is not None:
            pairs = zip(self.levels, self.shares, strict=True)
            listed = ", ".join(f"{level:g} ({100 * share:.3g} %)" for level, share in pairs)
            levels = f"{len(self.levels)}: {listed}"
        else:
            shown = ", ".join(f"{level:g}" for level in self.levels[:8]) + (", ..." if len(self.levels) > 8 else "")
            levels = f"{len(self.levels)} ({shown})"
        lines = [
            str(self.path),
            f"  shape        {' x '.join(map(str, self.shape))}, {self.dtype}"
            + (f", axis 0 taken for {'space' if self.is_volume else 'a count of images'}" * (len(self.shape) == 3)),
            f"  grey levels  {levels}, from {self.lowest:g} to {self.highest:g}",
            *([f"  voxels       {self.said} by the file"] if self.said is not None else []),
            f"  phases       {self.rule}; porosity {self.porosity:.4f}",
            *(f"  {phase:<12} {self._spans(shares, axes)}" for phase, shares in self.percolation.items()),
            f"  correlation  below {DECORRELATED} after "
            + ", ".join(f"{n} voxels along {axis}" for n, axis in zip(self.decorrelation, axes, strict=True)),
            f"  surface      {self._per_length(self.interface.specific_surface)} of interface per "
            + ("volume" if self.is_volume else "area"),
            "  chords       on average "
            + ", ".join(f"{self._length(n)} in {phase}" for phase, n in self.interface.chord_length.items()),
            "  lineal path  falls to a tenth after "
            + ", ".join(f"{self._reach(n)} in {phase}" for phase, n in self.interface.lineal_path.items()),
            f"  thin pores   {self.thin_pores:.0%} of the pore space is thinner than {THIN} voxels{self._warning}",
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

    @property
    def _warning(self) -> str:
        """What thin pores mean."""
        if not self.thin_pores:
            return ""
        return "; permeability through it is uncertain by a fifth, and only a finer scan helps"

    def _spans(self, shares: tuple[float, ...], axes: str) -> str:
        if len(self.shape) == 3 and not self.is_volume:
            parts = ", ".join(f"{100 * share:.0f} % along {axis}" for share, axis in zip(shares, axes, strict=True))
            return f"percolates in {parts} of the images"
        spanned = [axis for share, axis in zip(shares, axes, strict=True) if share]
        return f"percolates along {', '.join(spanned)}" if spanned else "does not percolate"

    def _length(self, voxels: float) -> str:
        if math.isinf(voxels):
            return "unbounded"
        return f"{voxels:.3g} voxels" if self.voxel_size is None else f"{voxels * self.voxel_size * 1e6:.3g} um"

    def _reach(self, voxels: int | None) -> str:
        return "more than half a window" if voxels is None else self._length(voxels)

    def _per_length(self, per_voxel: float) -> str:
        if self.voxel_size is None:
            return f"{per_voxel:.3g} per voxel edge"
        return f"{per_voxel / self.voxel_size * 1e-6:.3g} per um"
