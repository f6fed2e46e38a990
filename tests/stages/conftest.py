"""Fixtures of a study in small, of real parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_study import PROPERTIES, CountingLabel

from matopt.data.sources.sandstone import Sandstone
from matopt.data.windows.window import Window
from matopt.physics.base import Physics, simulators
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.data import Dataset, prepare
from matopt.stages.models import ModelContext


@pytest.fixture
def label() -> CountingLabel:
    return CountingLabel()


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return prepare(Sandstone(), Window(32), {"train": 24, "validation": 12, "test": 12}, 0, CountingLabel())


@pytest.fixture(scope="session")
def physics(dataset: Dataset) -> Physics:
    return Physics(simulators(PROPERTIES), dataset.train.microstructures.voxel_size)


@pytest.fixture(scope="session")
def shared_artifacts(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """Fitted models that several tests look at."""
    return ArtifactStore(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture
def context(tmp_path: Path) -> ModelContext:
    return ModelContext(ArtifactStore(tmp_path / "artifacts"), tmp_path)
