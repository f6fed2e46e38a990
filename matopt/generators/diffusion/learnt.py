"""What local diffusion has learnt of a material, as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch

from matopt.generators.diffusion.correction import Correction
from matopt.generators.diffusion.denoiser import LocalDenoiser, Logit
from matopt.generators.diffusion.porosities import PorosityLaw

HIGHEST_BEFORE = 30.0
"""The highest noise level of generators that were stored without it, of images and of volumes alike."""


@dataclass(frozen=True)
class Learnt:
    """A denoiser with all that samples need beside it.

    Attributes:
        denoiser: the trained network.
        channels: its width.
        shape: of the training microstructures.
        voxel_size: theirs, in metres.
        solid_fraction: their mean.
        highest: the noise level that samples begin at.
        correction: of the denoiser's odds.
        law: of the porosities of samples; None where these are what comes out.
    """

    denoiser: LocalDenoiser
    channels: int
    shape: tuple[int, ...]
    voxel_size: float
    solid_fraction: float
    highest: float
    correction: Correction
    law: PorosityLaw | None

    @property
    def mean_phase(self) -> float:
        """The mean over voxels of -1 in pores and 1 in grain."""
        return 2 * self.solid_fraction - 1

    def logit(self, periodic: bool = False) -> Logit:
        """Give the corrected denoiser."""
        return self.correction.logit(self.denoiser, self.solid_fraction, periodic)

    def state_dict(self) -> dict[str, Any]:
        """Give tensors and plain values, to be stored."""
        return {
            "shape": list(self.shape),
            "voxel_size": self.voxel_size,
            "solid_fraction": self.solid_fraction,
            "highest": self.highest,
            "correction": self.correction.state_dict(),
            "porosities": None if self.law is None else self.law.state_dict(),
            "channels": self.channels,
            "denoiser": self.denoiser.state_dict(),
        }

    @classmethod
    def restored(cls, state: dict[str, Any], device: torch.device) -> Self:
        """Make what gave a :meth:`state_dict`; older ones have no highest noise level and no law of porosities."""
        shape, channels = tuple(state["shape"]), state["channels"]
        porosities = state.get("porosities")
        return cls(
            LocalDenoiser.restored(len(shape), channels, state["denoiser"], device),
            channels,
            shape,
            state["voxel_size"],
            state["solid_fraction"],
            state.get("highest", HIGHEST_BEFORE),
            Correction(**state["correction"]),
            None if porosities is None else PorosityLaw.restored(porosities),
        )
