"""The source that makes mats of short fibres."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from matopt.data.processes.fibre_mat import FibreMat
from matopt.data.processes.limits import resolved, within
from matopt.data.sources.base import SOURCES, ProcessModel
from matopt.errors import InputError
from matopt.units import metres


@SOURCES.register("fibres")
class Fibres(ProcessModel):
    """Short fibres that lie across each other, such as carbon paper; see ``docs/materials.md``.

    Args:
        voxel_size: metres, or a length with its unit.
        diameter: of a fibre, a length.
        length: of a fibre, without its round ends.
        bend: root mean square of the rise of a fibre's arc over its length; 0 is straight.
        orientation: diagonal of the second-order orientation tensor along the axes of space: [1/3, 1/3, 1/3] for
            directions of all kinds, [0, 1/2, 1/2] in the plane of the slices, [0, 1, 0] along the first axis of
            slices, [1, 0, 0] along axis 0 of volumes, across slices.
        porosity: of the material. A window's differs from it by chance.

    Raises:
        InputError: a length or a number that cannot be, or an orientation whose sum is not 1.

    Source: the fibres are a Boolean model; Schladitz and others, Computational Materials Science 38, 56 (2006); the
    orientation tensor Advani and Tucker, J. Rheol. 31, 751 (1987).
    """

    VERSION: ClassVar[int] = 1
    EDGE: ClassVar[float] = 64.0
    SLICE_STEP: ClassVar[float] = 2.0

    def __init__(
        self,
        voxel_size: float | str = 2e-6,
        diameter: float | str = 8e-6,
        length: float | str = 8e-5,
        bend: float = 0.04,
        orientation: tuple[float, float, float] = (0.01, 0.495, 0.495),
        porosity: float = 0.5,
    ) -> None:
        self.voxel_size = metres(voxel_size)
        self.diameter = resolved("diameter", diameter, self.voxel_size)
        self.length = metres(length, "length")
        if not 1 <= self.length / self.diameter <= 50:
            raise InputError(f"length must be 1 to 50 times the diameter, not {self.length / self.diameter:g} times")
        self.bend = within("bend", bend, 0, 0.2)
        self.orientation = [within("orientation", part, 0, 1) for part in orientation]
        if len(self.orientation) != 3 or not math.isclose(sum(self.orientation), 1, abs_tol=1e-3):
            raise InputError(f"orientation must be three numbers whose sum is 1, not {list(orientation)!r}")
        self.porosity = within("porosity", porosity, 0.05, 0.99)

    @property
    def unit(self) -> float:
        """The diameter of the fibres."""
        return self.diameter

    def specimen(self, random: np.random.Generator, edge: float) -> FibreMat:
        """Strew the fibres of a cube."""
        return FibreMat(random, edge, self.porosity, self.length / self.unit, self.bend, self.orientation)
