"""Writing microstructures to files that other programs read."""

from __future__ import annotations

from os import PathLike

from matopt.atomic_write import atomic_write
from matopt.data.images.format_lookup import all_formats, endings_text, format_for
from matopt.data.images.formats.base import WritableFormat
from matopt.errors import InputError
from matopt.local_path import local_path
from matopt.microstructures import Microstructures


def write(path: str | PathLike[str], microstructures: Microstructures) -> None:
    """Write microstructures to a file, whole or not at all, in the format of its ending.

    Args:
        path: ends in ``.npz`` for the phases ``(N, *S)`` and the voxel size; in ``.tif`` for N images as pages, or for
            one volume; in ``.vti`` for one image or volume in ParaView; or as any
            :class:`~matopt.data.images.formats.base.WritableFormat` says.
        microstructures: what is written.

    Raises:
        InputError: another ending, or more microstructures than the format holds.
        FailureError: the file cannot be written.
    """
    if isinstance(path, Microstructures) or not isinstance(microstructures, Microstructures):
        raise InputError("a file is written as write(path, microstructures), of Microstructures(array, '5.345 um')")
    path = local_path(path)
    writable = writable_formats()
    form = format_for(path.suffix, writable)
    if not isinstance(form, WritableFormat):
        raise InputError(f"{path}: cannot write {path.suffix!r} files; there are {endings_text(writable)}")
    try:
        with atomic_write(path) as temporary, temporary.open("wb") as stream:
            form.write(stream, microstructures)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def writable_formats() -> list[WritableFormat]:
    """Return every format that microstructures can be written in."""
    return [form for form in all_formats() if isinstance(form, WritableFormat)]
