"""Where a store is reached, where its environment says so: a server of one's own."""

from __future__ import annotations

import os

_VARIABLES = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "abfs": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
    "abfss": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_ALLOWING = {"s3": "AWS_ALLOW_HTTP", "abfs": "AZURE_ALLOW_HTTP", "abfss": "AZURE_ALLOW_HTTP"}


def endpoint_of(address: str) -> str:
    """The endpoint that the environment names for a bucket at an address; empty where it names none."""
    scheme = address.partition(":")[0]
    return next((os.environ[name] for name in _VARIABLES.get(scheme, ()) if os.environ.get(name)), "")


def is_http_allowed(address: str) -> bool:
    """Whether the environment allows connections that are not encrypted."""
    allowed = os.environ.get(_ALLOWING.get(address.partition(":")[0], ""), "")
    return allowed.lower() in ("1", "true", "yes", "on")


def allowing(address: str) -> str:
    """The variable that allows connections that are not encrypted."""
    return _ALLOWING.get(address.partition(":")[0], "")
