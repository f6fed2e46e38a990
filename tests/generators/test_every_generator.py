"""What every generator must do."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

import numpy as np
import pytest
import torch

from matopt.errors import InputError, InputWarning
from matopt.generators.base import GENERATORS, Generator
from matopt.generators.local_diffusion import LocalDiffusion
from matopt.generators.morphology_vae import MorphologyVAE
from matopt.microstructures import Microstructures
from matopt.testing.generators import GeneratorConformance
from matopt.testing.images import random_microstructures

SMALL = {"steps": 20, "detail_steps": 20, "latent_dim": 4, "channels": 8, "sampling_steps": 6, "trees": 5}
"""What makes a training short, of whatever a generator takes."""


OF_IMAGES = [name for name in GENERATORS.names() if not GENERATORS.find(name).draws_volumes]
"""Others draw another number of dimensions than they learn from, and have tests of their own."""


class TestEveryGenerator(GeneratorConformance):
    @pytest.fixture(scope="class", params=OF_IMAGES)
    def kind(self, request: pytest.FixtureRequest) -> type[Generator]:
        return GENERATORS.find(request.param)

    @pytest.fixture(scope="class")
    def has_exact_derivative(self, kind: type[Generator]) -> bool:
        """Not where patterns are counted, which change at once; see the tests of local diffusion."""
        return kind not in (MorphologyVAE, LocalDiffusion)

    @pytest.fixture(scope="class")
    def make(self, kind: type[Generator]) -> Callable[[], Generator]:
        settings = {name: value for name, value in SMALL.items() if name in signature(kind).parameters}
        return lambda: kind(**settings)


@pytest.mark.parametrize("name", GENERATORS.names())
def test_no_microstructures_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(InputError, match="cannot learn from 0 microstructures"):
        GENERATORS.find(name)().fit(Microstructures(np.zeros((0, 16, 16), np.uint8), 1e-6))


MIRRORING = [name for name in OF_IMAGES if "flips" in signature(GENERATORS.find(name)).parameters]


def small(kind: type[Generator], **settings: bool) -> Generator:
    known = {
        name: value
        for name, value in (SMALL | {"steps": 3, "detail_steps": 3} | settings).items()
        if name in signature(kind).parameters
    }
    return kind(**known)  # ty: ignore[invalid-argument-type]


@pytest.mark.parametrize("name", MIRRORING)
def test_mirror_images_and_exchanged_axes_are_learnt_from_where_the_training_images_allow_it(name: str) -> None:
    kind, rows = GENERATORS.find(name), np.arange(16)
    stripes = (np.random.default_rng(0).random((40, 1, 1)) * 8 + 2 * rows[:, None] + rows) % 8 > 2
    fabrics = {
        True: random_microstructures(40, (16, 16), seed=0),
        False: Microstructures(stripes.astype(np.uint8), 1e-6),
    }
    reported: dict[str, float] = {}
    for is_alike, train in fabrics.items():
        told = small(kind, flips=is_alike, transpositions=is_alike).fit(train, seed=1).sample(3, seed=2)
        if is_alike:
            found = small(kind).fit(train, seed=1)
        else:
            with pytest.warns(InputWarning, match="flips is False"):
                found = small(kind).fit(train, report=lambda step, /, **s: bool(reported.update(s)), seed=1)
            assert reported["flips"] == reported.get("transpositions", 0.0) == 0.0
        torch.testing.assert_close(found.sample(3, seed=2), told, rtol=0, atol=0)
