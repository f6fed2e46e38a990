"""``matopt doctor``: what of the installation works, and what to do about the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from matopt.cli.study import Storage


def doctor_command(
    storage: Storage = Path("runs"),
    start: Annotated[bool, typer.Option(help="Start Ray and MLflow for a trial, too; half a minute.")] = True,
) -> None:
    """Check versions, cores, memory, devices, Ray, MLflow and disk, and say what to do about what does not work.

    Exit code 1 if a study cannot run here.
    """
    from matopt.cli.tables import print_findings
    from matopt.study.doctor import examine

    if not print_findings(examine(storage, start)):
        raise typer.Exit(1)
