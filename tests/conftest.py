"""What tests share."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from rounding import LastPlaceNoise


@pytest.fixture(autouse=True, scope="session")
def _processor() -> Iterator[None]:
    """One thread, so that timings are the same on any number of cores, and this processor's rounding.

    ``make test-processors`` asks for other threads, and for the rounding of others.
    """
    torch.set_num_threads(int(os.environ.get("MATOPT_TEST_THREADS", "1")))
    seed = os.environ.get("MATOPT_TEST_ROUNDING")
    with LastPlaceNoise(int(seed)) if seed else nullcontext():
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sandstone images; tests that need it are skipped where it is absent."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MATOPT_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real images are not at {folder}; name their folder in MATOPT_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def berea(shared_data: Path) -> np.ndarray:
    """The measured volume of Berea sandstone, ``(400, 400, 400)`` bool, True in grains; voxels of 5.345 um."""
    with zipfile.ZipFile(shared_data / "berea.zip") as archive, archive.open("berea.tif") as file:
        return tifffile.imread(file) > 0


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that speaks S3, on this machine."""
    from object_store import s3_server  # Amazon's own client, which few tests need

    with s3_server(tmp_path_factory.mktemp("s3") / "log.txt") as port:
        yield port


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that speaks as Azure's store does, on this machine."""
    from object_store import azure_server

    with azure_server(tmp_path_factory.mktemp("azure") / "log.txt") as port:
        yield port
