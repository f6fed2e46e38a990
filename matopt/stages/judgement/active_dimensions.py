"""The active dimensions of a latent space: those that the encoder uses."""

from __future__ import annotations

import torch

from matopt.generators.base import LatentGenerator

ACTIVE = 0.01
"""A dimension is active where posterior means vary by more than this over microstructures; codes vary by 1."""


def active_dimensions(generator: LatentGenerator, density: torch.Tensor) -> int:
    """Count the latent dimensions whose posterior means vary over microstructures ``(N, 1, *S)``, N at least 2.

    Posteriors of the others have collapsed to the prior: the decoder hears nothing of them.

    Source: Burda, Grosse and Salakhutdinov, ICLR 2016, arXiv 1509.00519, section 5.2: variance over .01.
    """
    with torch.no_grad():
        codes = generator.encode(density)
    return int((codes.var(0) > ACTIVE).sum())
