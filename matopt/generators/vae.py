"""The variational autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from matopt.errors import FailureError, InputError
from matopt.generators.base import GENERATORS, LatentGenerator
from matopt.generators.variational.losses import batches, divergence, reconstruction
from matopt.generators.variational.morphology_loss import MorphologyLoss, ramp
from matopt.generators.variational.networks import Decoder, Encoder
from matopt.microstructures import Microstructures
from matopt.training.loop import train as minimise
from matopt.training.report import Report, no_report

MULTIPLE = 16
DECODED_AT_ONCE = 64
REPORTS = 20


@GENERATORS.register("vae")
class VAE(LatentGenerator):
    """A variational autoencoder (Kingma and Welling 2014) of two-dimensional microstructures.

    The loss is the reconstruction's cross-entropy, summed over voxels, plus the divergence of the posteriors from
    N(0, I): the evidence lower bound and nothing else. From few images its samples come out blurred, and an
    average-looking binarised image can hide that; see :func:`matopt.descriptors.greyness.grey_share`.

    Args:
        latent_dim: length of a code.
        steps: of the training.
        batch_size: images a step.
        learning_rate: Adam's, at the start of a cosine schedule.
        downsampling: voxels along an edge of the grid on which the decoder works; what is finer comes from a smooth
            enlargement. None takes 1 for images below 128 voxels and 2 from there on.
        flips: mirror images of a microstructure are as likely as itself. False for a material with a slanted fabric.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(
        self,
        latent_dim: int = 24,
        steps: int = 2000,
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
        self.latent_dim = latent_dim
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
    ) -> VAE:
        """Learn from ``train``; the cross-entropy of ``validation`` is reported, and nothing is chosen by it.

        Raises:
            InputError: fewer than two microstructures; edges that are not multiples of 16; three dimensions.
            FailureError: the training diverged.
        """
        if len(train) < 2:
            raise InputError(f"a generator cannot learn from {len(train)} microstructures; give it two at least")
        networks = _build(train.shape, self.latent_dim, self.downsampling, seed).to(self._device)
        encoder, decoder = networks
        generator = torch.Generator().manual_seed(seed)
        images = train.density(self._device)
        constraint = self._constraint(images, generator)
        stream = batches(images, self.batch_size, self.flips, generator)

        def loss(step: int, progress: float) -> dict[str, torch.Tensor]:
            batch = next(stream)
            mean, log_variance = _posterior(encoder, batch.density)
            z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=generator).to(self._device)
            codes, extra = z, None
            if constraint is not None and ramp(progress) > 0.0:
                extra = constraint.codes(z)
                codes = torch.cat([z, extra[0]])
            with _half_precision(self._device):
                logits = decoder(codes)
            scalars = {
                "reconstruction": reconstruction(logits[: len(z)], batch.density),
                "divergence": divergence(mean, log_variance),
            }
            total = scalars["reconstruction"] + scalars["divergence"]
            if constraint is not None:
                terms = constraint.posterior(batch, mean, log_variance)
                total, scalars = total + terms.total, scalars | terms.scalars
                if extra is not None:
                    terms = constraint.samples(torch.sigmoid(logits[len(z) :]), batch, *extra[1:], progress)
                    total, scalars = total + terms.total, scalars | terms.scalars
            return {"loss": total} | scalars

        def held_out(images: torch.Tensor) -> dict[str, float]:
            parts = images.to(self._device).split(DECODED_AT_ONCE)
            nats = sum(float(reconstruction(decoder(_posterior(encoder, x)[0]), x)) * len(x) for x in parts)
            return {"reconstruction": nats / len(images)}

        minimise(
            networks,
            loss,
            steps=self.steps,
            learning_rate=self.learning_rate,
            betas=(0.9, 0.98),
            clip=50.0,
            every=max(self.steps // REPORTS, 1),
            validate=None if validation is None else lambda: held_out(validation.density()),
            report=report,
        )
        self._fitted = _Fitted(networks, train.shape, train.voxel_size)
        return self

    def sample(self, n: int, seed: int) -> torch.Tensor:
        """``(n, 1, H, W)`` densities of codes drawn from N(0, I)."""
        z = torch.randn(n, self.latent_dim, generator=torch.Generator().manual_seed(seed)).to(self._device)
        with torch.no_grad():
            return torch.cat([self.decode(part) for part in z.split(DECODED_AT_ONCE)])

    def encode(self, density: torch.Tensor) -> torch.Tensor:
        """``(N, latent_dim)`` posterior means of densities ``(N, 1, H, W)``."""
        return _posterior(self._learnt.networks[0], density.to(self._device))[0]

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """``(N, 1, H, W)`` densities of codes ``(N, latent_dim)``; differentiable."""
        return torch.sigmoid(self._learnt.networks[1](z.to(self._device)))

    @property
    def voxel_size(self) -> float:
        """Of the microstructures that were learnt from, in metres."""
        return self._learnt.voxel_size

    def to(self, device: torch.device | str) -> VAE:
        """Move to ``device``; returns itself."""
        self._device = torch.device(device)
        if self._fitted is not None:
            self._fitted.networks.to(self._device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Image shape, voxel size, code length, downsampling, and the parameters."""
        learnt = self._learnt
        return {
            "shape": list(learnt.shape),
            "voxel_size": learnt.voxel_size,
            "latent_dim": self.latent_dim,
            "downsampling": learnt.networks[0].downsampling,
            "networks": learnt.networks.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the generator whose :meth:`state_dict` this is; code length and downsampling follow it too."""
        networks = _build(state["shape"], state["latent_dim"], state["downsampling"], seed=0)
        networks.load_state_dict(state["networks"])
        self.latent_dim, self.downsampling = state["latent_dim"], state["downsampling"]
        self._fitted = _Fitted(networks.to(self._device).eval(), tuple(state["shape"]), state["voxel_size"])

    def _constraint(self, images: torch.Tensor, generator: torch.Generator) -> MorphologyLoss | None:
        """What the samples are held to besides the evidence lower bound."""
        return None

    @property
    def _learnt(self) -> _Fitted:
        if self._fitted is None:
            raise FailureError("this generator has learnt nothing yet; call fit or load_state_dict first")
        return self._fitted


@dataclass(frozen=True)
class _Fitted:
    networks: torch.nn.ModuleList
    shape: tuple[int, ...]
    voxel_size: float


def _build(shape: Sequence[int], latent_dim: int, downsampling: int | None, seed: int) -> torch.nn.ModuleList:
    """Encoder and decoder, with parameters that follow from ``seed`` alone."""
    if len(shape) != 2:
        raise InputError(f"a vae learns two-dimensional microstructures; these have {len(shape)} dimensions")
    if any(n % MULTIPLE for n in shape):
        nearest = [max(MULTIPLE, round(n / MULTIPLE) * MULTIPLE) for n in shape]
        raise InputError(
            f"a vae needs edges that are multiples of {MULTIPLE}; got {shape[0]} x {shape[1]}, the nearest are "
            f"{nearest[0]} x {nearest[1]}"
        )
    if downsampling is None:
        downsampling = 1 if min(shape) < 128 else 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = Encoder(shape, 2 * latent_dim, downsampling), Decoder(shape, latent_dim, downsampling)
    return torch.nn.ModuleList(parts)


def _posterior(encoder: torch.nn.Module, density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean, log_variance = encoder(density).chunk(2, dim=1)
    # Beyond these bounds the variance is as good as 0, or the divergence is out of float's range.
    return mean, log_variance.clamp(-12.0, 6.0)


def _half_precision(device: torch.device) -> torch.autocast:
    """bfloat16 products where the device has instructions for them; elsewhere they are slower than float32."""
    if device.type == "cpu":
        capable = getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16", False)  # not in every torch
    else:
        capable = device.type == "cuda"
    return torch.autocast(device.type, torch.bfloat16, enabled=capable)
