"""A bucket of a server on this machine."""

import pytest
from object_store import s3_server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3") / "log.txt") as port:
        yield port
