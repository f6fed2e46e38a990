"""Paths that are typed on the command line."""

from __future__ import annotations

from pathlib import Path

from matopt.buckets.address import is_address, working_copy
from matopt.errors import InputError
from matopt.local_path import local_path


class RefusedPath(Exception):
    """What was typed is no path on this machine; an :class:`InputError` would be a usage error to Typer."""


def typed_path(text: str) -> Path:
    """Read a path as it was typed: a shell leaves ``--out=~/labels.csv`` alone, and all that stands in quotes.

    Raises:
        RefusedPath: it is none on this machine.
    """
    try:
        return local_path(text)
    except InputError as error:
        raise RefusedPath(str(error)) from error


def typed_storage(text: str | Path) -> Path:
    """Read where studies are kept: a folder, or the address of a bucket, which gives the path of its working copy.

    Raises:
        RefusedPath: it is neither.
    """
    written = str(text)  # a default is a path already
    if not is_address(written):
        return typed_path(written)
    try:
        return working_copy(written)
    except InputError as error:
        raise RefusedPath(str(error)) from error
