"""The autoencoder, with and without a Gaussian fitted to its codes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from matopt.generators.autoencoder import Autoencoder
from matopt.generators.variational.networks import EncoderDecoder
from matopt.testing.images import random_microstructures


def test_standardised_codes_have_the_moments_of_the_prior_and_decode_as_before() -> None:
    networks = EncoderDecoder.seeded((32, 32), 6, None, seed=0)
    images = random_microstructures(50, (32, 32), seed=0).density()
    with torch.no_grad():
        before = networks.posterior(images)[0]
        decoded = networks.logits(before)
        networks.standardise(before)
        after = networks.posterior(images)[0]
        torch.testing.assert_close(networks.logits(after), decoded, rtol=1e-3, atol=1e-4)
    assert after.mean(0).abs().max() < 1e-3
    torch.testing.assert_close(torch.cov(after.T, correction=0), torch.eye(6), atol=0.01, rtol=0)


def test_few_images_leave_directions_without_codes_and_are_learnt_all_the_same() -> None:
    train = random_microstructures(2, (32, 32), seed=0)
    assert Autoencoder(latent_dim=24, steps=3, flips=False).fit(train).sample(3, seed=0).isfinite().all()


def test_training_reports_nothing_but_the_reconstruction() -> None:
    heard: list[dict[str, float]] = []
    images = random_microstructures(9, (32, 32), seed=0)
    Autoencoder(steps=20).fit(images, images[:4], lambda step, /, **scalars: heard.append(scalars))
    assert set(heard[-1]) == {"loss", "gradient_norm", "progress", "validation_reconstruction"}
    assert heard[-1]["validation_reconstruction"] < heard[0]["validation_reconstruction"]


def test_fitted_codes_bring_the_spread_of_porosity_that_standard_codes_lack() -> None:
    """Codes of the training lie far from N(0, I), so what is decoded from there resembles no training image."""
    train = random_microstructures(60, (32, 32), seed=0)
    porosity = {}
    for fitted in (True, False):
        drawn = Autoencoder(steps=300, fitted_codes=fitted).fit(train).draw(200, seed=0)
        porosity[fitted] = drawn.porosity
    assert abs(porosity[True].mean() - train.porosity.mean()) < 0.04
    assert abs(porosity[True].std() / train.porosity.std() - 1) < 0.3
    miss = {fitted: abs(p.std() / train.porosity.std() - 1) for fitted, p in porosity.items()}
    assert miss[True] < miss[False]


def test_the_documentation_measures_processor_time() -> None:
    text = (Path(__file__).parents[2] / "docs" / "generators.md").read_text()
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "process_time" in block]
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["seconds"]("autoencoder", random_microstructures(4, (16, 16), seed=0), steps=1) > 0
