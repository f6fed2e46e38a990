"""``matopt data``: images in, facts and files out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matopt.cli.image_paths import expand
from matopt.cli.paths import typed_path
from matopt.cli.read_options import takes_read_options
from matopt.cli.windows import Dimensions, ImagePath, ImagePaths, Size, SliceStep, Stride, VoxelSize, Zoom, cut
from matopt.errors import FailureError, InputError

if TYPE_CHECKING:
    from matopt.data.images.read_options import ReadOptions


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
            parser=typed_path,
            metavar="FILE",
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
    out: Annotated[
        Path,
        typer.Option(
            help="Where they go: .npz, .tif, .vti, ...", show_default=False, parser=typed_path, metavar="FILE"
        ),
    ],
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
    images, _ = cut(scan, size, stride, zoom, dimensions, slice_step)
    write(out, images)
    typer.echo(f"{len(images)} of {' x '.join(map(str, images.shape))} voxels: {out}")
