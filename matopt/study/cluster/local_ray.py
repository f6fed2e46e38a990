"""Ray on this machine alone, for one process, and gone with it."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import ray
from ray._common.utils import get_default_ray_temp_dir
from ray._private import ray_constants

from matopt.errors import FailureError
from matopt.study.cluster.driver_path import DriverPath

START_SECONDS = 180.0
"""Seconds that Ray may take to start; a loaded machine takes half a minute."""

_STARTS = 4
_TIMED_OUT = "timed out during startup"
"""What Ray says after 30 s, which it has no setting for and a loaded machine may exceed: it is tried again."""

_LONGEST_SOCKET = 107  # bytes of a path that Linux allows
_SOCKET_TAIL = len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")
_ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "ENABLE_RAY_CLUSTER",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "RAY_ENABLE_UV_RUN_RUNTIME_ENV",
}
"""Variables that are off while Ray starts, and the constants that Ray has read them into."""

_SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")


def start_local(cpus: int | None) -> None:
    """Start Ray here: on the loopback interface, with a token of its own.

    Args:
        cpus: how many CPUs it offers; all by default.

    Raises:
        FailureError: it does not start, or not in time.
    """
    _check_loopback()
    # A token of this launch alone, handed on by the environment: Ray's own would lie in a file that all can read.
    if "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with _on_loopback(), _in_time(START_SECONDS):
        for tries_left in reversed(range(_STARTS)):
            try:
                ray.init(
                    address="local",
                    num_cpus=cpus,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    job_config=DriverPath(),
                    _temp_dir=_temp_dir(),
                )
            except Exception as error:
                if not (tries_left and _TIMED_OUT in str(error)):
                    raise FailureError(f"Ray does not start here: {last_line(error)}; {_likely_reasons()}") from error
                ray.shutdown()
            else:
                return


def last_line(error: BaseException) -> str:
    """Take the last line of an error's text, which in Ray's long ones says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _check_loopback() -> None:
    """Refuse a machine whose processes cannot talk to each other: Ray would wait for minutes."""
    try:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(1)
            socket.create_connection(server.getsockname(), timeout=5).close()
    except OSError as error:
        raise FailureError(
            f"Ray does not start here: nothing can be reached at 127.0.0.1 ({error.strerror or error}); bring the"
            " loopback interface up (`ip link set lo up`), or leave the sandbox that has none"
        ) from None


@contextmanager
def _on_loopback() -> Generator[None]:
    """Have Ray's processes listen on the loopback interface alone, as Ray does on systems without clusters.

    Neither does it look for a ``uv run`` above, whose whole folder it would pack for processes that run here anyway.
    """
    constants = {name: getattr(ray_constants, name) for name in _ALONE.values()}
    environment = {name: os.environ.get(name) for name in _ALONE}
    for variable, constant in _ALONE.items():
        setattr(ray_constants, constant, False)  # for this process, which has read its environment
        os.environ[variable] = "0"  # for those that are started
    try:
        yield
    finally:
        for constant, value in constants.items():
            setattr(ray_constants, constant, value)
        for variable, text in environment.items():
            os.environ.pop(variable)
            if text is not None:
                os.environ[variable] = text


class _TooLong(BaseException):
    """The time is up."""


@contextmanager
def _in_time(seconds: float) -> Generator[None]:
    """End what takes longer. In the main thread only, where Python can be interrupted.

    Raises:
        FailureError: it took longer.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    late, before, main = threading.Event(), signal.getsignal(signal.SIGINT), threading.get_ident()

    def interrupted(number: int, frame: FrameType | None) -> None:
        if late.is_set():
            raise _TooLong
        if callable(before):
            before(number, frame)

    def interrupt() -> None:
        late.set()
        signal.pthread_kill(main, signal.SIGINT)

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    try:
        signal.signal(signal.SIGINT, interrupted)
        timer.start()
        yield
    except _TooLong:
        raise FailureError(f"Ray does not start here within {seconds:.0f} s; {_likely_reasons()}") from None
    finally:
        timer.cancel()
        timer.join()  # either it has interrupted, or it never will
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def _likely_reasons() -> str:
    """Name what of this machine keeps Ray from starting most likely."""
    import resource

    reasons = []
    for command, limit, least in (
        ("ulimit -v", resource.RLIMIT_AS, 32 << 30),
        ("ulimit -u", resource.RLIMIT_NPROC, 1000),
        ("ulimit -n", resource.RLIMIT_NOFILE, 256),
    ):
        allowed = resource.getrlimit(limit)[0]
        if allowed != resource.RLIM_INFINITY and allowed < least:
            reasons.append(f"the limit that `{command}` shows")
    reasons = reasons or ["too little memory", "a firewall on 127.0.0.1", "a machine that is too busy"]
    return f"likely: {', '.join(reasons)}; Ray's own words are in {_logs()}"


def _logs() -> Path:
    return Path(_temp_dir() or get_default_ray_temp_dir()) / "session_latest" / "logs"


def _temp_dir() -> str | None:
    """A folder whose sockets have paths that are short enough; None where Ray's usual one is.

    Raises:
        FailureError: there is none.
    """
    room = _LONGEST_SOCKET - _SOCKET_TAIL
    usual = get_default_ray_temp_dir()
    if len(os.fsencode(usual)) <= room and _can_be_made(Path(usual)):
        return None
    for folder in _SHORT_FOLDERS:
        if _can_be_made(Path(folder, "ray")):
            return f"{folder}/ray"
    raise FailureError(
        f"Ray does not start here: {usual} is too long for sockets (more than {room} bytes) or cannot be written to, "
        f"nor can {', '.join(_SHORT_FOLDERS)}; set RAY_TMPDIR to a short path"
    )


def _can_be_made(folder: Path) -> bool:
    """Whether there is a folder that can be written to, or the nearest one above it can be."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
