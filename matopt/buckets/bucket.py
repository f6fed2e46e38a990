"""A bucket: its objects, each there whole or not at all, through outages of the store."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import obstore
from obstore import exceptions
from obstore.store import from_url

from matopt.buckets.endpoints import endpoint_of, is_http_allowed
from matopt.buckets.trouble import check_bucket, first_line, hopeless, is_without_credentials, why
from matopt.errors import FailureError, warn

Answer = TypeVar("Answer")
Version = dict[str, Any]
"""What a store calls one state of an object: an ETag, a generation."""

SHORT_PATIENCE = 10.0
"""Seconds for which a store is asked that does not answer, where nobody says otherwise."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0
_LOOPBACK = re.compile(r"http://(localhost|127\.[\d.]+|\[::1\])([:/]|$)")
_CLIENT: dict[str, Any] = {"connect_timeout": "5s", "read_timeout": "60s", "timeout": "30min"}

_patience = SHORT_PATIENCE


def be_patient(seconds: float) -> None:
    """Set for how long this process asks a store that does not answer, from when it first did not."""
    global _patience
    _patience = seconds


@contextmanager
def patient(seconds: float) -> Generator[None]:
    """Be as patient as that while inside."""
    before = _patience
    be_patient(seconds)
    try:
        yield
    finally:
        be_patient(before)


@dataclass(frozen=True)
class Found:
    """One object: its key, its size in bytes, when it was put there by the store's clock, and its version."""

    key: str
    size: int
    modified: float
    version: Version


@cache
def bucket_at(address: str) -> Bucket:
    """Get the bucket at an address, ``s3://name``: one for the process."""
    return Bucket(address)


class Bucket:
    """The objects of a bucket.

    A store that does not answer is asked again, with growing pauses, until the patience is at its end that began when
    it first did not; after that once a call, until it answers. What no asking changes is told at once.

    Every method raises a FailureError, of one line, where the store cannot be had.

    Args:
        address: ``s3://name``. Credentials, region and endpoint are those of the environment.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._silent_since: float | None = None
        self._connecting = threading.Lock()
        self._connected: Any = None

    def put(self, key: str, content: bytes | Path) -> None:
        """Put an object in the place of whatever is there: these bytes, or those of a file."""
        self._asked(key, lambda store: obstore.put(store, key, content))

    def put_if(self, key: str, content: bytes, version: Version | None) -> Version | None:
        """Put an object if the one in its place has a version still, or, with None, if there is none.

        Returns:
            The new version; None where another one is there.
        """
        mode: Any = "create" if version is None else version
        try:
            return _version(self._asked(key, lambda store: obstore.put(store, key, content, mode=mode)))
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            there = self.get(key)  # perhaps these very bytes, of a try whose answer was lost
            return there[1].version if there is not None and there[0] == content else None

    def get(self, key: str) -> tuple[bytes, Found] | None:
        """Get an object and what is told of it; None where there is none."""

        def get(store: Any) -> tuple[bytes, Found]:
            got = obstore.get(store, key)
            return bytes(got.bytes()), _found(got.meta)

        return self._sought(key, get)

    def download(self, key: str, path: Path) -> float | None:
        """Write an object into a file; returns when it was put there, or None where there is none."""

        def get(store: Any) -> float:
            got = obstore.get(store, key)
            with path.open("wb") as file:
                for chunk in got.stream():
                    file.write(chunk)
            return got.meta["last_modified"].timestamp()

        return self._sought(key, get)

    def head(self, key: str) -> Found | None:
        """Look at an object; None where there is none."""
        return self._sought(key, lambda store: _found(obstore.head(store, key)))

    def objects(self, prefix: str) -> list[Found]:
        """List the objects below a prefix, ``labels`` meaning ``labels/...``."""

        def listed(store: Any) -> list[Found]:
            pages = obstore.list(store, prefix=prefix or None, chunk_size=1000)
            return [_found(meta) for page in pages for meta in page]

        return self._asked(prefix, listed)

    def delete(self, key: str) -> None:
        """Delete an object, if there is one."""
        self._sought(key, lambda store: obstore.delete(store, key))

    def _sought(self, key: str, act: Callable[[Any], Answer]) -> Answer | None:
        try:
            return self._asked(key, act)
        except FileNotFoundError:
            return None

    def _asked(self, key: str, act: Callable[[Any], Answer]) -> Answer:
        pause, is_ending = _FIRST_PAUSE, _is_ending()
        while True:
            try:
                answer = act(self._store())
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError, FileNotFoundError) as error:
                check_bucket(error, self.address)
                self._silent_since = None
                raise
            except (exceptions.BaseError, TimeoutError, ConnectionError, ValueError) as error:
                check_bucket(error, self.address)
                if reason := hopeless(error, self.address):
                    raise FailureError(f"{self.address}/{key}: {reason}") from error
                if is_without_credentials(error) and _patience <= SHORT_PATIENCE:
                    raise FailureError(f"{self.address}: {why(error, self.address)}") from error
                self._wait(pause, 0.0 if is_ending else _patience, why(error, self.address), error)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._silent_since = None
                return answer

    def _wait(self, pause: float, patience: float, reason: str, error: Exception) -> None:
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
            if patience > SHORT_PATIENCE:
                warn(f"{self.address} does not answer ({reason}); it is asked again, for {patience:g} s at most")
        left = self._silent_since + patience - now
        if left <= 0:
            raise FailureError(
                f"{self.address} does not answer: {reason}; it was asked for {now - self._silent_since:.0f} s, and what"
                " it has is kept"
            ) from error
        time.sleep(min(pause, left))

    def _store(self) -> Any:
        with self._connecting:
            if self._connected is None:
                is_open = _LOOPBACK.match(endpoint_of(self.address)) or is_http_allowed(self.address)
                client: Any = {**_CLIENT, **({"allow_http": True} if is_open else {})}
                retries: Any = {"max_retries": 0, "retry_timeout": timedelta(seconds=1)}  # asking again is done here
                try:
                    self._connected = from_url(self.address, client_options=client, retry_config=retries)
                except Exception as error:  # a setting of the environment that is none
                    raise FailureError(f"{self.address}: {first_line(error)}") from error
            return self._connected


def _is_ending() -> bool:
    """Whether this is done because somebody wants the process gone, who is not to wait for a store that is away."""
    error = sys.exc_info()[1]
    return error is not None and not isinstance(error, Exception)


def _version(meta: Any) -> Version:
    found = {name: meta[name] for name in ("e_tag", "version") if meta[name] is not None}
    if not found.get("e_tag", '"').endswith('"'):  # Azure's lists leave quotes away
        found["e_tag"] = f'"{found["e_tag"]}"'
    return found


def _found(meta: Any) -> Found:
    return Found(meta["path"], meta["size"], meta["last_modified"].timestamp(), _version(meta))
