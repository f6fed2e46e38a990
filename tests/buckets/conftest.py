"""Buckets of servers on this machine."""

import pytest
from object_store import azure_store, keys, set_azure_environment, set_environment, store


@pytest.fixture
def there(server, monkeypatch, tmp_path):
    """The bucket as others see it, empty; the environment names its server, and a folder for working copies."""
    set_environment(monkeypatch, server, tmp_path / "cache")
    return _empty(store(server, "rocks"))


@pytest.fixture(params=["s3", "abfs"])
def anywhere(request, monkeypatch, tmp_path):
    """The same in a store of each kind that can be had here: its address, and how others see it."""
    if request.param == "s3":
        return "s3://rocks", request.getfixturevalue("there")
    port = request.getfixturevalue("azurite")
    set_azure_environment(monkeypatch, port, tmp_path / "cache")
    return "abfs://rocks", _empty(azure_store(port, "rocks"))


def _empty(bucket):
    if there := keys(bucket):
        bucket.delete(there)
    return bucket
