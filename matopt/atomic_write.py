"""Atomic writes: a file appears whole under its name, or not at all, and stays through a power cut.

Where the storage is a bucket its object is put there first.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from matopt.buckets.copies import keep
from matopt.errors import FailureError

_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM}
"""What is answered where something cannot be written out by itself, which the file system sees to then."""


@contextmanager
def atomic_write(path: Path) -> Generator[Path]:
    """Open a temporary file beside ``path``, which takes the place of ``path`` when the block ends without an error.

    The file is on the disk before it gets its name, and its name is on the disk when the block has ended. (A rename
    alone leaves an empty file after a power cut on some file systems; and over a network a full disk is first told
    when the file is written out.)

    Raises:
        FailureError: the folder cannot be written to, the disk is full, or the bucket cannot be had.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise unwritable(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes files that nobody else can read
        write_out(temporary)
        keep(path, temporary)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        _remove(temporary)


def sync_folder(folder: Path) -> None:
    """Write out which files a folder has, where the file system knows how."""
    try:
        write_out(folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(path: Path, error: OSError) -> FailureError:
    """Say why a file cannot be written, and what to do about it."""
    advice = {
        errno.ENOSPC: "; free some space",
        errno.EDQUOT: "; free some of your quota",
        errno.EROFS: "; have it mounted for writing",
        errno.EFBIG: "; raise the limit (`ulimit -f`)",
        errno.EIO: "; is the disk, or its server, well?",
        errno.ESTALE: "; is its server well?",
    }
    return FailureError(f"{path} cannot be written: {error.strerror or error}{advice.get(error.errno or 0, '')}")


def write_out(path: Path) -> None:
    """Write a file or folder out of the memory onto the disk, where the file system knows how."""
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:  # a disk that has become unwritable meanwhile, which was told
        return
