"""What tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

pytest.register_assert_rewrite("matopt.testing")  # so that a suite that fails shows the values, too


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Keep timings and rounding the same on any number of cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sandstone images; tests that need it are skipped where it is absent."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MATOPT_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real images are not at {folder}; name their folder in MATOPT_TEST_DATA")
    return folder
