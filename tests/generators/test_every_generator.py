"""What every generator must do."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

import pytest

from matopt.generators.base import GENERATORS, Generator
from matopt.generators.morphology_vae import MorphologyVAE
from matopt.testing.generators import GeneratorConformance

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
        return kind is not MorphologyVAE

    @pytest.fixture(scope="class")
    def make(self, kind: type[Generator]) -> Callable[[], Generator]:
        settings = {name: value for name, value in SMALL.items() if name in signature(kind).parameters}
        return lambda: kind(**settings)
