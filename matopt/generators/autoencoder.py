"""The autoencoder: the baseline without a distribution of its own."""

from __future__ import annotations

from typing import Self

import torch

from matopt.generators.base import GENERATORS
from matopt.generators.variational.autoencoding import AutoencodingGenerator
from matopt.generators.variational.batches import mirror_images
from matopt.generators.variational.networks import EncoderDecoder
from matopt.generators.variational.reconstruction_loss import ReconstructionLoss
from matopt.microstructures import Microstructures
from matopt.training.loop import Loss
from matopt.training.report import Report, no_report


@GENERATORS.register("autoencoder")
class Autoencoder(AutoencodingGenerator):
    """An autoencoder of images, whose codes are given a Gaussian distribution afterwards.

    The training compresses images and nothing else, so their codes may lie anywhere. Either a Gaussian is fitted to
    them (Ghosh, Sajjadi, Vergari, Black and Schoelkopf 2020, arXiv 1903.12436), and the networks are rewritten so that
    codes have mean 0 and covariance I; or codes are drawn from N(0, I) all the same, as Cang et al. did, and decode to
    images unlike those of the training.

    Args:
        latent_dim: length of a code.
        fitted_codes: fit a Gaussian to the codes of the training images; False draws codes as Cang et al. did.
        steps: of the training.
        batch_size: images a step.
        learning_rate: Adam's, at the start of a cosine schedule.
        downsampling: see :class:`matopt.generators.morphology_vae.MorphologyVAE`.
        flips: mirror images of a microstructure are as likely as itself; False where a fabric is slanted, None for what
            the training microstructures show.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(
        self,
        latent_dim: int = 24,
        fitted_codes: bool = True,
        steps: int = 1700,
        batch_size: int = 12,
        learning_rate: float = 2e-3,
        downsampling: int | None = None,
        flips: bool | None = None,
    ) -> None:
        super().__init__(latent_dim, steps, batch_size, learning_rate, downsampling, flips)
        self.fitted_codes = fitted_codes

    def fit(
        self,
        train: Microstructures,
        validation: Microstructures | None = None,
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Learn from ``train``; the cross-entropy of ``validation`` is reported, and nothing is chosen by it.

        Raises:
            InputError: fewer than two microstructures; edges that are not multiples of 16.
            FailureError: the training diverged.
        """
        super().fit(train, validation, report, seed)
        if self.fitted_codes:
            with torch.no_grad():
                codes = [self.encode(part) for part in mirror_images(train.density(), self._is_mirrored)]
            self._learnt.networks.standardise(torch.cat(codes))
        return self

    def _loss(self, networks: EncoderDecoder, images: torch.Tensor, seed: int) -> Loss:
        return ReconstructionLoss(networks, images, self.batch_size, self._is_mirrored, seed)
