"""Predictions between Voigt's and Reuss's bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_cnn import blobs

from matopt.data.moves import grow
from matopt.microstructures import Microstructures
from matopt.physics.base import SIMULATORS
from matopt.predictors.voigt_reuss import VoigtReuss
from matopt.stages.r2 import r2
from matopt.stages.simulate import simulate
from matopt.traits.monotonicity import Monotonicity

PROPERTIES = ["youngs_modulus", "diffusivity"]


@pytest.fixture(scope="module")
def fitted() -> VoigtReuss:
    # Samples of one phase are among them: their bounds meet, and they say nothing.
    train = blobs(40, (32, 32), 0)
    ends = Microstructures(np.stack([np.zeros((32, 32), np.uint8), np.ones((32, 32), np.uint8)]), train.voxel_size)
    train = Microstructures.concatenate([train, ends])
    return VoigtReuss(steps=100, width=8).fit(train, simulate(train, PROPERTIES))


def hostile() -> torch.Tensor:
    """Noise, layers along and across, grey, grain grown over nearly all, and both phases alone."""
    generator = torch.Generator().manual_seed(0)
    along, across = torch.zeros(32, 32), torch.zeros(32, 32)
    along[:, ::2], across[::2] = 1, 1
    full = blobs(1, (32, 32), 1).phases[0].copy()
    for seed in range(20):
        grow(full, np.random.default_rng(seed), 1.0)
    noise, grey = (torch.rand(6, 32, 32, generator=generator) > 0.5).float(), torch.rand(6, 32, 32, generator=generator)
    ends = torch.stack([torch.zeros(32, 32), torch.ones(32, 32)])
    return torch.cat([noise, grey, along[None], across[None], torch.from_numpy(full).float()[None], ends])[:, None]


def test_nothing_leaves_the_bounds_and_pure_phases_are_exact(fitted: VoigtReuss) -> None:
    density = hostile()
    solid = density.flatten(1).mean(1).double()
    plane = 94.5e9 / (1 - 0.074**2)
    with torch.no_grad():
        told = fitted.predict(density).double()
    assert told.isfinite().all()
    assert (told[:, 0] >= 0).all() and (told[:, 0] <= solid * plane * (1 + 1e-5)).all()
    grain = SIMULATORS.find("diffusivity")().property.constant("grain_diffusivity")
    arithmetic, harmonic = solid * grain + 1 - solid, 1 / (solid / grain + 1 - solid)
    assert (told[:, 1] >= harmonic * (1 - 1e-5)).all() and (told[:, 1] <= arithmetic * (1 + 1e-5)).all()
    np.testing.assert_allclose(told[-2:], [[0, 1], [plane, grain]], rtol=1e-5)


def test_it_predicts_what_it_was_not_shown(fitted: VoigtReuss) -> None:
    test = blobs(60, (32, 32), 2)
    scores = r2(fitted, test, simulate(test, PROPERTIES))
    assert scores["youngs_modulus"] > 0.7
    assert scores["diffusivity"] > 0.9


def test_traits_are_asked_of_values_and_not_of_logits() -> None:
    asked = []

    class Remembers(Monotonicity):
        def residual(self, model, density):
            asked.append(model.predict(density).detach())
            return super().residual(model, density)

    train = blobs(10, (16, 16), 3)
    VoigtReuss(steps=2, width=4).fit(train, simulate(train, PROPERTIES), traits=[Remembers(1.0)])
    assert asked[0][:, 0].max() > 1e9  # Pa
