"""The command line. Everything but typer is imported inside the commands, so that help answers at once."""

from __future__ import annotations

import typer

app = typer.Typer(name="matopt", no_args_is_help=True, add_completion=False)


@app.callback()
def matopt() -> None:
    """Learn, predict and design material microstructures from a few hundred images."""


def main() -> None:
    """Run the command line."""
    app()
