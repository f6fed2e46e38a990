"""The morphology-constrained variational autoencoder."""

from __future__ import annotations

import torch

from matopt.errors import InputError
from matopt.generators.base import GENERATORS
from matopt.generators.vae import VAE
from matopt.generators.variational.morphology_loss import MorphologyLoss


@GENERATORS.register("morphology_vae")
class MorphologyVAE(VAE):
    """A variational autoencoder whose samples follow the authentic microstructures in style and layout.

    To the loss of :class:`VAE` come the four terms of :class:`MorphologyLoss`: the constraint of Cang, Li, Yao,
    Jiao and Ren (2018, arXiv 1712.03811), as a distance between distributions rather than between pairs of images, and
    what keeps it from being met by a trick.

    Args:
        latent_dim: length of a code.
        morphology_weight: of the morphology, layout and smoothness terms; 0 is the plain autoencoder, without any of
            the four.
        steps: of the training.
        batch_size: images a step.
        learning_rate: Adam's, at the start of a cosine schedule.
        downsampling: voxels along an edge of the decoder's grid, 1 or 2; see :class:`VAE`.
        flips: mirror images of a microstructure are as likely as itself.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(
        self,
        latent_dim: int = 24,
        morphology_weight: float = 1.0,
        steps: int = 700,
        batch_size: int = 12,
        learning_rate: float = 2e-3,
        downsampling: int | None = None,
        flips: bool = True,
    ) -> None:
        super().__init__(latent_dim, steps, batch_size, learning_rate, downsampling, flips)
        if morphology_weight < 0:
            raise InputError(f"morphology_weight must not be negative; got {morphology_weight}")
        self.morphology_weight = morphology_weight

    def _constraint(self, images: torch.Tensor, generator: torch.Generator) -> MorphologyLoss | None:
        if self.morphology_weight == 0:
            return None
        return MorphologyLoss(images, self.flips, self.morphology_weight, self.latent_dim, generator)
