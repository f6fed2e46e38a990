"""Perturbed copies: authentic microstructures with a few local changes, the baseline without any learning."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch

from matopt.data import moves
from matopt.devices import device_named
from matopt.errors import InputError
from matopt.generators.base import GENERATORS, Generator, require_learnt
from matopt.microstructures import Microstructures
from matopt.training.report import Report, no_report


@GENERATORS.register("perturbations")
class Perturbations(Generator):
    """Copies of the authentic microstructures, each changed in one to a few places.

    A change either grows one phase by a voxel within a box, or turns a block of voxels into it; the phase, the kind of
    change, its place (on the border of the phases) and its size are random. Boxes and blocks go on across the border of
    the sample, as on a torus. Copies are taken of one microstructure after the other, so that each has as many.

    With their simulated properties such copies teach a predictor what a small change does, which independent samples
    say little about. They are no new microstructures: as a generator they are the baseline that only copies.

    Args:
        changes: at most so many places.
        block: largest edge of a block in voxels.
        part: largest edge of a box within which a phase grows, over the edge of the sample.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(self, changes: int = 3, block: int = 6, part: float = 0.5) -> None:
        if changes < 1 or block < 1 or not 0 < part <= 1:
            raise InputError(
                f"perturbations need changes >= 1, block >= 1 and part in (0, 1]; got {changes}, {block} and {part}"
            )
        self.changes = changes
        self.block = block
        self.part = part
        self._device = torch.device("cpu")
        self._authentic: Microstructures | None = None

    def fit(
        self,
        train: Microstructures,
        validation: Microstructures | None = None,
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Keep ``train``."""
        self._authentic = train
        report(1, kept=float(len(train)))
        return self

    def sample(self, n: int, seed: int) -> torch.Tensor:
        """Change ``n`` copies: ``(n, 1, *S)`` densities of zeros and ones."""
        authentic = self._kept
        random = np.random.default_rng(seed)
        order = random.permutation(len(authentic))
        copies = authentic.phases[order[np.arange(n) % len(order)]]
        for copy in copies:
            for _ in range(random.integers(1, self.changes, endpoint=True)):
                self._change(copy, random)
        return torch.from_numpy(copies[:, None].astype(np.float32)).to(self._device)

    def _change(self, phases: np.ndarray, random: np.random.Generator) -> None:
        """Turn some voxels of one sample ``S`` into the other phase, in place."""
        if random.random() < 0.5 and 0 < phases.mean() < 1:
            moves.grow(phases, random, self.part)
        else:
            moves.turn_block(phases, random, self.block)

    @property
    def voxel_size(self) -> float:
        """The voxel size of the microstructures that are copied, in metres."""
        return self._kept.voxel_size

    def to(self, device: torch.device | str) -> Self:
        """Give samples on ``device``; returns itself."""
        self._device = device_named(device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Give the authentic microstructures and their voxel size."""
        return {"phases": torch.from_numpy(self._kept.phases), "voxel_size": self._kept.voxel_size}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the microstructures that another generator kept."""
        self._authentic = Microstructures(state["phases"].numpy(), state["voxel_size"])

    @property
    def _kept(self) -> Microstructures:
        return require_learnt(self._authentic)
