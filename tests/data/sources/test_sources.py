"""Every source keeps the contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from matopt.data.sources.base import SOURCES
from matopt.data.windows.window import Window
from matopt.registry import Component
from matopt.testing.sources import SourceConformance

VOXEL_SIZES = {"alloy": "0.4 um", "spinodal": "40 nm"}
"""Other voxels than a source's own, where 3 um would show nothing of it."""


@pytest.fixture(scope="module")
def rock(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("rock") / "rock.npy"
    field = gaussian_filter(np.random.default_rng(0).standard_normal((80, 64, 64)), 2.0)
    np.save(path, (field > -0.01).astype(np.uint8))
    return str(path)


class TestSources(SourceConformance):
    @pytest.fixture(params=SOURCES.names())
    def kind(self, request) -> str:
        return request.param

    @pytest.fixture
    def settings(self, kind: str, rock: str) -> dict[str, Any]:
        return {"voxel_size": "2 um", "path": rock} if kind == "files" else {}

    @pytest.fixture
    def make(self, kind: str, settings: dict[str, Any]):
        return lambda: SOURCES.build(Component(kind, settings))

    @pytest.fixture
    def changed(self, kind: str, settings: dict[str, Any]):
        return SOURCES.build(Component(kind, settings | {"voxel_size": VOXEL_SIZES.get(kind, "3 um")}))

    @pytest.fixture
    def window(self, kind: str) -> Window:
        return Window(16 if kind == "files" else 48)

    @pytest.fixture
    def too_many(self, kind: str) -> int | None:
        return 10_000 if kind == "files" else None
