"""The command line. Everything but typer is imported inside the commands, so that help answers at once."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, TextIO

import typer

import matopt
from matopt.cli.data import check_command, export_command, formats_command
from matopt.cli.doctor import doctor_command
from matopt.cli.label import label_command
from matopt.cli.paths import RefusedPath
from matopt.cli.storage import storage_app
from matopt.cli.streams import outliving_streams
from matopt.cli.study import study_app
from matopt.cli.traits import traits_app
from matopt.errors import KEPT, FailureError, InputError, InputWarning

_options = {"debug": False}
_ENDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGUSR1: "out of time"}
"""The signals that end a command, and how it says so; the last is a scheduler's warning before it ends a job."""
_AGAIN_SECONDS = 0.1
_CLOSING_SECONDS = 30.0

app = typer.Typer(
    name="matopt",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},  # of all commands below it too
)
data_app = typer.Typer(no_args_is_help=True, help="Look at image files, and convert them.")
data_app.command("check")(check_command)
data_app.command("export")(export_command)
data_app.command("formats")(formats_command)
app.add_typer(study_app, name="study")
app.add_typer(storage_app, name="storage")
app.add_typer(data_app, name="data")
app.add_typer(traits_app, name="traits")
app.command("label")(label_command)
app.command("doctor")(doctor_command)


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"matopt {matopt.__version__}")
        raise typer.Exit


@app.callback()
def callback(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error came from, with the whole traceback; in any place.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Learn, predict and design material microstructures from a few hundred images, with physics you can check.

    Start with [bold]matopt study launch studies/quickstart.yaml[/bold], or look at your own images with
    [bold]matopt data check PATH[/bold]. Every command explains itself with [bold]--help[/bold].

    Exit codes: 0 done, 1 could not be done, 2 bad input; 130 interrupted, 143 terminated, 138 out of time (SIGUSR1):
    after these three the same command goes on.
    """
    _options["debug"] = debug


def main() -> None:
    """Run the command line; errors end as one line and an exit code."""
    ended: list[int] = []
    heard = -math.inf

    def end(number: int, frame: object) -> None:
        nonlocal heard
        if time.monotonic() - heard < _CLOSING_SECONDS:
            return  # a scheduler tells every process of a job, and the job's script tells it again: it is closing
        heard = time.monotonic()
        ended.append(number)
        raise KeyboardInterrupt  # the one exception that Ray hands on from inside its waits

    def told(unraisable: sys.UnraisableHookArgs) -> None:
        nonlocal heard
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            # The signal came upon a finaliser, whose exceptions are dropped: it is sent again, to wherever we are then.
            heard = -math.inf
            number = ended[-1] if ended else signal.SIGINT
            threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), number)).start()
        else:
            others(unraisable)

    before = {number: signal.signal(number, end) for number in _ENDS if number != signal.SIGINT}
    others, sys.unraisablehook = sys.unraisablehook, told
    try:
        with outliving_streams():
            _run(ended)
    finally:
        sys.unraisablehook = others
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(ended: Sequence[int]) -> None:
    warnings.showwarning = _show_warning  # ty: ignore[invalid-assignment]
    try:
        app(_debug_first(sys.argv[1:]), prog_name="matopt")
    except (InputError, FailureError, RefusedPath) as error:
        if _options["debug"]:
            traceback.print_exc()
        print(f"matopt: {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error, FailureError) else 2)
    except MemoryError as error:
        if _options["debug"]:
            traceback.print_exc()
        print(f"matopt: out of memory ({error or 'no more is told'}); take fewer or smaller images", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != 128 + signal.SIGINT:  # what Typer makes of an interrupt
            raise
        number = signal.Signals(ended[0]) if ended else signal.SIGINT
        print(f"matopt: {_ENDS[number]}; {KEPT}", file=sys.stderr)
        sys.exit(128 + number)


def _debug_first(arguments: Sequence[str]) -> list[str]:
    """Put ``--debug``, wherever it was typed, before the command: there alone it is an option."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    found = [argument for argument in arguments[:end] if argument == "--debug"]
    return found + [argument for argument in arguments[:end] if argument != "--debug"] + list(arguments[end:])


_show_others = warnings.showwarning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print what matopt warns of as a line, without the place in its code; other warnings as ever."""
    if issubclass(category, InputWarning):
        print(f"matopt: note: {message}", file=sys.stderr)
    else:
        _show_others(message, category, filename, lineno, file, line)
