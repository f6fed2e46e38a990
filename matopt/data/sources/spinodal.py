"""The source that makes spinodal structures: two phases that run through each other."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from matopt.data.processes.limits import resolved, within
from matopt.data.processes.random_waves import RandomWaves
from matopt.data.sources.base import SOURCES, ProcessModel
from matopt.units import metres


@SOURCES.register("spinodal")
class Spinodal(ProcessModel):
    """Two phases that have parted by spinodal decomposition, such as porous glass; see ``docs/materials.md``.

    Args:
        voxel_size: metres, or a length with its unit.
        wavelength: of the concentration waves that have grown: the distance from pore to pore.
        spread: standard deviation of the logarithm of the waves' numbers; more is less regular.
        porosity: of the material. A window's differs from it by chance.

    Raises:
        InputError: a length or a number that cannot be.

    Source: Cahn, J. Chem. Phys. 42, 93 (1965).
    """

    VERSION: ClassVar[int] = 1
    EDGE: ClassVar[float] = 24.0
    SLICE_STEP: ClassVar[float] = 2.0

    def __init__(
        self,
        voxel_size: float | str = 5e-8,
        wavelength: float | str = 8e-7,
        spread: float = 0.15,
        porosity: float = 0.35,
    ) -> None:
        self.voxel_size = metres(voxel_size)
        self.wavelength = resolved("wavelength", wavelength, self.voxel_size)
        self.spread = within("spread", spread, 0, 1)
        self.porosity = within("porosity", porosity, 0.01, 0.99)

    @property
    def unit(self) -> float:
        """The wavelength."""
        return self.wavelength

    def specimen(self, random: np.random.Generator, edge: float) -> RandomWaves:
        """Superpose the waves of a specimen, which has no end."""
        return RandomWaves(random, self.spread, self.porosity)
