"""Where a store is reached, where its environment says so: a server of one's own."""

from __future__ import annotations

import os

_AMAZON = ("AWS_ALLOW_HTTP", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_AZURE = ("AZURE_ALLOW_HTTP", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
_VARIABLES = {"s3": _AMAZON, "abfs": _AZURE, "abfss": _AZURE}
"""What allows connections that are not encrypted, and what names the endpoint, the first that is set."""


def endpoint_of(address: str) -> str:
    """The endpoint that the environment names for a bucket at an address; empty where it names none."""
    return next((os.environ[name] for name in _variables(address)[1:] if os.environ.get(name)), "")


def is_http_allowed(address: str) -> bool:
    """Whether the environment allows connections that are not encrypted."""
    return os.environ.get(allowing(address), "").lower() in ("1", "true", "yes", "on")


def allowing(address: str) -> str:
    """The variable that allows connections that are not encrypted."""
    return _variables(address)[0]


def _variables(address: str) -> tuple[str, ...]:
    return _VARIABLES.get(address.partition(":")[0], ("",))
