"""The local diffusion model: a denoiser that sees no further than a texture does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import torch

from matopt.devices import device_named
from matopt.errors import InputError
from matopt.generators.base import GENERATORS, LatentGenerator, PorosityGenerator, ResamplingGenerator, require_learnt
from matopt.generators.diffusion.correction import Correction
from matopt.generators.diffusion.denoiser import LocalDenoiser, Logit
from matopt.generators.diffusion.guidance import Energy, with_energy, with_porosity
from matopt.generators.diffusion.learnt import Learnt
from matopt.generators.diffusion.networks import MULTIPLE
from matopt.generators.diffusion.patches import tiles
from matopt.generators.diffusion.porosities import PorosityLaw, normal_of, wanted_porosities, with_normal
from matopt.generators.diffusion.sampler import (
    HIGHEST,
    LOWEST,
    SAMPLING_STEPS,
    add_noise,
    denoise,
    holding,
    n_at_once,
    noise_levels,
)
from matopt.generators.diffusion.training import patch_shape, train_denoiser
from matopt.generators.symmetries import found_flips, found_transpositions
from matopt.microstructures import Microstructures
from matopt.training.report import Report, no_report


@GENERATORS.register("local_diffusion")
class LocalDiffusion(LatentGenerator, ResamplingGenerator, PorosityGenerator):
    """A diffusion model (Karras et al. 2022, arXiv 2206.00364) whose denoiser is local, for images and volumes.

    What a denoiser cannot see from one place it cannot copy: a convolutional one recombines patches of what it was
    taught (Kamb and Ganguli 2024, arXiv 2412.20292), draws any size, and learns from few images. See
    :class:`matopt.generators.diffusion.denoiser.LocalDenoiser`.

    Once trained, its samples are corrected until they have the mean surface, debris and patterns of 3 x 3 voxels of the
    training images, see :mod:`matopt.generators.diffusion.correction`. They are drawn at porosities that vary as those
    of blocks of their size do (:class:`matopt.generators.diffusion.porosities.PorosityLaw`), as what comes out without
    varies too little. All else is what comes out.

    Its latent space is noise of the image's size, which the deterministic sampler maps to microstructures.

    Args:
        steps: of the training.
        batch_size: patches a step; None for 16 of images and 4 of volumes, which have eight times as many voxels.
        channels: of the network.
        sampling_steps: noise levels of the sampler; None for 12 of images and 16 of volumes, whose levels begin higher.
        flips: mirror images of a microstructure are as likely as itself; False where a fabric is slanted, None for what
            the training microstructures show.
        transpositions: and so are those with exchanged axes; False for a material whose axes differ, None for what the
            training microstructures show.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(
        self,
        steps: int = 1800,
        batch_size: int | None = None,
        channels: int = 48,
        sampling_steps: int | None = None,
        flips: bool | None = None,
        transpositions: bool | None = None,
    ) -> None:
        too_few = [n is not None and n < least for n, least in ((batch_size, 1), (sampling_steps, 2))]
        if steps < 0 or channels < 1 or any(too_few):
            raise InputError(
                "a local diffusion model needs steps >= 0, batch_size >= 1, channels >= 1, sampling_steps >= 2; "
                f"got {steps}, {batch_size}, {channels} and {sampling_steps}"
            )
        self.steps = steps
        self.batch_size = batch_size
        self.channels = channels
        self.sampling_steps = sampling_steps
        self.flips = flips
        self.transpositions = transpositions
        self.latent_dim = 0  # voxels of a microstructure, once one has been seen
        self._device = torch.device("cpu")
        self._fitted: Learnt | None = None

    def fit(
        self,
        train: Microstructures,
        validation: Microstructures | None = None,
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Learn from ``train``; the cross-entropy of ``validation`` is reported, and nothing is chosen by it.

        Raises:
            FailureError: the training diverged.
        """
        images = train.density(self._device)
        denoiser = train_denoiser(
            images,
            None if validation is None else validation.density(self._device),
            steps=self.steps,
            batch_size=self.batch_size,
            channels=self.channels,
            flips=found_flips(images, self.flips, report),
            transpositions=found_transpositions(images, self.transpositions, report),
            report=report,
            seed=seed,
        )
        fitted = Learnt(
            denoiser,
            self.channels,
            train.shape,
            train.voxel_size,
            solid_fraction=float(images.mean()),
            highest=HIGHEST[len(train.shape)],
            correction=Correction(),
            law=PorosityLaw.learnt(images),
        )
        shape = patch_shape(train.shape)

        def draw(correction: Correction, n: int, number: int) -> torch.Tensor:
            self._learn(replace(fitted, correction=correction))
            return self.sample(n, seed + number, shape=shape)

        self._learn(replace(fitted, correction=Correction.fitted(draw, tiles(images, shape))))
        return self

    def sample(
        self,
        n: int,
        seed: int,
        *,
        shape: Sequence[int] | None = None,
        periodic: bool = False,
        porosity: torch.Tensor | float | None = None,
        energy: Energy | None = None,
    ) -> torch.Tensor:
        """Draw ``n`` microstructures as densities ``(n, 1, *S)``.

        Args:
            n: how many.
            seed: of the noise that they are made from.
            shape: of a sample; that of the training by default.
            periodic: opposite borders of a sample meet like any two voxels. Edges must then be multiples of 4.
            porosity: that samples shall have, one for all or ``(n,)``; see
                :func:`matopt.generators.diffusion.guidance.with_porosity`. By default they vary as those of blocks of
                their size do, and that of what has an energy is what comes out.
            energy: by which samples are weighted, see :func:`matopt.generators.diffusion.guidance.with_energy`.

        Raises:
            InputError: a shape of other dimensions than the training's, or edges that cannot be periodic; a porosity
                outside (0, 1) or of another number than ``n``.
        """
        shape = self._shape(shape, periodic)
        noise = torch.randn(n, 1, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
        target = wanted_porosities(porosity, n) if porosity is not None else None
        if porosity is None and energy is None:
            target = self._porosities(noise)
        with torch.no_grad():
            return self._from_noise(noise, periodic, target, energy)

    def encode(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to noise ``(N, latent_dim)`` that is decoded to them, but for few voxels.

        Many codes are decoded to a binary microstructure; this is one of them, as likely as any other: the probability
        flow is followed upwards from the density with noise of the lowest level, always the same, and the mean of what
        is reached is that which says its porosity.
        """
        density = density.to(self._device)
        x, porosity = 2 * density - 1, 1 - density.flatten(1).mean(1)
        noise = torch.randn(1, *x.shape[1:], generator=torch.Generator().manual_seed(0), dtype=torch.float32).to(
            self._device
        )
        levels = self._noise_levels(2)
        law, size = self._learnt.law, n_at_once(x.shape[2:])
        with torch.no_grad():
            y = []
            for part, of_part in zip(x.split(size), porosity.split(size), strict=True):
                logit = self.logit() if law is None else with_porosity(self.logit(), of_part)
                y.append(add_noise(logit, part + LOWEST * noise, levels))
        z = (torch.cat(y) - self._learnt.mean_phase) / self._learnt.highest
        if law is not None:
            z = with_normal(z, law.normals(porosity, self._learnt.shape))
        return z.flatten(1)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Map noise ``(N, latent_dim)`` to densities ``(N, 1, *S)`` along the probability flow; differentiable.

        What it says of porosity is its mean, so that noise of N(0, I) is decoded to samples. The derivative is that of
        the few voxels in doubt, between jumps where patterns change that the correction counts.
        """
        noise = z.view(len(z), 1, *self._learnt.shape)
        return self._from_noise(noise, porosity=self._porosities(noise))

    def resample(
        self, density: torch.Tensor, region: torch.Tensor, strength: float, seed: int, *, periodic: bool = False
    ) -> torch.Tensor:
        """Draw a part of microstructures anew: noise is added to ``region`` and taken away again, the rest is held.

        The noise level is ``LOWEST^(1 - strength) HIGHEST^strength``. See :meth:`ResamplingGenerator.resample`.
        """
        if not 0 <= strength <= 1:
            raise InputError(f"strength must be in [0, 1]; got {strength}")
        self._shape(density.shape[2:], periodic)
        x, inside = 2 * density.to(self._device) - 1, region.to(self._device).expand_as(density)
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32).to(
            self._device
        )
        highest = LOWEST ** (1 - strength) * self._learnt.highest**strength
        levels = noise_levels(max(2, math.ceil(strength * self._n_levels)), highest)
        size = n_at_once(x.shape[2:])
        parts = zip((x + highest * noise).split(size), x.split(size), inside.split(size), strict=True)
        with torch.no_grad():
            logit = torch.cat([denoise(self.logit(periodic), y, levels, holding(*held)) for y, *held in parts])
        return torch.where(inside, torch.sigmoid(logit), density.to(self._device))

    def logit(self, periodic: bool = False) -> Logit:
        """Give the denoiser that was learnt, corrected, as the samplers take it."""
        return self._learnt.logit(periodic)

    @property
    def denoiser(self) -> LocalDenoiser:
        """What was learnt: own likelihood and network apart."""
        return self._learnt.denoiser

    @property
    def voxel_size(self) -> float:
        """The voxel size of the microstructures that were learnt from, in metres."""
        return self._learnt.voxel_size

    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``; returns itself."""
        self._device = device_named(device)
        if self._fitted is not None:
            self._fitted.denoiser.to(self._device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Give all that was learnt: image shape, voxel size, law of porosities, correction, network and the like."""
        return self._learnt.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another generator learnt, the network's width included."""
        learnt = Learnt.restored(state, self._device)
        self.channels = learnt.channels
        self._learn(learnt)

    def _learn(self, fitted: Learnt) -> None:
        self._fitted, self.latent_dim = fitted, math.prod(fitted.shape)

    def _from_noise(
        self,
        noise: torch.Tensor,
        periodic: bool = False,
        porosity: torch.Tensor | None = None,
        energy: Energy | None = None,
    ) -> torch.Tensor:
        levels = self._noise_levels()
        size = n_at_once(noise.shape[2:])
        densities = []
        first = self._learnt.mean_phase + self._learnt.highest * noise.to(self._device)
        for number, part in enumerate(first.split(size)):
            logit = self.logit(periodic)
            if energy is not None:
                logit = with_energy(logit, energy)
            if porosity is not None:
                logit = with_porosity(logit, porosity[number * size : (number + 1) * size].to(self._device))
            densities.append(torch.sigmoid(denoise(logit, part, levels)))
        return torch.cat(densities)

    def _porosities(self, noise: torch.Tensor) -> torch.Tensor | None:
        law = self._learnt.law
        return None if law is None else law.porosities(normal_of(noise), noise.shape[2:])

    def _shape(self, shape: Sequence[int] | None, periodic: bool) -> tuple[int, ...]:
        shape = self._learnt.shape if shape is None else tuple(shape)
        if len(shape) != len(self._learnt.shape):
            raise InputError(f"this generator draws {len(self._learnt.shape)} dimensions; got the shape {shape}")
        if periodic and any(edge % MULTIPLE for edge in shape):
            raise InputError(f"periodic samples need edges that are multiples of {MULTIPLE}; got {shape}")
        return shape

    def _noise_levels(self, times: int = 1) -> torch.Tensor:
        return noise_levels(times * self._n_levels, self._learnt.highest)

    @property
    def _n_levels(self) -> int:
        return self.sampling_steps or SAMPLING_STEPS[len(self._learnt.shape)]

    @property
    def _learnt(self) -> Learnt:
        return require_learnt(self._fitted)
