"""What a store answers instead of an object, in a line: what is wrong with the address, or with the store."""

from __future__ import annotations

import re

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from matopt.buckets.endpoints import allowing, endpoint_of
from matopt.errors import FailureError

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_AGAIN = {"408", "409", "425", "429"}
"""Answers 4xx that another time may be others."""

_NOBODY = re.compile(r"/latest/(api/token|meta-data)|169\.254\.\d+\.\d+|metadata\.google\.internal")
"""Who is asked for credentials where the environment has none: the clouds' own services."""

_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|specified bucket does not exist")


def check_bucket(error: Exception, address: str) -> None:
    """Raise where an object is missing because its whole bucket is.

    Raises:
        FailureError: it is.
    """
    if _NO_BUCKET.search(str(error)):
        raise FailureError(f"{address}: there is no such bucket; make it, or name another") from error


def hopeless(error: Exception, address: str) -> str | None:
    """Say what is wrong where asking again would be no use; None where it may be."""
    text, code = str(error), _code(error)
    if "BadScheme" in text:
        meant = f"set {allowing(address)}=true if that is meant"
        return f"its endpoint is http://, which everybody on the way can read; {meant}"
    if is_without_credentials(error):
        return None  # a machine's role may answer later
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _status(text) in ("401", "403"):
        if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"):
            return f"its credentials are refused ({code}); set new ones"
        return f"access is denied ({code or _status(text)}); these credentials may not do that there"
    if "redirect" in text.lower() and "region" in text.lower():
        return "the bucket is in another region; set AWS_REGION"
    status = _status(text)
    if status and status.startswith("4") and status not in _AGAIN:
        return f"it answers with the error {status}{f' ({code})' if code else ''}"
    return None


def is_without_credentials(error: Exception) -> bool:
    """Whether credentials were looked for in vain: in the environment, and where machines have those of their role."""
    return _NOBODY.search(str(error)) is not None


def why(error: Exception, address: str) -> str:
    """Say in a few words why there is no answer."""
    text = str(error)
    if is_without_credentials(error):
        return "no credentials are set: for S3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; see docs/storage.md"
    for sign, meaning in (
        ("dns error", "the name of its endpoint is not known"),
        ("ConnectionRefused", "connection refused"),
        ("Connection refused", "connection refused"),
        ("ConnectionReset", "the connection was cut"),
        ("IncompleteMessage", "the connection was cut"),
        ("TimedOut", "it timed out"),
        ("timed out", "it timed out"),
    ):
        if sign in text:
            return meaning + _at(address)
    if status := _status(text):
        return f"the error {status}"
    return first_line(error)


def first_line(error: Exception) -> str:
    """Give the first line of what the library says, without its own words for nothing in particular."""
    lines = re.sub(r"^Generic \w+ error: ", "", str(error)).splitlines()
    return (lines or [type(error).__name__])[0][:200]


def _at(address: str) -> str:
    endpoint = endpoint_of(address)
    return f" at {endpoint.rpartition('@')[2]}" if endpoint else ""


def _status(text: str) -> str:
    found = _STATUS.search(text)
    return found[1] if found else ""


def _code(error: Exception) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""
