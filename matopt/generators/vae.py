"""The plain variational autoencoder: the baseline of the morphology-constrained one."""

from __future__ import annotations

from matopt.generators.base import GENERATORS
from matopt.generators.morphology_vae import MorphologyVAE


@GENERATORS.register("vae")
class VAE(MorphologyVAE):
    """A variational autoencoder (Kingma and Welling 2014): a :class:`MorphologyVAE` without constraint and detail.

    The loss is the reconstruction's cross-entropy, summed over voxels, plus the divergence of the posteriors from
    N(0, I): the evidence lower bound and nothing else. From few images its samples come out blurred, and an
    average-looking binarised image can hide that; see :func:`matopt.descriptors.greyness.grey_share`.

    Args:
        latent_dim: length of a code.
        steps: of the training.
        batch_size: images a step.
        learning_rate: Adam's, at the start of a cosine schedule.
        downsampling: see :class:`MorphologyVAE`.
        flips: mirror images of a microstructure are as likely as itself; False where a fabric is slanted, None for what
            the training microstructures show.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(
        self,
        latent_dim: int = 24,
        steps: int = 1700,
        batch_size: int = 12,
        learning_rate: float = 2e-3,
        downsampling: int | None = None,
        flips: bool | None = None,
    ) -> None:
        super().__init__(latent_dim, 0.0, steps, 0, batch_size, learning_rate, downsampling, flips=flips)
