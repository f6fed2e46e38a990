"""The loss terms that make a decoder's samples follow the authentic microstructures in style and in layout."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from matopt.descriptors.energy_distance import energy_distance, mean_distance
from matopt.descriptors.style import StyleFeatures
from matopt.generators.variational.aggregate_posterior import AggregatePosterior
from matopt.generators.variational.batches import Batch, mirror_images

PRIOR_SAMPLES = 24
"""Codes a step that are drawn from N(0, I)."""
INTERPOLANTS = 6
"""Codes a step that lie between two of the batch's."""
CELLS = 8
"""Edge of the grid on which layouts are compared."""

# Weights, found on Berea sandstone; per voxel, as the reconstruction is a sum over voxels.
AGGREGATE = 1.25e-3
STYLE = 0.25
LAYOUT = 0.3
SMOOTHNESS = 1e-3
START, END = 0.3, 0.7
"""The ramp of the style's and layout's weights, in shares of the training. From the first step on, they would teach the
decoder one arrangement of pores for all codes before the codes mean anything."""


@dataclass(frozen=True)
class Terms:
    """A weighted sum of loss terms, and the unweighted terms by name."""

    total: torch.Tensor
    scalars: dict[str, torch.Tensor]


@dataclass(frozen=True)
class AddedCodes:
    """Codes that are decoded besides the batch's own.

    Attributes:
        z: ``(PRIOR_SAMPLES + K, latent_dim)`` prior samples, then interpolants.
        ends: ``(2, K)`` which two of the batch each interpolant lies between.
        position: ``(K, 1)`` where between them, from 0 to 1.
    """

    z: torch.Tensor
    ends: torch.Tensor
    position: torch.Tensor


class MorphologyLoss:
    """Four terms added to the loss of a variational autoencoder.

    - *aggregate*: see :class:`AggregatePosterior`.
    - *morphology*: the energy distance between the style vectors of decoded prior samples and latent interpolants and
      those of all authentic images.
    - *layout*: the energy distance between the same images averaged over a coarse grid. Styles do not say where a pore
      lies; without this term all samples may share one arrangement of their pores.
    - *smoothness*: squared distance of an interpolant's style from the mix of the styles at its ends. Small: an
      interpolant is a microstructure of its own, not an average.

    Args:
        images: ``(N, 1, *S)`` authentic densities.
        flips: mirror images of authentic microstructures are authentic too.
        weight: of the last three terms; 1 is their default balance with the reconstruction.
        latent_dim: length of a code.
        generator: of the random choices, on the CPU.
    """

    def __init__(
        self, images: torch.Tensor, flips: bool, weight: float, latent_dim: int, generator: torch.Generator
    ) -> None:
        self._voxels = images[0].numel()
        self._weight = weight
        self._latent_dim = latent_dim
        self._generator = generator
        self._aggregate = AggregatePosterior(len(images), latent_dim, images.device)
        self._features = StyleFeatures(images)
        mirrored = mirror_images(images, flips)
        self._styles = torch.stack([self._features.of_many(image) for image in mirrored])
        layouts = torch.cat([_layout(image) for image in mirrored])
        self._layout_mean = layouts.mean()
        self._layout_scale = 1.0 / (layouts.std().clamp(min=1e-3) * layouts.shape[1] ** 0.5)
        self._layouts = self._scaled_layout(torch.cat(mirrored))
        self._between_styles = mean_distance(self._styles.flatten(0, 1))
        self._between_layouts = mean_distance(self._layouts)

    def codes(self, z: torch.Tensor) -> AddedCodes:
        """Draw the codes that are decoded besides the batch's own, ``z`` ``(B, latent_dim)``."""
        order = torch.randperm(len(z), generator=self._generator)
        ends = torch.stack([order, order.roll(1)])[:, :INTERPOLANTS].to(z.device)
        position = torch.rand(ends.shape[1], 1, generator=self._generator, dtype=torch.float32).to(z.device)
        prior = torch.randn(PRIOR_SAMPLES, self._latent_dim, generator=self._generator, dtype=torch.float32).to(
            z.device
        )
        interpolants = spherical_interpolation(z[ends[0]], z[ends[1]], position)
        return AddedCodes(torch.cat([prior, interpolants]), ends, position)

    def posterior(self, batch: Batch, mean: torch.Tensor, log_variance: torch.Tensor) -> Terms:
        """Compute the aggregate term of a batch's posteriors ``(B, latent_dim)``."""
        aggregate = self._aggregate(batch.index, mean, log_variance)
        return Terms(AGGREGATE * self._voxels * aggregate, {"aggregate": aggregate})

    def samples(self, density: torch.Tensor, codes: AddedCodes, batch: Batch, progress: float) -> Terms:
        """Compute the morphology, layout and smoothness terms of decoded :meth:`codes`.

        Args:
            density: ``(PRIOR_SAMPLES + K, 1, *S)`` decoded ``codes``.
            codes: what was decoded.
            batch: the images whose codes are interpolated.
            progress: of the training, from 0 to 1; the terms' weights follow its :func:`ramp`.
        """
        styles = self._features(density)
        morphology = energy_distance(styles, self._styles.flatten(0, 1), self._between_styles)
        layout = energy_distance(self._scaled_layout(density), self._layouts, self._between_layouts)
        of_ends = self._styles[batch.flip[codes.ends], batch.index[codes.ends]]
        mixed = (1.0 - codes.position) * of_ends[0] + codes.position * of_ends[1]
        smoothness = (styles[-len(mixed) :] - mixed).square().sum(1).mean()
        total = STYLE * morphology + LAYOUT * layout + SMOOTHNESS * smoothness
        scalars = {"morphology": morphology, "layout": layout, "smoothness": smoothness}
        return Terms(self._weight * self._voxels * ramp(progress) * total, scalars)

    def _scaled_layout(self, density: torch.Tensor) -> torch.Tensor:
        return (_layout(density) - self._layout_mean) * self._layout_scale


def ramp(progress: float) -> float:
    """Ramp up the weights of morphology, layout and smoothness from 0 to 1 as the training progresses."""
    return min(max((progress - START) / (END - START), 0.0), 1.0)


def spherical_interpolation(a: torch.Tensor, b: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """Interpolate codes along an arc, so that between independent draws of N(0, I) lie draws of N(0, I).

    The middle of a straight line would have half the variance.

    Args:
        a: ``(N, latent_dim)`` codes at position 0.
        b: ``(N, latent_dim)`` codes at position 1.
        position: ``(N, 1)`` from 0 to 1, in shares of a quarter of an ellipse.
    """
    angle = position * (math.pi / 2)
    return torch.cos(angle) * a + torch.sin(angle) * b


def _layout(density: torch.Tensor) -> torch.Tensor:
    pool = {4: functional.adaptive_avg_pool2d, 5: functional.adaptive_avg_pool3d}[density.ndim]
    return pool(density, CELLS).flatten(1)
