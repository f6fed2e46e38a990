"""The two ways in which matopt stops, and the one in which it warns: a line that says what is wrong and what to do."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

KEPT = "what was finished is kept, and the same command goes on from there"
"""How the line ends of a launch that did not."""


class InputError(ValueError):
    """What was given cannot be used: a file, a setting, a path. The command line exits with 2."""


class FailureError(RuntimeError):
    """What was given is right but the work cannot be done: a full disk, a silent server. Exits with 1."""


class InputWarning(UserWarning):
    """What was given can be used, but may not be what was meant. The command line prints it as a line, and goes on."""


_names: ContextVar[tuple[str, ...]] = ContextVar("names", default=())
_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)


@contextmanager
def named(name: str) -> Generator[None]:
    """Put a name, of a file mostly, in front of the input errors and the warnings of what is done within.

    Raises:
        InputError: as it was raised, with the name.
    """
    token = _names.set((*_names.get(), name))
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    finally:
        _names.reset(token)


@contextmanager
def heard() -> Generator[list[str]]:
    """Collect what :func:`warn` says within, without the names, in place of warning of it."""
    lines: list[str] = []
    token = _heard.set(lines)
    try:
        yield lines
    finally:
        _heard.reset(token)


def warn(message: str) -> None:
    """Warn of what was given, by an :class:`InputWarning`: one line, what may be wrong and what follows from it."""
    lines = _heard.get()
    if lines is not None:
        lines.append(message)
    else:
        warnings.warn(": ".join([*_names.get(), message]), InputWarning, stacklevel=3)
