"""A line for a process that is ended from below: by Ray's compiled parts, or by SIGKILL."""

from __future__ import annotations

import subprocess
from contextlib import suppress

_LISTEN = 'words=$1; while read -r line; do [ "$line" ] || exit 0; words=$line; done; printf "%s\\n" "$words" >&2'


class LastWords:
    """Has a line printed to standard error if this process ends before :meth:`unsay`, by whatever.

    A shell waits beside it for a word. Ray ends the process of whoever uses a node that died (`_exit` in the client of
    its store), within milliseconds, so that nothing in the process itself could say so.

    Args:
        line: to print, where :meth:`say` gave no other.
    """

    def __init__(self, line: str) -> None:
        self._listener = subprocess.Popen(
            ["/bin/sh", "-c", _LISTEN, "sh", line], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def say(self, line: str) -> None:
        """Take another line."""
        assert self._listener.stdin is not None
        with suppress(BrokenPipeError):  # it was killed itself
            self._listener.stdin.write(f"{line}\n")
            self._listener.stdin.flush()

    def unsay(self) -> None:
        """Have nothing printed."""
        self.say("")
        self._listener.wait()
