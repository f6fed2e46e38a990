"""``matopt data check`` and ``matopt label``: images in, facts and properties out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from matopt.errors import InputError

if TYPE_CHECKING:
    from matopt.data.labels.store import LabelStore
    from matopt.data.windows.scan import Scan

ImagePath = Annotated[
    Path,
    typer.Argument(
        help="TIFF, PNG, JPEG, NPY, NPZ, MAT, HDF5, VTI or raw file, a zip of one, or a folder of slices.",
        show_default=False,
    ),
]
Variable = Annotated[str | None, typer.Option(help="Which array of a NPZ, MAT, HDF5 or VTI file.")]
Threshold = Annotated[
    str | None, typer.Option(help="Grey level that separates grain from pore, or 'otsu'. Two levels need none.")
]
Grain = Annotated[Literal["above", "below"], typer.Option(help="The grain's side of the threshold.")]
Shape = Annotated[str | None, typer.Option(help="Voxels along each axis of a raw file, as 400x400x400.")]
Dtype = Annotated[str | None, typer.Option(help="Number type of a raw file, as uint8 or '>u2'.")]
Stack = Annotated[
    Literal["volume", "images"],
    typer.Option(help="Whether axis 0 of three is space, or counts independent images."),
]


def check_command(
    path: ImagePath,
    voxel_size: Annotated[str | None, typer.Option(help="Edge of a voxel, as '5.345 um'.")] = None,
    variable: Variable = None,
    threshold: Threshold = None,
    grain: Grain = "above",
    shape: Shape = None,
    dtype: Dtype = None,
    stack: Stack = "volume",
    sheet: Annotated[Path, typer.Option(help="Where the contact sheet goes.")] = Path("contact_sheet.png"),
) -> None:
    """Tell what a file holds, and the lines of a study that read it.

    Shape, grey levels, phases, porosity, percolation along each axis, and a window and threshold to begin with. Windows
    are drawn on a contact sheet.

    Example: [bold]matopt data check berea.tif --voxel-size '5.345 um'[/bold]
    """
    from matopt.data.check import check

    report = check(
        path, voxel_size, variable, None, _threshold(threshold), grain, _shape(shape), dtype, stack, sheet=sheet
    )
    typer.echo(f"{report}\ncontact sheet: {sheet}")


def label_command(
    path: ImagePath,
    voxel_size: Annotated[str, typer.Option(help="Edge of a voxel, as '5.345 um'.", show_default=False)],
    properties: Annotated[
        list[str] | None, typer.Option("--property", help="What to compute; may be repeated. All by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the table goes: .csv or .parquet.")] = Path("labels.csv"),
    window: Annotated[
        int | None, typer.Option(help="Edge of the windows to cut, in voxels. Whole images if left out.")
    ] = None,
    stride: Annotated[int | None, typer.Option(help="Distance between windows; the window's edge by default.")] = None,
    zoom: Annotated[int, typer.Option(help="Enlarge each window by this factor.")] = 1,
    slice_step: Annotated[int | None, typer.Option(help="Distance between slices of a volume.")] = None,
    variable: Variable = None,
    threshold: Threshold = None,
    grain: Grain = "above",
    shape: Shape = None,
    dtype: Dtype = None,
    stack: Stack = "volume",
    dimensions: Annotated[int, typer.Option(help="2 cuts windows of slices, 3 cuts subvolumes.")] = 2,
    rev: Annotated[
        str | None,
        typer.Option(help="Sizes, as 32,64,128: how properties depend on the window's, with their spread."),
    ] = None,
    rev_windows: Annotated[int, typer.Option(help="With --rev, at most how many windows of each size.")] = 20,
    store: Annotated[Path, typer.Option(help="The label store: nothing in it is computed again.")] = Path(
        "runs/labels"
    ),
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, cuda:1, ...")] = "cpu",
) -> None:
    """Compute Young's modulus, diffusivity and permeability of images: images in, a table out.

    Each value comes with its unit, its status (ok, non_percolating, not_converged) and the solver's residual.

    With --rev the table has a row for each property and window size: mean, deviation, quantiles and statuses.

    Example: [bold]matopt label berea.tif --voxel-size '5.345 um' --window 128 --out berea.csv[/bold]
    """
    import numpy as np

    from matopt.cli.progress import bar
    from matopt.data.labels.store import LabelStore
    from matopt.data.read import read
    from matopt.data.tables import ENDINGS, write_table
    from matopt.microstructures import Microstructures
    from matopt.physics.base import SIMULATORS
    from matopt.properties import PropertyTable
    from matopt.stages.simulate import simulate

    if out.suffix not in ENDINGS:
        raise InputError(f"--out {out}: the table's name must end in {' or '.join(ENDINGS)}")
    scan = read(path, voxel_size, variable, None, _threshold(threshold), grain, _shape(shape), dtype, stack)
    chosen = properties or SIMULATORS.names()
    if rev is not None:
        if window is not None or stride is not None or zoom != 1:
            raise InputError("--rev cuts windows of its own sizes; leave --window, --stride and --zoom out")
        _write_curves(scan, chosen, _sizes(rev), rev_windows, dimensions, slice_step, LabelStore(store), device, out)
        return
    if window is None:
        whole = scan.phases[None] if scan.is_volume or scan.phases.ndim == 2 else scan.phases
        images, names = (
            Microstructures(np.ascontiguousarray(whole), scan.voxel_size),
            [str(i) for i in range(len(whole))],
        )
    else:
        windows = scan.windows(window, stride, zoom, dimensions, slice_step)
        corners = windows.choose({"all": len(windows)})["all"]
        images = windows.cut(corners)
        names = [" ".join(map(str, corner)) for corner in corners]
    with bar("labels", len(images)) as advance:
        tables = []
        for first in range(0, len(images), 32):
            tables.append(simulate(images[first : first + 32], chosen, LabelStore(store), device))
            advance(len(tables[-1]))
    table = PropertyTable.concatenate(tables)
    write_table(out, table, names)
    for name, counts in table.counts().items():
        typer.echo(f"{name}: " + ", ".join(f"{n} {status}" for status, n in counts.items() if n))
    typer.echo(f"table: {out}")


def _write_curves(
    scan: Scan,
    properties: list[str],
    sizes: list[int],
    windows: int,
    dimensions: int,
    slice_step: int | None,
    store: LabelStore,
    device: str,
    out: Path,
) -> None:
    from matopt.cli.progress import bar
    from matopt.stages.representative_volume import size_curves, write_curves

    total = sum(min(windows, len(scan.windows(s, None, 1, dimensions, slice_step))) for s in set(sizes))
    with bar("labels", total) as advance:
        points = size_curves(scan, properties, sizes, windows, dimensions, slice_step, store, device, advance=advance)
    write_curves(out, points)
    for p in points:
        unit = "" if p.property.display_unit == "1" else f" {p.property.display_unit}"
        mean, deviation = (x * p.property.display_factor for x in (p.mean, p.deviation))
        counts = ", ".join(f"{n} {status}" for status, n in p.counts.items() if n)
        typer.echo(f"{p.property.name}, {p.size} voxels: {mean:.4g} +- {deviation:.2g}{unit} ({counts})")
    typer.echo(f"table: {out}")


def _sizes(text: str) -> list[int]:
    try:
        return [int(n) for n in text.split(",")]
    except ValueError:
        raise InputError(f"--rev {text}: give the edges of windows in voxels, as 32,64,128") from None


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
