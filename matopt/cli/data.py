"""``matopt data`` and ``matopt label``: images in, facts, files and properties out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matopt.cli.image_paths import expand
from matopt.cli.read_options import takes_read_options
from matopt.errors import FailureError, InputError

if TYPE_CHECKING:
    from matopt.data.images.read_options import ReadOptions
    from matopt.data.labels.store import LabelStore
    from matopt.data.windows.scan import Scan
    from matopt.microstructures import Microstructures

ImagePath = Annotated[
    Path,
    typer.Argument(
        help="An image file, a zip of one, or a folder of slices. `matopt data formats` lists the formats.",
        show_default=False,
    ),
]
ImagePaths = Annotated[
    list[Path],
    typer.Argument(
        help="Image files, zips of one, or folders of slices; patterns too, as 'scans/*.tif'. `matopt data formats` "
        "lists the formats.",
        show_default=False,
    ),
]
VoxelSize = Annotated[
    str,
    typer.Option(help="Edge of a voxel, as '5.345 um'; or along each axis, as '20 x 5 x 5 um'.", show_default=False),
]
Size = Annotated[
    int | None, typer.Option("--window", help="Edge of the windows to cut, in voxels. Whole images if left out.")
]
Stride = Annotated[int | None, typer.Option(help="Distance between windows; the window's edge by default.")]
Zoom = Annotated[int, typer.Option(help="Enlarge each window by this factor.")]
SliceStep = Annotated[int | None, typer.Option(help="Distance between slices of a volume.")]
Dimensions = Annotated[int, typer.Option(help="2 cuts windows of slices, 3 cuts subvolumes.")]


@takes_read_options
def check_command(
    paths: ImagePaths,
    options: ReadOptions,
    voxel_size: Annotated[
        str | None, typer.Option(help="Edge of a voxel, as '5.345 um'; by default what the file says.")
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            help="Where the contact sheet goes. Of a single file it is contact_sheet.png by default, but nothing is "
            "written into a folder that is read.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Tell what a file holds, and the lines of a study that read it.

    Shape, grey levels, phases, porosity, percolation along each axis, specific surface, chord lengths, lineal path, and
    a window and threshold to begin with. Windows are drawn on a contact sheet.

    Example: [bold]matopt data check berea.tif --voxel-size '5.345 um'[/bold]
    """
    from matopt.data.check import check, lies_among_slices

    files = expand(paths)
    if len(files) > 1:
        if sheet is not None:
            raise InputError(f"--sheet {sheet}: several files have no contact sheet in common; check them one by one")
        failed = 0
        for path in files:
            try:
                typer.echo(f"{check(path, options, voxel_size)}\n")
            except (InputError, FailureError) as error:
                failed += 1
                typer.echo(f"matopt: {error}", err=True)
        if failed:
            raise InputError(f"{failed} of {len(files)} files could not be read; the lines above say why")
        return
    (path,) = files
    default = Path("contact_sheet.png")
    chosen = sheet or (None if lies_among_slices(default, path) else default)
    report = check(path, options, voxel_size, chosen)
    where = chosen or "none, as it would lie among the slices; add --sheet and another place"
    typer.echo(f"{report}\ncontact sheet: {where}")


def formats_command() -> None:
    """List the formats of image files: their endings, the options they take, and which can be written too.

    A reader of your own, a class derived from matopt.data.images.formats.base.Format, is named by
    [bold]--format path.py:Name[/bold].
    """
    from matopt.data.images.format_lookup import format_named
    from matopt.data.images.formats.base import FORMATS, WritableFormat

    for name in FORMATS.names():
        form = format_named(name)
        notes = [f"takes --{option}" for option in form.uses]
        notes += ["folders of slices"] * form.is_slice + ["axis 0 is the file's x"] * form.is_x_first
        notes += ["written by export"] * isinstance(form, WritableFormat)
        typer.echo(f"{name:<10} {', '.join(form.endings):<18} {'; '.join(notes)}".rstrip())


@takes_read_options
def export_command(
    path: ImagePath,
    options: ReadOptions,
    voxel_size: VoxelSize,
    out: Annotated[Path, typer.Option(help="Where they go: .npz, .tif, .vti, ...", show_default=False)],
    size: Size = None,
    stride: Stride = None,
    zoom: Zoom = 1,
    slice_step: SliceStep = None,
    dimensions: Dimensions = 2,
) -> None:
    """Write the two phases of an image, or windows of it, to a file that other programs read.

    Example: [bold]matopt data export berea.tif --voxel-size '5.345 um' --out berea.vti[/bold]
    """
    from matopt.data.check import lies_among_slices
    from matopt.data.images.format_lookup import all_formats, format_for
    from matopt.data.read import read_scan
    from matopt.data.write import write

    if lies_among_slices(out, path) and format_for(out.suffix, [form for form in all_formats() if form.is_slice]):
        raise InputError(f"--out {out}: it would be taken for a slice of {path}; name another place for it")
    scan = read_scan(path, voxel_size, options)
    images, _ = _cut(scan, size, stride, zoom, dimensions, slice_step)
    write(out, images)
    typer.echo(f"{len(images)} of {' x '.join(map(str, images.shape))} voxels: {out}")


@takes_read_options
def label_command(
    paths: ImagePaths,
    options: ReadOptions,
    voxel_size: VoxelSize,
    properties: Annotated[
        list[str] | None, typer.Option("--property", help="What to compute; may be repeated. All by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the table goes: .csv or .parquet.")] = Path("labels.csv"),
    size: Size = None,
    stride: Stride = None,
    zoom: Zoom = 1,
    slice_step: SliceStep = None,
    dimensions: Dimensions = 2,
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

    Each value comes with its unit, its status (ok, non_percolating, not_converged) and the solver's residual. Samples
    are named by their number, or by the corner of their window; of several files with the file in front.

    With --rev the table has a row for each property and window size: mean, deviation, quantiles and statuses.

    Example: [bold]matopt label berea.tif --voxel-size '5.345 um' --window 128 --out berea.csv[/bold]
    """
    from matopt.cli.progress import bar
    from matopt.data.labels.store import LabelStore
    from matopt.data.read import read_scan
    from matopt.data.tables import ENDINGS, write_table
    from matopt.physics.base import SIMULATORS
    from matopt.properties import PropertyTable
    from matopt.stages.simulate import simulate

    if out.suffix not in ENDINGS:
        raise InputError(f"--out {out}: the table's name must end in {' or '.join(ENDINGS)}")
    files = expand(paths)
    chosen = properties or SIMULATORS.names()
    if rev is not None:
        if len(files) > 1:
            raise InputError("--rev takes one file")
        scan = read_scan(files[0], voxel_size, options)
        if size is not None or stride is not None or zoom != 1:
            raise InputError("--rev cuts windows of its own sizes; leave --window, --stride and --zoom out")
        _write_curves(scan, chosen, _sizes(rev), rev_windows, dimensions, slice_step, LabelStore(store), device, out)
        return
    scans = {file: read_scan(file, voxel_size, options) for file in files}
    cuts = {file: _cut(scan, size, stride, zoom, dimensions, slice_step) for file, scan in scans.items()}
    names = [f"{file} {name}" if len(files) > 1 else name for file, (_, own) in cuts.items() for name in own]
    with bar("labels", len(names)) as advance:
        tables = []
        for images, _ in cuts.values():
            for first in range(0, len(images), 32):
                tables.append(simulate(images[first : first + 32], chosen, LabelStore(store), device))
                advance(len(tables[-1]))
    table = PropertyTable.concatenate(tables)
    write_table(out, table, names)
    for name, counts in table.counts().items():
        typer.echo(f"{name}: " + ", ".join(f"{n} {status}" for status, n in counts.items() if n))
    typer.echo(f"table: {out}")


def _cut(
    scan: Scan, size: int | None, stride: int | None, zoom: int, dimensions: int, slice_step: int | None
) -> tuple[Microstructures, list[str]]:
    """All windows of a size, or the whole images where none is given, and a name for each."""
    import numpy as np

    from matopt.microstructures import Microstructures

    if size is None:
        if scan.is_masked:
            raise InputError("part of the image is outside the sample; cut windows that lie in it: --window 64")
        whole = scan.phases[None] if scan.is_volume or scan.phases.ndim == 2 else scan.phases
        images = Microstructures(np.ascontiguousarray(whole), scan.voxel_size)
        return images, [str(i) for i in range(len(whole))]
    windows = scan.windows(size, stride, zoom, dimensions, slice_step)
    corners = windows.choose({"all": len(windows)})["all"]
    return windows.cut(corners), [" ".join(map(str, corner)) for corner in corners]


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
