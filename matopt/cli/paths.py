"""Paths that are typed on the command line."""

from __future__ import annotations

from pathlib import Path

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
