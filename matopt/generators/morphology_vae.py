"""The variational autoencoder with a morphology constraint."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import torch

from matopt.descriptors.phases import volume_fraction
from matopt.errors import InputError
from matopt.generators.base import GENERATORS
from matopt.generators.diffusion.correction import Correction
from matopt.generators.diffusion.denoiser import LocalDenoiser
from matopt.generators.diffusion.detail import Detail, PorosityMap, redrawing_level
from matopt.generators.diffusion.training import train_denoiser
from matopt.generators.symmetries import found_transpositions
from matopt.generators.variational.autoencoding import AutoencodingGenerator
from matopt.generators.variational.code_noise import CodeNoise
from matopt.generators.variational.networks import EncoderDecoder
from matopt.generators.variational.training_loss import TrainingLoss
from matopt.microstructures import Microstructures
from matopt.training.loop import Loss
from matopt.training.report import OneAfterTheOther, Report, no_report, prefixed

NOISE_DIM = 64
"""Numbers of a code that set the noise which detail is drawn from: with 8 of them a classifier told samples from rock
more often than with noise of each sample's own."""

PRIOR_SAMPLES = 512
"""Shapes by whose porosities those of samples are found."""


@GENERATORS.register("morphology_vae")
class MorphologyVAE(AutoencodingGenerator):
    """A variational autoencoder whose samples have the morphology of the authentic ones: layout, style and detail.

    A code is decoded twice over. First to shapes, by a network whose loss is the evidence lower bound (Kingma and
    Welling 2014) with the four terms of :class:`matopt.generators.variational.morphology_loss.MorphologyLoss`: the
    constraint of Cang, Li, Yao, Jiao and Ren (2018, arXiv 1712.03811), as a distance between distributions rather than
    between pairs of images, and what keeps it from being met by a trick. Shapes are smooth: a code is too short to say
    where every corner and speck lies. So these are drawn over the shapes by the denoiser of local diffusion
    (:class:`matopt.generators.diffusion.detail.Detail`), from noise that the last :data:`NOISE_DIM` numbers of a code
    set. Those of microstructures that are encoded are 0, for one noise that is the same for all.

    Gradients of decoded densities are those of their shapes, as if detail were added to them: what is drawn is binary,
    and its own derivative says nothing of steps that move more than a voxel. So a design that follows a gradient
    changes its shapes and holds its noise.

    Args:
        latent_dim: how many numbers of a code set the shapes.
        morphology_weight: of the morphology, layout and smoothness terms; 0 leaves out all four.
        steps: of the training of the networks of shapes.
        detail_steps: of the training of the denoiser; 0 leaves shapes as they are.
        batch_size: images a step, of shapes.
        learning_rate: Adam's, at the start of a cosine schedule, of shapes.
        downsampling: edge of a cell of the networks' grid in voxels, 1 or 2; finer detail comes from a smooth
            enlargement. None takes 1 for edges below 128 voxels and 2 from there on.
        channels: of the denoiser.
        flips: mirror images of a microstructure are as likely as itself; False where a fabric is slanted, None for what
            the training microstructures show.
        transpositions: and so are those with exchanged axes, as to detail; False for a material whose axes differ, None
            for what the training microstructures show.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(
        self,
        latent_dim: int = 24,
        morphology_weight: float = 1.0,
        steps: int = 700,
        detail_steps: int = 1800,
        batch_size: int = 12,
        learning_rate: float = 2e-3,
        downsampling: int | None = None,
        channels: int = 48,
        flips: bool | None = None,
        transpositions: bool | None = None,
    ) -> None:
        super().__init__(latent_dim, steps, batch_size, learning_rate, downsampling, flips)
        if morphology_weight < 0:
            raise InputError(f"morphology_weight must not be negative; got {morphology_weight}")
        if detail_steps < 0 or channels < 1:
            raise InputError(f"detail needs detail_steps >= 0 and channels >= 1; got {detail_steps} and {channels}")
        self.morphology_weight = morphology_weight
        self.detail_steps = detail_steps
        self.channels = channels
        self.transpositions = transpositions
        self._detail: Detail | None = None
        self._code_noise: CodeNoise  # there where there is detail
        self._set_noise_dim(NOISE_DIM if detail_steps else 0)

    def fit(
        self,
        train: Microstructures,
        validation: Microstructures | None = None,
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Learn from ``train``; cross-entropies of ``validation`` are reported, and nothing is chosen by them.

        Raises:
            InputError: fewer than two microstructures; edges that are not multiples of 16.
            FailureError: the training diverged.
        """
        heard = OneAfterTheOther(report)
        self._detail = None
        super().fit(train, validation, heard, seed)
        if self.detail_steps == 0:
            return self
        self._code_noise = CodeNoise(self._noise_dim, train.shape)
        heard.begin_next()
        images = train.density(self._device)
        denoiser = train_denoiser(
            images,
            None if validation is None else validation.density(self._device),
            steps=self.detail_steps,
            channels=self.channels,
            flips=self._is_mirrored,
            transpositions=found_transpositions(images, self.transpositions, heard),
            report=prefixed(heard, "detail"),
            seed=seed,
        )
        shapes = (self.sample(PRIOR_SAMPLES, seed) >= 0.5).float()
        porosity = PorosityMap.between(volume_fraction(shapes), volume_fraction(images))
        detail = Detail(denoiser, float(images.mean()), redrawing_level(images), porosity)

        def draw(correction: Correction, n: int, number: int) -> torch.Tensor:
            self._detail = replace(detail, correction=correction)
            return self.sample(n, seed + number)

        self._detail = replace(detail, correction=Correction.fitted(draw, images))
        return self

    def encode(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to codes ``(N, latent_dim)``: posterior means, and zeros for the noise."""
        return torch.nn.functional.pad(super().encode(density), [0, self._noise_dim])

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Map codes ``(N, latent_dim)`` to densities ``(N, 1, *S)``, shapes with detail; differentiable as shapes."""
        shapes = self.shapes(z)
        if self._detail is None:
            return shapes
        of_shapes = self._learnt.networks.latent_dim
        with torch.no_grad():
            noise = self._code_noise(z[:, of_shapes:].to(shapes))
            drawn = self._detail.drawn(shapes, noise)
        return drawn + (shapes - shapes.detach())

    def shapes(self, z: torch.Tensor) -> torch.Tensor:
        """Map codes ``(N, latent_dim)`` to the densities ``(N, 1, *S)`` that detail is drawn over; differentiable."""
        return super().decode(z[:, : self._learnt.networks.latent_dim])

    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``; returns itself."""
        if self._detail is not None:
            self._detail.denoiser.to(device)
        return super().to(device)

    def state_dict(self) -> dict[str, Any]:
        """Give what the networks of shapes learnt, and the denoiser with its width and settings."""
        state = super().state_dict()
        if self._detail is not None:
            state["detail"] = {
                "channels": self.channels,
                "solid_fraction": self._detail.solid_fraction,
                "level": self._detail.level,
                "porosity": [self._detail.porosity.offset, self._detail.porosity.slope],
                "correction": self._detail.correction.state_dict(),
                "denoiser": self._detail.denoiser.state_dict(),
            }
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another generator learnt, code length, downsampling and the denoiser's width included."""
        detail = state.get("detail")
        self._detail = None
        self._set_noise_dim(0 if detail is None else NOISE_DIM)
        super().load_state_dict(state)
        if detail is not None:
            self.channels = detail["channels"]
            shape = state["shape"]
            denoiser = LocalDenoiser.restored(len(shape), self.channels, detail["denoiser"], self._device)
            porosity, correction = PorosityMap(*detail["porosity"]), Correction(**detail["correction"])
            self._detail = Detail(denoiser, detail["solid_fraction"], detail["level"], porosity, correction)
            self._code_noise = CodeNoise(self._noise_dim, shape)

    def _set_noise_dim(self, noise_dim: int) -> None:
        self.latent_dim += noise_dim - self._noise_dim
        self._noise_dim = noise_dim

    def _loss(self, networks: EncoderDecoder, images: torch.Tensor, seed: int) -> Loss:
        return TrainingLoss(networks, images, self.batch_size, self._is_mirrored, self.morphology_weight, seed)
