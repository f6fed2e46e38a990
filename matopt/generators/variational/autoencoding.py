"""What the generators that decode codes by a network have in common: they differ in the loss of its training."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import torch

from matopt.devices import device_named
from matopt.errors import InputError
from matopt.generators.base import LatentGenerator, require_learnt
from matopt.generators.symmetries import found_flips
from matopt.generators.variational.evidence_bound import reconstruction
from matopt.generators.variational.networks import EncoderDecoder
from matopt.microstructures import Microstructures
from matopt.training.loop import Loss
from matopt.training.loop import train as minimise
from matopt.training.report import Report, no_report

DECODED_AT_ONCE = 64
"""How many images are encoded or decoded at once outside of training steps."""
REPORTS = 20
"""How often a training reports, about."""


class AutoencodingGenerator(LatentGenerator):
    """A generator that decodes codes by a convolutional network, which was trained together with an encoder.

    Args:
        latent_dim: length of a code.
        steps: of the training.
        batch_size: images a step.
        learning_rate: Adam's, at the start of a cosine schedule.
        downsampling: edge of a cell of the networks' grid in voxels, 1 or 2; finer detail comes from a smooth
            enlargement. None takes 1 for images below 128 voxels and 2 from there on.
        flips: mirror images of a microstructure are as likely as itself; False where a fabric is slanted, None for what
            the training microstructures show.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(
        self,
        latent_dim: int,
        steps: int,
        batch_size: int,
        learning_rate: float,
        downsampling: int | None,
        flips: bool | None,
    ) -> None:
        if latent_dim < 1 or steps < 0 or batch_size < 2 or learning_rate <= 0 or downsampling not in (None, 1, 2):
            raise InputError(
                "an autoencoder needs latent_dim >= 1, steps >= 0, batch_size >= 2, learning_rate > 0, downsampling 1 "
                f"or 2; got {latent_dim}, {steps}, {batch_size}, {learning_rate} and {downsampling}"
            )
        self.latent_dim = latent_dim
        self._noise_dim = 0  # numbers of a code that the networks do not decode, its last ones
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.downsampling = downsampling
        self.flips = flips
        self._is_mirrored = False  # until it is found in a fit
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
            InputError: fewer than two microstructures; edges that are not multiples of 16.
            FailureError: the training diverged.
        """
        if len(train) < 2:
            raise InputError(f"a generator cannot learn from {len(train)} microstructures; give it two at least")
        networks = EncoderDecoder.seeded(train.shape, self.latent_dim - self._noise_dim, self.downsampling, seed)
        networks.to(self._device)
        images = train.density(self._device)
        self._is_mirrored = found_flips(images, self.flips, report)
        minimise(
            networks,
            self._loss(networks, images, seed),
            steps=self.steps,
            learning_rate=self.learning_rate,
            betas=(0.9, 0.98),
            clip=50.0,
            every=max(self.steps // REPORTS, 1),
            validate=None if validation is None else lambda: _held_out(networks, validation.density(self._device)),
            report=report,
        )
        self._fitted = _Fitted(networks, train.shape, train.voxel_size)
        return self

    @abstractmethod
    def _loss(self, networks: EncoderDecoder, images: torch.Tensor, seed: int) -> Loss:
        """Make the loss by which ``networks`` learn from ``images`` ``(N, 1, *S)``; all is random by ``seed``."""

    def sample(self, n: int, seed: int) -> torch.Tensor:
        """Decode ``n`` codes drawn from N(0, I) into ``(n, 1, *S)`` densities."""
        z = torch.randn(n, self.latent_dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float32).to(
            self._device
        )
        with torch.no_grad():
            return torch.cat([self.decode(part) for part in z.split(DECODED_AT_ONCE)])

    def encode(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to codes ``(N, latent_dim)``: the means of their posteriors."""
        return self._learnt.networks.posterior(density.to(self._device))[0]

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Map codes ``(N, latent_dim)`` to densities ``(N, 1, *S)``; differentiable."""
        return torch.sigmoid(self._learnt.networks.logits(z.to(self._device)))

    @property
    def voxel_size(self) -> float:
        """The voxel size of the microstructures that were learnt from, in metres."""
        return self._learnt.voxel_size

    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``; returns itself."""
        self._device = device_named(device)
        if self._fitted is not None:
            self._fitted.networks.to(self._device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Give image shape, voxel size, the networks' code length, downsampling and parameters."""
        learnt = self._learnt
        return {
            "shape": list(learnt.shape),
            "voxel_size": learnt.voxel_size,
            "latent_dim": learnt.networks.latent_dim,
            "downsampling": learnt.networks.downsampling,
            "networks": learnt.networks.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another generator learnt, code length and downsampling included."""
        networks = EncoderDecoder.seeded(state["shape"], state["latent_dim"], state["downsampling"], seed=0)
        networks.load_state_dict(state["networks"])
        self.latent_dim, self.downsampling = state["latent_dim"] + self._noise_dim, state["downsampling"]
        self._fitted = _Fitted(networks.to(self._device).eval(), tuple(state["shape"]), state["voxel_size"])

    @property
    def _learnt(self) -> _Fitted:
        return require_learnt(self._fitted)


def _held_out(networks: EncoderDecoder, images: torch.Tensor) -> dict[str, float]:
    """Compute the cross-entropy of held-out images ``(N, 1, *S)``, decoded from the means of their codes."""
    parts = images.split(DECODED_AT_ONCE)
    nats = [float(reconstruction(networks.logits(networks.posterior(x)[0]), x)) * len(x) for x in parts]
    return {"reconstruction": sum(nats) / len(images)}


@dataclass(frozen=True)
class _Fitted:
    networks: EncoderDecoder
    shape: tuple[int, ...]
    voxel_size: float
