"""The options of the command line that tell how an image file is read, for every command that reads one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from matopt.errors import InputError

if TYPE_CHECKING:
    from matopt.data.images.read_options import ReadOptions


def takes_read_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of :func:`read_options`, of which it takes the result as its argument ``options``."""
    # Typer reads the signature. The name is for type checkers alone: importing the class would make help slow.
    own = inspect.signature(command, locals={"ReadOptions": object}, eval_str=True).parameters
    added = inspect.signature(read_options, locals={"ReadOptions": object}, eval_str=True).parameters

    @wraps(command)
    def run(**given: Any) -> None:
        options = read_options(**{name: given.pop(name) for name in added})
        command(options=options, **given)

    shown = [*(p for name, p in own.items() if name != "options"), *added.values()]
    shown = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in shown]
    run.__signature__ = inspect.Signature(shown)  # ty: ignore[missing-attribute]
    run.__annotations__ = {p.name: p.annotation for p in shown}
    return run


def read_options(
    variable: Annotated[
        str | None, typer.Option(help="Which array of a file that holds several; sample.im is a field of a struct.")
    ] = None,
    phases: Annotated[
        str | None,
        typer.Option(
            help="What each grey level or colour is, as 1=pore,2=grain,0=outside or '#3b4cc0=pore,#dddddd=grain'. No "
            "window lies in what is outside.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        str | None, typer.Option(help="Grey level that separates grain from pore, or 'otsu'. Two levels need none.")
    ] = None,
    grain: Annotated[Literal["above", "below"], typer.Option(help="The grain's side of the threshold.")] = "above",
    shape: Annotated[
        str | None,
        typer.Option(
            help="Voxels along each axis of a raw file, slowest first: slices x rows x columns, as 300x400x500. "
            "ImageJ's width x height x depth is the other way round.",
            show_default=False,
        ),
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="Number type of a raw file, as uint8 or '>u2'.")] = None,
    offset: Annotated[int | None, typer.Option(help="Bytes before the first voxel of a raw file: its header.")] = None,
    stack: Annotated[
        Literal["volume", "images"],
        typer.Option(help="Whether axis 0 of three is space, or counts independent images."),
    ] = "volume",
    format: Annotated[
        str | None,
        typer.Option(help="Name of the format, or path.py:Name for a reader of your own. By default the ending tells."),
    ] = None,
    resample: Annotated[
        bool,
        typer.Option(
            "--resample",
            help="Make cubes of their least edge of voxels that are none, by shape-based interpolation between slices.",
        ),
    ] = False,
) -> ReadOptions:
    """Turn what was typed into reading options.

    Raises:
        InputError: phases, a threshold or a shape that is none.
    """
    from matopt.data.images.read_options import ReadOptions

    return ReadOptions(
        variable=variable,
        phases=_phases(phases),
        threshold=_threshold(threshold),
        grain=grain,
        shape=_shape(shape),
        dtype=dtype,
        offset=offset,
        stack=stack,
        format=format,
        resample=resample,
    )


def _phases(text: str | None) -> dict[float | str, str] | None:
    if text is None:
        return None
    phases: dict[float | str, str] = {}
    for part in text.split(","):
        level, equals, phase = (word.strip() for word in part.rpartition("="))
        if not (equals and level):
            raise InputError(f"--phases {text}: give a phase to each level, as 1=pore,2=grain,0=outside")
        try:
            phases[int(level) if level.lstrip("+-").isdigit() else float(level)] = phase
        except ValueError:
            phases[level] = phase
    return phases


def _threshold(text: str | None) -> float | Literal["otsu"] | None:
    if text is None or text == "otsu":
        return text
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--threshold {text}: give a grey level or 'otsu'") from None


def _shape(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(n) for n in text.lower().replace(",", "x").split("x")]
    except ValueError:
        raise InputError(f"--shape {text}: give the voxels along each axis, as 400x400x400") from None
