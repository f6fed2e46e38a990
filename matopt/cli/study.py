"""``matopt study``: launch, status, list, compare, report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matopt.buckets.address import shown
from matopt.cli.paths import typed_path, typed_storage
from matopt.errors import InputError

if TYPE_CHECKING:
    from matopt.study.records import LaunchResult
    from matopt.study.status import StudyStatus

study_app = typer.Typer(
    no_args_is_help=True,
    help="Run studies: one YAML file, its data, search, evaluation, designs and report.",
    rich_markup_mode="rich",
)
StudyFile = Annotated[
    Path, typer.Argument(help="The study's YAML file.", show_default=False, parser=typed_path, metavar="FILE")
]
Storage = Annotated[
    Path,
    typer.Option(help="The folder that studies are kept in, or s3://...", parser=typed_storage, metavar="FOLDER"),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a key of the study: search.trials=8. May be repeated.", metavar="KEY=VALUE"),
]


@study_app.command("launch")
def launch_command(
    study: StudyFile,
    overrides: Overrides = None,
    address: Annotated[
        str | None, typer.Option(help="host:port of a running Ray cluster; without it Ray starts on this machine.")
    ] = None,
) -> None:
    """Run a study, or go on with it: data, search, evaluation, design and report.

    What an earlier launch finished is not done again, however that launch ended: the same command resumes a study that
    was interrupted, and extends one whose [bold]search.trials[/bold] was raised.

    Example: [bold]matopt study launch studies/quickstart.yaml --set search.trials=8[/bold]
    """
    from matopt.cli.progress import Stages
    from matopt.cli.report import report_writer
    from matopt.study.config.study import load_study
    from matopt.study.launch import changes, launch

    loaded = load_study(study, overrides or [])
    make_report = report_writer(loaded)
    for line in changes(loaded):
        typer.echo(f"changed since the last launch: {line}")
    with Stages() as stages:
        result = launch(loaded, address, make_report, stages)
    _conclude(result)


@study_app.command("report")
def report_command(study: StudyFile, overrides: Overrides = None) -> None:
    """Draw the report of a finished study anew, without computing anything."""
    from matopt.buckets.copies import keep
    from matopt.cli.report import report_writer
    from matopt.study.config.study import load_study
    from matopt.study.results import finished

    loaded = load_study(study, overrides or [])
    files = report_writer(loaded)(finished(loaded))
    for file in files:
        keep(file)
    typer.echo(files[0])


@study_app.command("status")
def status_command(study: StudyFile, overrides: Overrides = None) -> None:
    """Tell how far a study is, what its best trial is, and where its time went. Safe while it runs."""
    from matopt.cli.tables import print_status
    from matopt.study.config.study import load_study
    from matopt.study.status import status_of

    print_status(status_of(load_study(study, overrides or [])))


@study_app.command("list")
def list_command(storage: Storage = Path("runs")) -> None:
    """List the studies of a storage folder."""
    from matopt.cli.tables import print_studies

    print_studies(_studies(storage))


@study_app.command("compare")
def compare_command(
    names: Annotated[list[str] | None, typer.Argument(help="Names of studies; all by default.")] = None,
    storage: Storage = Path("runs"),
) -> None:
    """Put studies side by side: their best trials, and in what their settings differ from the first one's."""
    from matopt.cli.tables import print_comparison
    from matopt.study.status import compare

    print_comparison(compare(storage, names or [status.name for status in _studies(storage)]))


def _studies(storage: Path) -> list[StudyStatus]:
    """Read the status of every study of a storage folder, which has one at least."""
    from matopt.study.status import list_studies

    studies = list_studies(storage)
    if not studies:
        raise InputError(f"no study was launched in {shown(storage)}; name another folder with --storage")
    return studies


def _conclude(result: LaunchResult) -> None:
    """Print what a person wants to know when a study is done."""
    from matopt.cli.tables import print_times
    from matopt.study.records import failures, prunings
    from matopt.study.tracking.database import database_uri

    metrics = result.best.outcome.metrics if result.best.outcome else {}
    scores = ", ".join(f"{name} {metrics[name]:.3f}" for name in result.study.objectives)
    for told in (failures(result.trials), prunings(result.trials)):
        if told:
            typer.echo(told)
    typer.echo(f"best trial: {result.best.number} ({scores})")
    print_times(result.times)
    if result.undelivered:
        typer.echo(str(result.undelivered))
    if result.report:
        typer.echo(f"report: {result.report[0]}")
    uri = result.study.config.tracking.uri
    if uri is None:
        mlflow = str(Path(sys.executable).with_name("mlflow"))
        command = [mlflow, "ui", "--backend-store-uri", database_uri(result.layout.database)]
        typer.echo(f"compare the trials: {shlex.join(command)}")
    if result.page:
        typer.echo(f"and open: {result.page}")
