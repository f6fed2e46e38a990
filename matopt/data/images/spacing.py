"""What a file says of the size of its voxels, and how that goes together with what the user says."""

from __future__ import annotations

import math
from dataclasses import dataclass

from matopt.units import UNITS, length_text

TOLERANCE = 0.01
"""Sizes that differ by no more than this share of them are the same."""

LEAST_DOTS = 2400
"""Dots per inch below which a resolution is that of a printer or a screen, not of a microscope."""

_WORDS = {
    "micron": "um", "microns": "um", "micrometer": "um", "micrometre": "um", "micrometers": "um", "micrometres": "um",
    "\\u00b5m": "um",  # as ImageJ writes it, in six letters
    "nanometer": "nm", "nanometre": "nm", "nanometers": "nm", "nanometres": "nm",
    "millimeter": "mm", "millimetre": "mm", "millimeters": "mm", "millimetres": "mm",
    "centimeter": "cm", "centimetre": "cm", "meter": "m", "metre": "m", "meters": "m", "metres": "m",
}  # fmt: skip


@dataclass(frozen=True)
class Spacing:
    """The edges of a voxel as a file gives them.

    Attributes:
        edges: along each axis of the array, in the file's unit; None where it does not say.
        unit: the file's unit in metres; None where it does not say, so that the edges tell proportions alone.
    """

    edges: tuple[float | None, ...]
    unit: float | None

    @staticmethod
    def of(edges: tuple[float | None, ...], unit: str | None = None) -> Spacing | None:
        """Take edges from a file, with the name of their unit; None where they say nothing.

        Numbers that are not positive are none. Ones throughout, without a unit, are what programs write that do not
        know.
        """
        name = (unit or "").strip().strip('"')
        metres = UNITS.get(_WORDS.get(name.lower(), name))
        known = tuple(float(e) if e is not None and math.isfinite(e) and e > 0 else None for e in edges)
        if not any(known) or (metres is None and all(e in (None, 1.0) for e in known)):
            return None
        return Spacing(known, metres)

    def keep(self, axes: list[int]) -> Spacing | None:
        """Return the spacing along some of the axes; None if nothing is said of them."""
        kept = tuple(self.edges[axis] for axis in axes)
        return Spacing(kept, self.unit) if any(kept) else None

    @property
    def is_cubic(self) -> bool:
        """Whether the edges that are said are all the same."""
        known = [edge for edge in self.edges if edge is not None]
        return max(known) <= (1 + TOLERANCE) * min(known)

    @property
    def metres(self) -> tuple[float | None, ...] | None:
        """The edges in metres; None without a unit."""
        return None if self.unit is None else tuple(e and e * self.unit for e in self.edges)

    def proportioned(self, edge: float) -> tuple[float, ...]:
        """Give edges in metres in these proportions, of which one is ``edge``: the one that it is nearest to."""
        said = [e for e in self.edges if e is not None]
        nearest = min(said, key=lambda e: (round(abs(math.log(edge / (e * self._unit_for(e, edge)))), 6), e))
        if abs(nearest * self._unit_for(nearest, edge) / edge - 1) > TOLERANCE:
            nearest = min(said)
        return tuple(edge if e is None else edge * e / nearest for e in self.edges)

    def contradicts(self, edges: tuple[float, ...]) -> bool:
        """Whether other edges, in metres along the same axes, differ from these by more than :data:`TOLERANCE`.

        Without a unit these are taken for metres, millimetres, micrometres or nanometres, whichever is nearest.
        """
        pairs = [(said, given) for said, given in zip(self.edges, edges, strict=True) if said is not None]
        unit = self._unit_for(*pairs[-1])
        return any(abs(said * unit / given - 1) > TOLERANCE for said, given in pairs)

    def _unit_for(self, said: float, given: float) -> float:
        return self.unit if self.unit is not None else 1000.0 ** round(math.log(given / said, 1000))

    def __str__(self) -> str:
        """The edges for people: ``20 x 5 x 5 um``, one number for cubes, ``?`` where one is not said."""
        if self.metres is not None:
            return length_text(*self.metres)
        words = ["?" if edge is None else f"{edge:.6g}" for edge in self.edges]
        return f"{words[0] if len(set(words)) == 1 else ' x '.join(words)} (no unit said)"
