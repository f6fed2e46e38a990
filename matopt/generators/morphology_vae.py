"""The variational autoencoder with a morphology constraint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch

from matopt.errors import FailureError, InputError
from matopt.generators.base import GENERATORS, LatentGenerator
from matopt.generators.variational.networks import Autoencoder
from matopt.generators.variational.training_loss import DECODED_AT_ONCE, TrainingLoss
from matopt.microstructures import Microstructures
from matopt.training.loop import train as minimise
from matopt.training.report import Report, no_report

REPORTS = 20
"""How often a training reports, about."""


@GENERATORS.register("morphology_vae")
class MorphologyVAE(LatentGenerator):
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
        if latent_dim < 1 or steps < 0 or batch_size < 2 or learning_rate <= 0 or downsampling not in (None, 1, 2):
            raise InputError(
                "a vae needs latent_dim >= 1, steps >= 0, batch_size >= 2, learning_rate > 0, downsampling 1 or 2; "
                f"got {latent_dim}, {steps}, {batch_size}, {learning_rate} and {downsampling}"
            )
        if morphology_weight < 0:
            raise InputError(f"morphology_weight must not be negative; got {morphology_weight}")
        self.latent_dim = latent_dim
        self.morphology_weight = morphology_weight
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.downsampling = downsampling
        self.flips = flips
        self._device = torch.device("cpu")
        self._fitted: _Fitted | None = None

    def fit(
        self,
        train: Microstructures,
        validation: Microstructures | None = None,
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Learn from ``train``; the cross-entropy of ``validation`` is reported, and nothing is chosen by it.

        Raises:
            InputError: fewer than two microstructures; edges that are not multiples of 16; three dimensions.
            FailureError: the training diverged.
        """
        if len(train) < 2:
            raise InputError(f"a generator cannot learn from {len(train)} microstructures; give it two at least")
        networks = Autoencoder.seeded(train.shape, self.latent_dim, self.downsampling, seed).to(self._device)
        images = train.density(self._device)
        loss = TrainingLoss(networks, images, self.batch_size, self.flips, self.morphology_weight, seed)
        minimise(
            networks,
            loss,
            steps=self.steps,
            learning_rate=self.learning_rate,
            betas=(0.9, 0.98),
            clip=50.0,
            every=max(self.steps // REPORTS, 1),
            validate=None if validation is None else lambda: loss.validation(validation.density()),
            report=report,
        )
        self._fitted = _Fitted(networks, train.shape, train.voxel_size)
        return self

    def sample(self, n: int, seed: int) -> torch.Tensor:
        """Decode ``n`` codes drawn from N(0, I) into ``(n, 1, H, W)`` densities."""
        z = torch.randn(n, self.latent_dim, generator=torch.Generator().manual_seed(seed)).to(self._device)
        with torch.no_grad():
            return torch.cat([self.decode(part) for part in z.split(DECODED_AT_ONCE)])

    def encode(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, H, W)`` to codes ``(N, latent_dim)``: the means of their posteriors."""
        return self._learnt.networks.posterior(density.to(self._device))[0]

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Map codes ``(N, latent_dim)`` to densities ``(N, 1, H, W)``; differentiable."""
        return torch.sigmoid(self._learnt.networks.logits(z.to(self._device)))

    @property
    def voxel_size(self) -> float:
        """The voxel size of the microstructures that were learnt from, in metres."""
        return self._learnt.voxel_size

    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``; returns itself."""
        self._device = torch.device(device)
        if self._fitted is not None:
            self._fitted.networks.to(self._device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Give image shape, voxel size, code length, downsampling and the networks' parameters."""
        learnt = self._learnt
        return {
            "shape": list(learnt.shape),
            "voxel_size": learnt.voxel_size,
            "latent_dim": self.latent_dim,
            "downsampling": learnt.networks.downsampling,
            "networks": learnt.networks.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another generator learnt, code length and downsampling included."""
        networks = Autoencoder.seeded(state["shape"], state["latent_dim"], state["downsampling"], seed=0)
        networks.load_state_dict(state["networks"])
        self.latent_dim, self.downsampling = state["latent_dim"], state["downsampling"]
        self._fitted = _Fitted(networks.to(self._device).eval(), tuple(state["shape"]), state["voxel_size"])

    @property
    def _learnt(self) -> _Fitted:
        if self._fitted is None:
            raise FailureError("this generator has learnt nothing yet; call fit or load_state_dict first")
        return self._fitted


@dataclass(frozen=True)
class _Fitted:
    networks: Autoencoder
    shape: tuple[int, ...]
    voxel_size: float
