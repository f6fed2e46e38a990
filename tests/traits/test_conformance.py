"""Every registered trait keeps to what traits are."""

from __future__ import annotations

from typing import ClassVar

import pytest

from matopt.testing.traits import TraitConformance
from matopt.traits.base import TRAITS, Trait

NEEDS_EVEN_EDGES = "scaling"


class TestRegistered(TraitConformance):
    @pytest.fixture(params=[name for name in TRAITS.names() if name != NEEDS_EVEN_EDGES])
    def trait(self, request: pytest.FixtureRequest) -> Trait:
        return TRAITS.find(request.param)()


class TestOfEvenEdges(TraitConformance):
    shapes: ClassVar = ((8, 6), (6, 4, 4))

    @pytest.fixture
    def trait(self) -> Trait:
        return TRAITS.find(NEEDS_EVEN_EDGES)()
