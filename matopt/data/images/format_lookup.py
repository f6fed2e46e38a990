"""Which format an image file is in: by its ending, or by the name that the user gives."""

from __future__ import annotations

from collections.abc import Iterable

from matopt.data.images.formats.base import FORMATS, Format
from matopt.errors import InputError
from matopt.registry import Component


def all_formats() -> list[Format]:
    """Return every format: those of slices first, and before all TIFF, which most scans come in.

    Raises:
        InputError: the format of another package cannot be used.
    """
    formats = [format_named(name) for name in FORMATS.names()]
    return sorted(formats, key=lambda form: (not form.is_slice, ".tif" not in form.endings))


def format_named(name: str) -> Format:
    """Return the format called ``name``, or that of a user's file, ``path.py:Name``.

    Raises:
        InputError: there is none, or the class is no format.
    """
    form = FORMATS.build(Component(name))
    if not isinstance(form, Format):
        raise InputError(f"{name} is not a Format; derive it from {Format.__module__}.Format")
    return form


def candidates(name: str | None) -> list[Format]:
    """Return the formats that a file may be in: the one of this name, or all where no name is given.

    Raises:
        InputError: as :func:`format_named`.
    """
    return all_formats() if name is None else [format_named(name)]


def format_for(ending: str, formats: Iterable[Format]) -> Format | None:
    """Return the one of ``formats`` that has files with this ending; None if there is none.

    A format without endings has files with any.

    Raises:
        InputError: several formats have such files.
    """
    found = [form for form in formats if not form.endings or ending.lower() in form.endings]
    if len(found) > 1:
        names = ", ".join(type(form).__name__ for form in found)
        raise InputError(f"{ending} files are of several formats ({names}); add `format:` and the name of one")
    return found[0] if found else None


def endings_text(formats: Iterable[Format]) -> str:
    """List the endings of formats for people: ``.tif, .tiff, .png``."""
    return ", ".join(ending for form in formats for ending in form.endings)
