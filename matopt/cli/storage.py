"""``matopt storage``: show, prune."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matopt.buckets.address import place_of, shown
from matopt.cli.paths import typed_storage
from matopt.errors import InputError

if TYPE_CHECKING:
    from matopt.study.storage import Unnamed

storage_app = typer.Typer(
    no_args_is_help=True,
    help="Look at what a storage folder holds, and delete what nothing names.",
    rich_markup_mode="rich",
)
Storage = Annotated[
    Path,
    typer.Option(help="The folder that studies are kept in, or s3://...", parser=typed_storage, metavar="FOLDER"),
]


@storage_app.command("show")
def show_command(storage: Storage = Path("runs")) -> None:
    """Tell what a storage folder holds: how much of each kind, and of each study."""
    from matopt.cli.tables import print_rows
    from matopt.study.storage import storage_use

    found = storage_use(_existing(storage))
    rows = [[kind, str(amount.files), size(amount.size)] for kind, amount in found.kinds.items() if amount.files]
    print_rows(["kind", "files", "size"], rows)
    if found.studies:
        names = list(next(iter(found.studies.values())))
        rows = [[study, *(size(its[name].size) for name in names)] for study, its in found.studies.items()]
        print_rows(["study", *names], rows)
    for path in found.damaged:
        typer.echo(f"damaged, and moved aside: {path}")


@storage_app.command("prune")
def prune_command(
    storage: Storage = Path("runs"),
    older_than: Annotated[
        float | None,
        typer.Option(
            help="Also what no study is known to have used, if it is older than so many days.", metavar="DAYS", min=0
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without a question.")] = False,
) -> None:
    """Delete models and results that nothing names, after a question. Labels are always kept.

    A study names what its last launch used and the models of its trials; a study that is running, or was interrupted,
    names all that it ever used.
    """
    from matopt.study.storage import prune, unnamed

    found = unnamed(_existing(storage), older_than)
    if not found:
        typer.echo(f"{shown(storage)} holds nothing that could go")
        return
    _print(found)
    total = f"{len(found)} files, {size(sum(artifact.size for artifact in found))}"
    if not yes and not sys.stdin.isatty():
        typer.echo(f"nothing was deleted; with --yes {total} are")
        return
    if yes or typer.confirm(f"delete {total}?"):
        freed = prune(storage, found, older_than)
        typer.echo(f"freed {size(freed.size)} of {freed.files} files")


def _print(found: list[Unnamed]) -> None:
    from matopt.cli.tables import print_rows

    reasons: dict[str, list[int]] = defaultdict(list)
    for artifact in found:
        reasons[artifact.why].append(artifact.size)
    print_rows(["what", "files", "size"], [[why, str(len(its)), size(sum(its))] for why, its in reasons.items()])


def _existing(storage: Path) -> Path:
    if place_of(storage) is None and not storage.is_dir():
        raise InputError(f"there is no folder {storage}; name another with --storage")
    return storage


def size(count: int) -> str:
    """Write bytes as people do."""
    units = ("B", "kB", "MB", "GB", "TB")
    power = min(len(units) - 1, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:.{min(power, 1)}f} {units[power]}"
