"""Paths as people write them."""

from __future__ import annotations

import os
import re
from os import PathLike
from pathlib import Path

from matopt.errors import InputError

LONGEST_NAME, LONGEST_PATH = 255, 4095
"""Bytes that the file systems in use allow."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_VARIABLE = re.compile(r"\$(\w+|\{\w+\})")


def local_path(text: str | PathLike[str]) -> Path:
    """Read a path on this machine: ``~`` is a home folder, and ``$NAME`` or ``${NAME}`` a variable's value.

    A file whose name has ``~`` or ``$`` in it is named as it is, where it exists and no such user or variable does;
    with ``./`` before it ``~`` is always a part of the name.

    Raises:
        InputError: an address such as ``s3://...``, a variable that is not set, a user that there is not, a
            character that no path has, or more characters than a path may have. One line.
    """
    written = os.fspath(text)
    if "\0" in written:
        raise InputError(f"{written!r} is no path: it holds a NUL character")
    try:
        sizes = [len(os.fsencode(part)) for part in written.split("/")]
    except UnicodeEncodeError:
        raise InputError(f"{written!r} cannot be written in this system's encoding; set LC_ALL=C.UTF-8") from None
    if max(sizes) > LONGEST_NAME or sum(sizes) + len(sizes) > LONGEST_PATH:
        raise InputError(f"{written[:40]}...: a name may have {LONGEST_NAME} bytes, and a path {LONGEST_PATH}")
    if address := _ADDRESS.match(written):
        hint = "leave that out" if address[1] == "file" else "copy it to a folder or mount it, and name that"
        raise InputError(f"{written!r} is an address ({address[1]}:), and paths on this machine alone are read; {hint}")
    path = Path(written)
    # The longest part that ends with a sign: a folder of this very name is meant as it is, unless the sign says more.
    signed = next((part for part in (path, *path.parents) if _VARIABLE.search(part.name)), path)
    if path.is_absolute() and _is_there(signed):
        return path
    unset = [name for name in _VARIABLE.findall(written) if name.strip("{}") not in os.environ]
    if unset:
        if _is_there(signed):
            return path
        raise InputError(f"{written!r}: the variable {unset[0].strip('{}')} is not set; set it, or write the path out")
    path = Path(os.path.expandvars(written))
    if written.startswith("./~"):
        return path.absolute()  # or a second reading would take it for a user
    try:
        return path.expanduser()
    except RuntimeError:
        if _is_there(path):
            return path
        hint = f"write ./{path} if the name begins with '~'"
        raise InputError(f"{written!r}: there is no such user; {hint}") from None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that may not be looked into
        return False
