"""Addresses of object stores, and the working copies that stand for them.

Everything that matopt keeps lies in a folder. Where the storage is a bucket that folder is its working copy, and its
path says of which: ``.../matopt-buckets/s3/<bucket>/<prefix>``. So a process of any node that is handed a path below it
knows which object the file is a copy of, and nothing else has to be handed around.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from matopt.errors import FailureError, InputError

SCHEMES = ("s3", "gs", "abfs", "abfss")
"""Of the stores whose objects can be put on a condition: Amazon S3 and all that speak as it does, Google, Azure."""

_COPIES = "matopt-buckets"
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_PART = re.compile(r"[A-Za-z0-9_=][A-Za-z0-9._=-]*")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]+(@[A-Za-z0-9.-]+)?")


@dataclass(frozen=True)
class Place:
    """Where an object is, or many of them: the address of its bucket, and its key in it."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"


def is_address(text: str) -> bool:
    """Whether a text is written like an address, and not like a path."""
    return _ADDRESS.match(text) is not None


def working_copy(address: str) -> Path:
    """Name the folder that stands for an address on this machine.

    It is below ``matopt`` in the user's cache folder, or in the folder that ``MATOPT_CACHE`` names; all nodes of a
    cluster use the same path, each on a disk of its own.

    Raises:
        InputError: no such scheme, no bucket, or a prefix with characters that not every store takes.
    """
    match = _ADDRESS.fullmatch(address)
    scheme, rest = (match[1].lower(), match[2]) if match else ("", address)
    if scheme not in SCHEMES:
        raise InputError(f"{_public(address)}: a storage is a folder, or {', '.join(f'{s}://' for s in SCHEMES)}")
    bucket, _, prefix = rest.rstrip("/").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise InputError(f"{_public(address)}: expected {scheme}://bucket/prefix, with the bucket's name")
    parts = prefix.split("/") if prefix else []
    if strange := [part for part in parts if not _PART.fullmatch(part)]:
        raise InputError(
            f"{address}: {strange[0]!r} is no part of a prefix; take letters, digits and . _ - =, parted by single '/'"
        )
    return _cache().joinpath(_COPIES, scheme, bucket, *parts)


def place_of(path: Path) -> Place | None:
    """Tell of which object, or objects, a path is the copy; None where it is a path like any other."""
    parts = path.parts
    if _COPIES not in parts:
        return None
    scheme, bucket, *rest = parts[parts.index(_COPIES) + 1 :] or ("",)
    return Place(f"{scheme}://{bucket}", "/".join(rest))


def shown(path: Path) -> str:
    """Write a storage folder as people named it."""
    place = place_of(path)
    return str(path) if place is None else str(place).rstrip("/")


def make_copy(folder: Path) -> None:
    """Make a folder of a working copy, where there is none.

    Raises:
        FailureError: it cannot be made here.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FailureError(
            f"the working copy of {shown(folder)} cannot be kept in {folder}: {error.strerror or error}; name another"
            " folder in MATOPT_CACHE"
        ) from error


def _cache() -> Path:
    named = os.environ.get("MATOPT_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache").absolute() / "matopt"


def _public(address: str) -> str:
    """Leave a password out of an address."""
    return re.sub(r"://[^/@]*:[^/@]*@", "://...@", address)
