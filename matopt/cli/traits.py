"""``matopt traits``: list, show, check, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from matopt.cli.study import StudyFile
from matopt.errors import FailureError, InputError

traits_app = typer.Typer(
    no_args_is_help=True,
    help="What the physics is known to obey, and how models keep to it.",
    rich_markup_mode="rich",
)


@traits_app.command("list")
def list_command() -> None:
    """List the traits by name, each in a line."""
    from matopt.traits.base import TRAITS

    for name in TRAITS.names():
        typer.echo(f"{name:<20}{(TRAITS.find(name).__doc__ or '').strip().splitlines()[0]}")


@traits_app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="A trait's name, or FILE.py:CLASS.", show_default=False)],
) -> None:
    """Say what a trait measures, in full, and what settings it takes."""
    import inspect

    from matopt.traits.base import TRAITS

    trait = TRAITS.find(name)
    settings = inspect.signature(trait, eval_str=True).replace(return_annotation=inspect.Signature.empty)
    typer.echo(f"{trait.name}{settings}\n\n{inspect.getdoc(trait) or 'no description'}")


@traits_app.command("check")
def check_command(
    name: Annotated[str, typer.Argument(help="FILE.py:CLASS, or a trait's name.", show_default=False)],
) -> None:
    """Run on a trait the tests that every trait must pass: of models that obey nothing, and of the physics.

    Example: [bold]matopt traits check mine.py:Positive[/bold]
    """
    import importlib.util
    import subprocess
    import sys
    import tempfile

    from matopt.traits.base import TRAITS

    trait = TRAITS.find(name)
    if importlib.util.find_spec("pytest") is None:
        raise InputError("the tests of traits need pytest; install it, or matopt[test]")
    with tempfile.TemporaryDirectory() as folder:
        test = Path(folder) / f"test_{trait.name}.py"
        test.write_text(_TEST.format(name=name, folder=str(Path.cwd())))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", str(test)]
        done = subprocess.run(command, cwd=folder, check=False)
    if done.returncode:
        raise FailureError(f"{name} does not keep to what traits are; the lines above say in what")


@traits_app.command("audit")
def audit_command(
    study: StudyFile,
    model: Annotated[
        str | None,
        typer.Option(help="FILE.py:CLASS of a model of your own, in place of the best trial's.", show_default=False),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a key of the study: search.trials=8.", metavar="KEY=VALUE"),
    ] = None,
) -> None:
    """Audit the best model of a finished study, or a model of your own, on the study's test split.

    Prints the response skill by kind of move and property, and the violations of the study's traits beside those of the
    physics. A model of your own is a class without arguments, as a torch module that loads its weights: called with
    densities (N, 1, *S) it gives the study's properties (N, P), in SI units and in the study's order.
    """
    from matopt.cli.tables import print_audit
    from matopt.study.audit import audit_study
    from matopt.study.config.study import load_study

    print_audit(audit_study(load_study(study, overrides or []), model))


_TEST = """
from pathlib import Path

import pytest

from matopt.testing.traits import TraitConformance
from matopt.traits.base import TRAITS


class TestTrait(TraitConformance):
    @pytest.fixture
    def trait(self):
        return TRAITS.find({name!r}, Path({folder!r}))()
"""
