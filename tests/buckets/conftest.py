"""A bucket of a server on this machine."""

import pytest
from object_store import keys, set_environment, store


@pytest.fixture
def there(server, monkeypatch, tmp_path):
    """The bucket as others see it, empty; the environment names its server, and a folder for working copies."""
    set_environment(monkeypatch, server, tmp_path / "cache")
    rocks = store(server, "rocks")
    rocks.delete(keys(rocks))
    return rocks
