"""Standard output and error whose readers may leave: ``matopt study launch 2>&1 | head -1``."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TextIO


class _Outliving(io.FileIO):
    """Drops what is written after the reader has gone: a closed pipe, a terminal that was closed."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            return len(data)


@contextmanager
def outliving_streams() -> Generator[None]:
    """Print to streams that no reader ends by leaving: a study goes on, and its report is written."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _outliving(sys.stdout, sys.__stdout__), _outliving(sys.stderr, sys.__stderr__)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        sys.stdout, sys.stderr = before


def _outliving(stream: TextIO | None, own: TextIO | None) -> TextIO | None:
    if stream is None or stream is not own:  # closed before Python began, or somebody else's, a notebook's say
        return stream
    stream.flush()
    raw = _Outliving(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=stream.isatty() or own is sys.__stderr__
    )
