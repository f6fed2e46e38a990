"""What a disk does to a launch in its middle, said in one line whatever library met it."""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from matopt.atomic_write import unwritable
from matopt.errors import FailureError, InputError

_DISKS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EFBIG,
    errno.EIO,
    errno.ESTALE,
    errno.ENODEV,
    errno.ENXIO,
    errno.ENOTCONN,
    errno.EHOSTDOWN,
}
"""Errors that are a disk's or a file server's, whoever meets them."""


@contextmanager
def storage_trouble(storage: Path) -> Generator[None]:
    """Say in one line what is a disk's doing: full, read-only, taken away. Everything else passes as it is.

    Raises:
        FailureError: an error within came of a disk, or of a file of ``storage`` that is gone.
    """
    try:
        yield
    except (FailureError, InputError):
        raise
    except Exception as error:
        for cause in _causes(error):
            if isinstance(cause, FailureError) and type(error).__module__.startswith("ray."):
                raise cause from error  # a line of matopt's own, which Tune wrapped
            if not isinstance(cause, OSError):
                continue
            file = Path(str(cause.filename or storage))
            if cause.errno in _DISKS or (isinstance(cause, FileNotFoundError) and file.is_relative_to(storage)):
                raise unwritable(file, cause) from error
        raise


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and all that led to it, over processes too: Ray's errors have the other's as ``cause``."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        further = (found.__cause__, found.__context__, getattr(found, "cause", None))
        waiting += [more for more in further if isinstance(more, BaseException)]
