"""What every generator must do."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

import pytest

from matopt.generators.base import GENERATORS, Generator
from matopt.testing.generators import GeneratorConformance

SMALL = {"steps": 20, "latent_dim": 4, "channels": 8, "sampling_steps": 6, "trees": 5}
"""What makes a training short, of whatever a generator takes."""


OTHERS = {"slices_to_volume"}
"""They draw another number of dimensions than they learn from, and have a test of their own."""


class TestEveryGenerator(GeneratorConformance):
    @pytest.fixture(scope="class", params=sorted(set(GENERATORS.names()) - OTHERS))
    def make(self, request: pytest.FixtureRequest) -> Callable[[], Generator]:
        kind = GENERATORS.find(request.param)
        settings = {name: value for name, value in SMALL.items() if name in signature(kind).parameters}
        return lambda: kind(**settings)
