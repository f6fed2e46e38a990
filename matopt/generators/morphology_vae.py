"""The variational autoencoder with a morphology constraint."""

from __future__ import annotations

import torch

from matopt.errors import InputError
from matopt.generators.base import GENERATORS
from matopt.generators.variational.autoencoding import AutoencodingGenerator
from matopt.generators.variational.networks import EncoderDecoder
from matopt.generators.variational.training_loss import TrainingLoss
from matopt.training.loop import Loss


@GENERATORS.register("morphology_vae")
class MorphologyVAE(AutoencodingGenerator):
    """A variational autoencoder of images whose samples follow the authentic ones in style and layout.

    Its loss is the evidence lower bound (Kingma and Welling 2014) with the four terms of
    :class:`matopt.generators.variational.morphology_loss.MorphologyLoss`: the constraint of Cang, Li, Yao, Jiao and Ren
    (2018, arXiv 1712.03811), as a distance between distributions rather than between pairs of images, and what keeps it
    from being met by a trick.

    Args:
        latent_dim: length of a code.
        morphology_weight: of the morphology, layout and smoothness terms; 0 leaves out all four, which is
            :class:`matopt.generators.vae.VAE`.
        steps: of the training.
        batch_size: images a step.
        learning_rate: Adam's, at the start of a cosine schedule.
        downsampling: edge of a cell of the networks' grid in voxels, 1 or 2; finer detail comes from a smooth
            enlargement. None takes 1 for images below 128 voxels and 2 from there on.
        flips: mirror images of a microstructure are as likely as itself. False for a material with a slanted fabric.

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

    def _loss(self, networks: EncoderDecoder, images: torch.Tensor, seed: int) -> Loss:
        return TrainingLoss(networks, images, self.batch_size, self.flips, self.morphology_weight, seed)
