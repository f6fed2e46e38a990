"""What ended a process of the cluster, in a line for people: from what Ray says, and from the process's last words."""

from __future__ import annotations

import faulthandler
import os
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ray.exceptions import ActorUnavailableError, NodeDiedError, OutOfMemoryError, RayActorError

from matopt.study.cluster.local_ray import last_line


def reason_of(error: BaseException, words: str = "", actor: str = "") -> str:
    """Say what ended a process.

    Args:
        error: what Ray raised for it, as such or as the cause of another error.
        words: what the process left, see :func:`last_words`.
        actor: which one it was, where Ray may have ended several at once.
    """
    if words:
        return f"its process died: {words}"
    for cause in _chain(error):
        text = str(cause)
        if isinstance(cause, OutOfMemoryError):
            return _memory(text, actor)
        if isinstance(cause, RayActorError):
            return _actor(cause, text)
        if isinstance(cause, NodeDiedError):
            return "its node died"
    return f"{type(error).__name__}: {last_line(error)}"


def is_death(error: BaseException) -> bool:
    """Whether a process ended, rather than that it could not be reached for a while."""
    text = str(error)
    return not isinstance(error, ActorUnavailableError) or any(
        sign in text for sign in ("Socket closed", "exit code", "was restarted")
    )


def killed_for_memory(error: BaseException) -> str | None:
    """The text that lists the actors which Ray's memory monitor killed; None where it killed none."""
    return next((str(cause) for cause in _chain(error) if isinstance(cause, OutOfMemoryError)), None)


@contextmanager
def last_words(file: Path) -> Generator[None]:
    """Have the interpreter write to ``file``, while inside, which signal ends this process, and where."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as words:
        faulthandler.enable(words, all_threads=False)
        try:
            yield
        finally:
            faulthandler.enable(sys.__stderr__ or 2, all_threads=False)  # as Ray has it


def read_last_words(file: Path) -> str:
    """Read what a process left: ``Segmentation fault (at mine.py:12)``; empty where it left nothing."""
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return ""
    found = re.search(r"Fatal Python error: (.*)", text)
    if found is None:
        return ""
    frames = re.findall(r'File "([^"]+)", line (\d+)', text)
    own = [frame for frame in frames if "/ctypes/" not in frame[0]] or frames
    place = f" (at {os.path.basename(own[0][0])}:{own[0][1]})" if own else ""  # noqa: PTH119
    return found[1].strip() + place


def _chain(error: BaseException | None) -> Generator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _memory(text: str, actor: str) -> str:
    held = re.search(rf"Actor\({actor}[^()]*\)[^()]*actual memory used=([\d.]+)GB", text)
    node = re.search(r"was ([\d.]+)GB used / ([\d.]+)GB limit", text)
    what = f"; it held {held[1]} GB" if held else ""
    where = f", and {node[1]} of the {node[2]} GB of its node were used" if node else ""
    return f"its process was killed for memory{what}{where}; lower 'resources.trials', or what a trial needs"


def _actor(error: RayActorError, text: str) -> str:
    if error.actor_init_failed:
        return f"its process did not start: {last_line(error)}"
    if "SIGTERM" in text:
        return "its process was terminated (SIGTERM)"
    if code := re.search(r"exit code (.+?)\.(\s|\.|$)", text):
        return f"its process ended itself, with exit code {code[1]}"
    if "node has died" in text or "node died" in text or "Owner's node has crashed" in text:
        return "its node died"
    if any(sign in text for sign in ("End of file", "Socket closed", "Connection reset by peer")):
        return "its process was killed (SIGKILL), or ended itself at once (os._exit)"
    if "was restarted" in text:
        return "its process was killed by Ray, as it does where memory is short"
    return f"its process is gone: {last_line(error)}"
