"""Patch statistics: microstructures with the patches of authentic ones, without a model."""

from __future__ import annotations

from typing import Any, Self

import torch

from matopt.devices import device_named
from matopt.errors import FailureError, InputError
from matopt.generators.base import GENERATORS, Generator
from matopt.generators.patches.synthesis import Synthesis
from matopt.generators.symmetries import found_flips
from matopt.microstructures import Microstructures
from matopt.training.report import Report, no_report

AT_ONCE = 2**18
"""Voxels of samples that are moved at once, about."""


@GENERATORS.register("patch_statistics")
class PatchStatistics(Generator):
    """Noise, moved until its patches at several resolutions are distributed as those of a few training images.

    Nothing is learnt. Each sample has targets of its own, a random training image and those nearest to it in solid
    fraction, so the fraction spreads as it does in training. The distance is the sliced Wasserstein distance of
    patches, from coarse to fine, as Elnekave and Weiss (2022, arXiv 2203.11862) have it; the descent is that of Rabin,
    Peyre, Delon and Bernot (2011, doi 10.1007/978-3-642-24785-9_37), without a step size. Voxels are drawn to pore and
    grain by their rank on the way, and are binary in the end, with the targets' fraction.

    Args:
        targets: training images of which a sample takes its patches; with one alone, a sample resembles it too much.
        patch: edge of a patch in voxels.
        directions: of projection, drawn anew every step.
        steps: at each resolution.
        flips: mirror images of a microstructure are as likely as itself; False where a fabric is slanted, None for what
            the training microstructures show.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(
        self, targets: int = 4, patch: int = 7, directions: int = 16, steps: int = 50, flips: bool | None = None
    ) -> None:
        if min(targets, patch, directions, steps) < 1 or directions > patch**2:
            raise InputError(
                "patch statistics need targets, patch, directions and steps >= 1, no more directions than voxels in a "
                f"patch; got {targets}, {patch}, {directions} and {steps}"
            )
        self.targets = targets
        self.patch = patch
        self.directions = directions
        self.steps = steps
        self.flips = flips
        self._device = torch.device("cpu")
        self._train: Microstructures | None = None
        self._is_mirrored = False  # until it is found in a fit

    def fit(
        self,
        train: Microstructures,
        validation: Microstructures | None = None,
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Keep ``train``; reported once, without figures.

        Raises:
            InputError: fewer images than targets, or edges shorter than two patches.
        """
        if len(train) < self.targets or min(train.shape, default=0) < 2 * self.patch:
            raise InputError(
                f"patch statistics need at least {self.targets} images with edges of {2 * self.patch} voxels; got "
                f"{len(train)} of {' x '.join(map(str, train.shape))}"
            )
        report(0)
        self._train, self._is_mirrored = train, found_flips(train.density(), self.flips, report)
        return self

    def sample(self, n: int, seed: int) -> torch.Tensor:
        """Make ``n`` binary microstructures as densities ``(n, 1, *S)``."""
        train = self._learnt
        generator = torch.Generator().manual_seed(seed)
        images = torch.from_numpy(train.phases)
        chosen = self._neighbours(images.float().flatten(1).mean(1))[
            torch.randint(len(train), (n,), generator=generator)
        ]
        synthesis = Synthesis(self.patch, self.directions, self.steps)
        at_once = max(AT_ONCE // images[0].numel(), 1)
        parts = []
        for index in chosen.split(at_once):
            targets = self._mirrored(images[index], generator).to(self._device).float()
            parts.append(synthesis.samples(targets, generator))
        return torch.cat(parts)

    @property
    def voxel_size(self) -> float:
        """The voxel size of the training images, in metres."""
        return self._learnt.voxel_size

    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``, where samples are made; returns itself."""
        self._device = device_named(device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Give the training images, their voxel size, and whether they are mirrored."""
        learnt = self._learnt
        phases = torch.from_numpy(learnt.phases)
        return {"phases": phases, "voxel_size": learnt.voxel_size, "is_mirrored": self._is_mirrored}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the training images of another generator."""
        self._train = Microstructures(state["phases"].numpy(), state["voxel_size"])
        self._is_mirrored = state["is_mirrored"]

    def _neighbours(self, solid: torch.Tensor) -> torch.Tensor:
        """List the targets ``(N, targets)`` that go with each training image: those nearest in solid fraction."""
        return (solid[:, None] - solid).abs().argsort(dim=1, stable=True)[:, : self.targets]

    def _mirrored(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Mirror each of ``images`` ``(n, m, *S)`` along each axis, or not, at random."""
        for axis in range(2, images.ndim if self._is_mirrored else 2):
            is_mirrored = torch.rand(images.shape[:2], generator=generator, dtype=torch.float32) < 0.5
            images = torch.where(
                is_mirrored.view(*is_mirrored.shape, *[1] * (images.ndim - 2)), images.flip(axis), images
            )
        return images

    @property
    def _learnt(self) -> Microstructures:
        if self._train is None:
            raise FailureError("this generator has no training images yet; call fit or load_state_dict first")
        return self._train
