"""The loss that an autoencoder minimises."""

from __future__ import annotations

import torch

from matopt.generators.variational.batches import batches
from matopt.generators.variational.evidence_bound import reconstruction
from matopt.generators.variational.networks import EncoderDecoder
from matopt.training.half_precision import half_precision


class ReconstructionLoss:
    """The cross-entropy of random batches, decoded from their codes.

    Args:
        networks: what is trained.
        images: ``(N, 1, *S)`` authentic densities.
        batch_size: images a step.
        flips: mirror images are as likely as the images themselves.
        seed: of the batches.
    """

    def __init__(self, networks: EncoderDecoder, images: torch.Tensor, batch_size: int, flips: bool, seed: int) -> None:
        self._networks = networks
        self._batches = batches(images, batch_size, flips, torch.Generator().manual_seed(seed))

    def __call__(self, step: int, progress: float) -> dict[str, torch.Tensor]:
        """Compute the loss of the next batch; see :data:`matopt.training.loop.Loss`."""
        density = next(self._batches).density
        z = self._networks.posterior(density)[0]
        with half_precision(density.device, self._networks.least_edge, self._networks.least_channels):
            logits = self._networks.logits(z)
        return {"loss": reconstruction(logits, density)}
