"""The loss that a variational autoencoder minimises."""

from __future__ import annotations

import torch

from matopt.generators.variational.batches import batches
from matopt.generators.variational.evidence_bound import divergence, reconstruction
from matopt.generators.variational.morphology_loss import MorphologyLoss, ramp
from matopt.generators.variational.networks import EncoderDecoder
from matopt.training.half_precision import half_precision


class TrainingLoss:
    """The negative evidence lower bound of random batches, plus the morphology loss where it has a weight.

    Args:
        networks: what is trained.
        images: ``(N, 1, *S)`` authentic densities.
        batch_size: images a step.
        flips: mirror images are as likely as the images themselves.
        morphology_weight: of :class:`MorphologyLoss`; 0 leaves all of it out.
        seed: of batches, posterior samples and prior samples.
    """

    def __init__(
        self,
        networks: EncoderDecoder,
        images: torch.Tensor,
        batch_size: int,
        flips: bool,
        morphology_weight: float,
        seed: int,
    ) -> None:
        self._networks = networks
        self._device = images.device
        self._generator = torch.Generator().manual_seed(seed)
        self._batches = batches(images, batch_size, flips, self._generator)
        self._morphology: MorphologyLoss | None = None
        if morphology_weight > 0:
            self._morphology = MorphologyLoss(images, flips, morphology_weight, networks.latent_dim, self._generator)

    def __call__(self, step: int, progress: float) -> dict[str, torch.Tensor]:
        """Compute the loss of the next batch and its terms, by name; see :data:`matopt.training.loop.Loss`."""
        batch = next(self._batches)
        mean, log_variance = self._networks.posterior(batch.density)
        noise = torch.randn(mean.shape, generator=self._generator, dtype=torch.float32).to(self._device)
        z = mean + (0.5 * log_variance).exp() * noise
        codes, added = z, None
        if self._morphology is not None and ramp(progress) > 0.0:
            added = self._morphology.codes(z)
            codes = torch.cat([z, added.z])
        with half_precision(self._device, self._networks.least_edge, self._networks.least_channels):
            logits = self._networks.logits(codes)
        scalars = {
            "reconstruction": reconstruction(logits[: len(z)], batch.density),
            "divergence": divergence(mean, log_variance),
        }
        total = scalars["reconstruction"] + scalars["divergence"]
        if self._morphology is not None:
            terms = self._morphology.posterior(batch, mean, log_variance)
            total, scalars = total + terms.total, scalars | terms.scalars
            if added is not None:
                terms = self._morphology.samples(torch.sigmoid(logits[len(z) :]), added, batch, progress)
                total, scalars = total + terms.total, scalars | terms.scalars
        return {"loss": total} | scalars
