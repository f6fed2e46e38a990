"""The training of a local denoiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from matopt.generators.diffusion.denoiser import LocalDenoiser
from matopt.generators.diffusion.patches import patches
from matopt.generators.diffusion.training_loss import DenoisingLoss
from matopt.training.loop import cosine, train
from matopt.training.muon import Muon
from matopt.training.report import Report

REPORTS = 20
"""How often a training reports, about."""

PATCH = {2: 64, 3: 32}
"""Edge of the largest patches that are trained on, by the number of dimensions."""

PATCHES = {2: 16, 3: 4}
"""How many of them a step takes where no other number is set: of volumes they have eight times as many voxels."""


def patch_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of the patches that are trained on, of microstructures of a shape."""
    return tuple(min(edge, PATCH[len(shape)]) for edge in shape)


def train_denoiser(
    images: torch.Tensor,
    validation: torch.Tensor | None,
    *,
    steps: int,
    batch_size: int | None = None,
    channels: int,
    flips: bool,
    transpositions: bool,
    report: Report,
    seed: int,
) -> LocalDenoiser:
    """Teach a denoiser to take noise away from random patches, by Muon and an average over the last steps.

    Args:
        images: ``(N, 1, *S)`` densities to learn from.
        validation: ``(M, 1, *S)`` others, whose cross-entropy is reported; None reports none.
        steps: of the training.
        batch_size: patches a step; None for :data:`PATCHES`.
        channels: of the network.
        flips: mirror patches at random.
        transpositions: exchange their axes at random.
        report: hears of the progress; True ends the training.
        seed: of all randomness.

    Raises:
        FailureError: the training diverged.
    """
    shape = images.shape[2:]
    denoiser = LocalDenoiser.seeded(len(shape), channels, seed).to(images.device)
    random = torch.Generator().manual_seed(seed)
    batches = patches(images, batch_size or PATCHES[len(shape)], patch_shape(shape), flips, transpositions, random)
    loss = DenoisingLoss(denoiser, batches, len(shape), seed=seed + 1)
    hidden = [p for name, p in denoiser.named_parameters() if _is_hidden(name, p)]
    other = [p for name, p in denoiser.named_parameters() if not _is_hidden(name, p)]
    train(
        denoiser,
        loss,
        steps=steps,
        optimizers=[Muon(hidden), torch.optim.AdamW(other, 2e-3, (0.9, 0.99), weight_decay=0.0, fused=True)],
        schedule=_warm_constant_cosine(steps),
        averaging=0.998,
        clip=1.0,
        every=max(steps // REPORTS, 1),
        validate=None if validation is None else lambda: loss.validation(validation),
        report=report,
    )
    return denoiser


def _is_hidden(name: str, p: torch.nn.Parameter) -> bool:
    """Whether a parameter is a kernel between hidden layers, which Muon learns."""
    return p.ndim > 2 and not name.startswith(("network.first.", "network.detail.", "network.last."))


def _warm_constant_cosine(steps: int) -> Callable[[float], float]:
    """Rise over 100 steps (a tenth of fewer), stay until 30 % of the training, fall to 1 % along half a cosine."""
    warm = min(100, max(1, steps // 10))

    def factor(progress: float) -> float:
        falling = max(0.0, (progress - 0.3) / 0.7)
        return min(1.0, (progress * steps + 1) / warm) * (0.01 + 0.99 * cosine(falling))

    return factor
