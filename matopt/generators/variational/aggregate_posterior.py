"""The aggregate posterior of a variational autoencoder, and its distance from the prior."""

from __future__ import annotations

import torch


class AggregatePosterior:
    """A loss term: how far the first two moments of the aggregate posterior are from those of N(0, I).

    The aggregate posterior is the mixture of all training images' posteriors, which the decoder is trained on, while
    samples are drawn from the prior N(0, I). Where the two differ the decoder is asked for what it has never seen.
    Posteriors of images outside the batch are remembered from when they were last in one.

    Args:
        count: of training images.
        latent_dim: length of a code.
        device: where the posteriors are.
    """

    def __init__(self, count: int, latent_dim: int, device: torch.device) -> None:
        self._mean = torch.zeros(count, latent_dim, device=device, dtype=torch.float32)
        self._variance = torch.ones(count, latent_dim, device=device, dtype=torch.float32)

    def __call__(self, index: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
        """Compute the squared norm of the aggregate mean, plus that of the aggregate covariance less I.

        Args:
            index: ``(B,)`` whose posteriors are given.
            mean: ``(B, latent_dim)``.
            log_variance: ``(B, latent_dim)``.
        """
        all_means = self._mean.index_put((index,), mean)
        all_variances = self._variance.index_put((index,), log_variance.exp())
        centre = all_means.mean(0)
        deviations = all_means - centre
        covariance = deviations.T @ deviations / len(all_means) + torch.diag(all_variances.mean(0))
        miss = (
            centre.square().sum()
            + (covariance - torch.eye(len(centre), device=centre.device, dtype=torch.float32)).square().sum()
        )
        self._mean[index] = mean.detach()
        self._variance[index] = log_variance.detach().exp()
        # Only the batch has gradients; weighted so, a pass over all batches adds up to the gradient of all images.
        share = len(index) / len(all_means)
        return miss.detach() + (miss - miss.detach()) / share
