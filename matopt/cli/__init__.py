"""The command line. Everything but typer is imported inside the commands, so that help answers at once."""

from __future__ import annotations

import sys
import traceback
import warnings
from typing import Annotated, TextIO

import typer

from matopt.cli.data import check_command, export_command, formats_command, label_command
from matopt.cli.doctor import doctor_command
from matopt.cli.study import study_app
from matopt.cli.traits import traits_app
from matopt.errors import FailureError, InputError, InputWarning

_options = {"debug": False}
app = typer.Typer(
    name="matopt", no_args_is_help=True, add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False
)
data_app = typer.Typer(no_args_is_help=True, help="Look at image files, and convert them.")
data_app.command("check")(check_command)
data_app.command("export")(export_command)
data_app.command("formats")(formats_command)
app.add_typer(study_app, name="study")
app.add_typer(data_app, name="data")
app.add_typer(traits_app, name="traits")
app.command("label")(label_command)
app.command("doctor")(doctor_command)


@app.callback()
def matopt(
    debug: Annotated[bool, typer.Option(help="Show where an error came from, with the whole traceback.")] = False,
) -> None:
    """Learn, predict and design material microstructures from a few hundred images, with physics you can check.

    Start with [bold]matopt study launch studies/quickstart.yaml[/bold], or look at your own images with
    [bold]matopt data check PATH[/bold]. Every command explains itself with [bold]--help[/bold].

    Exit codes: 0 done, 1 could not be done, 2 bad input, 130 interrupted.
    """
    _options["debug"] = debug


def main() -> None:
    """Run the command line; errors end as one line and an exit code."""
    warnings.showwarning = _show_warning  # ty: ignore[invalid-assignment]
    try:
        app(prog_name="matopt")
    except (InputError, FailureError) as error:
        if _options["debug"]:
            traceback.print_exc()
        print(f"matopt: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except KeyboardInterrupt:
        print(
            "matopt: interrupted; what was finished is kept, and the same command goes on from there", file=sys.stderr
        )
        sys.exit(130)


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
