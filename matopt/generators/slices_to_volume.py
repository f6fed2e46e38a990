"""Volumes from a generator that has seen slices alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch

from matopt.devices import device_named
from matopt.errors import InputError
from matopt.generators.base import GENERATORS, Generator, require_learnt
from matopt.generators.diffusion.denoiser import LocalDenoiser, Logit, phases, prior_logit
from matopt.generators.diffusion.guidance import with_porosity
from matopt.generators.diffusion.planes import planes_logit
from matopt.generators.diffusion.porosities import PorosityLaw, normal_of
from matopt.generators.diffusion.sampler import HIGHEST, LOWEST, denoise, noise_levels
from matopt.generators.diffusion.training import train_denoiser
from matopt.generators.symmetries import found_flips, found_transpositions
from matopt.microstructures import Microstructures
from matopt.training.report import OneAfterTheOther, Report, no_report

AXES = 3

FIRST = HIGHEST[2]
"""The first noise level: that of the slices that its denoiser was taught by."""

AGAIN = 2.0
"""The noise level to which noise is put back: the large pores stay, their walls and the debris are drawn anew."""

AGAIN_SHARE = 0.4
"""Of the sampler's noise levels that are taken to remove it again: their distance stays about the same."""


@GENERATORS.register("slices_to_volume")
class SlicesToVolume(Generator):
    """A generator of volumes that learns from slices, by the denoiser of local diffusion, on three planes at once.

    No volume is needed: where slices are given, samples have one axis more than these. Where volumes are given, their
    slices are learnt from, and nothing that no slice shows. See
    :func:`matopt.generators.diffusion.planes.planes_logit`.

    Planes that have been denoised together agree better once a part of the noise has been put back and taken away
    again (harmonised sampling; Lee and Yun 2023, arXiv 2308.14035): without it, interfaces are too rough by a quarter.

    Porosities of samples are drawn as those of blocks of the volume's size are distributed
    (:class:`matopt.generators.diffusion.porosities.PorosityLaw`): between volumes porosity varies less than between
    slices, and what slices say of it suffices.

    Args:
        edge: of a sample in voxels, where slices are given; theirs by default. Volumes are drawn as large as those
            given.
        isotropic: the material looks alike along all axes, and one network is learnt; else one for each orientation of
            slices, from volumes. None for what the training microstructures show.
        near, far: weights of a plane's witness at the lowest and at the highest noise level; see
            :func:`matopt.generators.diffusion.planes.planes_logit`.
        rounds: how often noise is put back.
        steps, batch_size, channels: of the training, see :class:`matopt.generators.local_diffusion.LocalDiffusion`.
        sampling_steps: noise levels of the sampler.

    Raises:
        InputError: a setting out of range.
    """

    draws_volumes: ClassVar[bool] = True

    def __init__(
        self,
        edge: int | None = None,
        isotropic: bool | None = None,
        near: float = 0.8,
        far: float = 1.15,
        rounds: int = 1,
        steps: int = 2300,
        batch_size: int = 16,
        channels: int = 48,
        sampling_steps: int = 30,
    ) -> None:
        if (edge is not None and edge < 4) or min(near, far) <= 0 or rounds < 0 or sampling_steps < 2:
            raise InputError(
                "slices_to_volume needs edge >= 4, near > 0, far > 0, rounds >= 0, sampling_steps >= 2; "
                f"got {edge}, {near}, {far}, {rounds} and {sampling_steps}"
            )
        if min(steps, batch_size, channels) < 1:
            raise InputError(
                f"slices_to_volume needs steps, batch_size, channels >= 1; got {steps}, {batch_size} and {channels}"
            )
        self.edge = edge
        self.isotropic = isotropic
        self.near, self.far = near, far
        self.rounds = rounds
        self.sampling_steps = sampling_steps
        self.steps, self.batch_size, self.channels = steps, batch_size, channels
        self._fitted: _Fitted | None = None
        self._device = torch.device("cpu")

    def fit(
        self,
        train: Microstructures,
        validation: Microstructures | None = None,
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Learn from ``train``: from slices, or from all slices of volumes.

        Raises:
            InputError: slices that are, or show, an anisotropic material, as they do not tell their orientation.
            FailureError: the training diverged.
        """
        density = train.density()
        isotropic = found_transpositions(density, self.isotropic, report)
        if len(train.shape) == AXES:
            shape, slices = train.shape, [_slices(train, axis) for axis in range(AXES)]
        elif isotropic:
            shape, slices = (self.edge or min(train.shape),) * AXES, [train]
        elif self.isotropic is None:
            raise InputError("axes of these slices differ, and slices do not say how they lie; give volumes instead")
        else:
            raise InputError("slices do not say how they lie in an anisotropic material; give volumes instead")
        if isotropic:
            slices = [_together(slices)]
        held_out = None if validation is None or len(validation.shape) == AXES else validation.density(self._device)
        heard = OneAfterTheOther(report)
        denoisers = []
        for part in slices:
            denoisers.append(self._trained(part.density(self._device), held_out, isotropic, heard, seed))
            heard.begin_next()
        self._fitted = _Fitted(denoisers, shape, train.voxel_size, PorosityLaw.learnt(density))
        return self

    def _trained(
        self, slices: torch.Tensor, held_out: torch.Tensor | None, transpositions: bool, report: Report, seed: int
    ) -> LocalDenoiser:
        return train_denoiser(
            slices,
            held_out,
            steps=self.steps,
            batch_size=self.batch_size,
            channels=self.channels,
            flips=found_flips(slices, None, report),
            transpositions=transpositions,
            report=report,
            seed=seed,
        )

    def sample(self, n: int, seed: int, *, shape: Sequence[int] | None = None, periodic: bool = False) -> torch.Tensor:
        """Draw ``n`` volumes as densities ``(n, 1, D, H, W)``, one after the other.

        Args:
            n: how many.
            seed: of the noise that they are made from, whose mean says their porosities.
            shape: of a sample, other than the learnt one.
            periodic: opposite borders of a sample meet like any two voxels. Edges must then be multiples of 4.
        """
        learnt = self._learnt
        generator = torch.Generator().manual_seed(seed)
        shape = learnt.shape if shape is None else tuple(shape)
        volumes = []
        with torch.no_grad():
            for _ in range(n):
                noise = [
                    torch.randn(1, 1, *shape, generator=generator, dtype=torch.float32) for _ in range(1 + self.rounds)
                ]
                porosity = learnt.law.porosities(normal_of(noise[0]), shape).to(self._device)
                volumes.append(self._volume([part.to(self._device) for part in noise], porosity, periodic))
        return torch.cat(volumes)

    def _volume(self, noise: Sequence[torch.Tensor], porosity: torch.Tensor, periodic: bool) -> torch.Tensor:
        """Make a density ``(1, 1, D, H, W)`` of a porosity from noise of the first pass and of each round."""
        logit = with_porosity(self._logit(periodic), porosity)
        found = denoise(
            logit, 1 - 2 * self._learnt.law.mean + FIRST * noise[0], noise_levels(self.sampling_steps, FIRST)
        )
        again = noise_levels(max(2, round(AGAIN_SHARE * self.sampling_steps)), AGAIN)
        for part in noise[1:]:
            found = denoise(logit, phases(found) + AGAIN * part, again)
        return torch.sigmoid(found)

    @property
    def voxel_size(self) -> float:
        """The voxel size of the slices that were learnt from, in metres."""
        return self._learnt.voxel_size

    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``; returns itself."""
        self._device = device_named(device)
        if self._fitted is not None:
            for denoiser in self._fitted.denoisers:
                denoiser.to(self._device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Give a sample's shape, voxel size, the law of porosities, the networks' width and their parameters."""
        learnt = self._learnt
        return {
            "shape": list(learnt.shape),
            "voxel_size": learnt.voxel_size,
            "porosities": learnt.law.state_dict(),
            "channels": self.channels,
            "denoisers": [denoiser.state_dict() for denoiser in learnt.denoisers],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another generator of the same settings learnt.

        Raises:
            InputError: it was stored before its law of porosities was.
        """
        if "porosities" not in state:
            raise InputError("this generator was stored by an older matopt, without a law of porosities; fit it again")
        self.channels = state["channels"]
        denoisers = [
            LocalDenoiser.restored(2, self.channels, parameters, self._device) for parameters in state["denoisers"]
        ]
        law = PorosityLaw.restored(state["porosities"])
        self._fitted = _Fitted(denoisers, tuple(state["shape"]), state["voxel_size"], law)

    def _logit(self, periodic: bool) -> Logit:
        denoisers = self._learnt.denoisers * (AXES // len(self._learnt.denoisers))
        return planes_logit(denoisers, prior_logit(1 - self._learnt.law.mean), self._weight, periodic)

    def _weight(self, sigma: torch.Tensor) -> torch.Tensor:
        share = (sigma / LOWEST).log() / math.log(FIRST / LOWEST)
        return self.near + (self.far - self.near) * share

    @property
    def _learnt(self) -> _Fitted:
        return require_learnt(self._fitted)


@dataclass(frozen=True)
class _Fitted:
    denoisers: list[LocalDenoiser]
    shape: tuple[int, ...]
    voxel_size: float
    law: PorosityLaw


def _slices(volumes: Microstructures, axis: int) -> Microstructures:
    """Cut volumes into all slices normal to an axis."""
    phases = np.moveaxis(volumes.phases, 1 + axis, 1)
    return Microstructures(phases.reshape(-1, *phases.shape[2:]), volumes.voxel_size)


def _together(sets: list[Microstructures]) -> Microstructures:
    """Join sets of slices, which may be of different shapes where one is cut to the other's."""
    shape = np.min([part.shape for part in sets], axis=0)
    cut = [part.phases[:, : shape[0], : shape[1]] for part in sets]
    return Microstructures(np.concatenate(cut), sets[0].voxel_size)
