"""``matopt data`` and ``matopt label``: images in, facts, files and properties out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from matopt.cli.image_paths import expand
from matopt.cli.paths import typed_path
from matopt.cli.read_options import takes_read_options
from matopt.errors import FailureError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matopt.data.images.read_options import ReadOptions
    from matopt.data.labels.store import LabelStore
    from matopt.data.windows.scan import Scan
    from matopt.microstructures import Microstructures
    from matopt.physics.base import Simulator

BATCH = 32
"""Samples that are labelled between two looks at the progress."""

ImagePath = Annotated[
    Path,
    typer.Argument(
        help="An image file, a zip of one, or a folder of slices. `matopt data formats` lists the formats.",
        show_default=False,
        parser=typed_path,
        metavar="PATH",
    ),
]
ImagePaths = Annotated[
    list[Path],
    typer.Argument(
        help="Image files, zips of one, or folders of slices; patterns too, as 'scans/*.tif'. `matopt data formats` "
        "lists the formats.",
        show_default=False,
        parser=typed_path,
        metavar="PATH...",
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
    images, _ = _cut(scan, size, stride, zoom, dimensions, slice_step)
    write(out, images)
    typer.echo(f"{len(images)} of {' x '.join(map(str, images.shape))} voxels: {out}")


@takes_read_options
def label_command(
    paths: ImagePaths,
    options: ReadOptions,
    voxel_size: VoxelSize,
    properties: Annotated[
        list[str] | None, typer.Option("--property", help="What to compute, as a,b; may be repeated. All by default.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--physics",
            help="A setting of a property: diffusivity.grain_diffusivity=0. May be repeated.",
            metavar="PROPERTY.SETTING=VALUE",
        ),
    ] = None,
    axis: Annotated[
        Literal["x", "y", "z"], typer.Option(help="The axis that properties are along: x is axis 0 of an image.")
    ] = "x",
    out: Annotated[
        Path, typer.Option(help="Where the table goes: .csv or .parquet.", parser=typed_path, metavar="FILE")
    ] = Path("labels.csv"),
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
    store: Annotated[
        Path,
        typer.Option(help="The label store: nothing in it is computed again.", parser=typed_path, metavar="FOLDER"),
    ] = Path("runs/labels"),
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, cuda:1, ...")] = "cpu",
) -> None:
    """Compute Young's modulus, diffusivity and permeability of images: images in, a table out.

    Each value comes with what it stands for, its unit, its status (ok, non_percolating, not_converged), the solver's
    residual, and a note where the status does not say all. Samples are named by their number, or by the corner of their
    window; of several files with the file in front.

    An image is taken for a section through what goes on alike along its normal: Young's modulus in plane strain;
    diffusivity in its plane, with grain that conducts 1 %, so that a wall across the image has a value too
    ([bold]--physics diffusivity.grain_diffusivity=0[/bold] lets nothing through it); permeability along its normal, of
    its pores as ducts ([bold]--physics permeability.section=transverse[/bold] takes it in the plane). Volumes
    ([bold]--dimensions 3[/bold], or whole ones) need no such assumption.

    With --rev the table has a row for each property and window size: mean, deviation, quantiles and statuses.

    Example: [bold]matopt label berea.tif --voxel-size '5.345 um' --window 128 --out berea.csv[/bold]
    """
    from matopt.cli.physics_options import chosen_simulators
    from matopt.cli.progress import bar
    from matopt.data.labels.store import LabelStore
    from matopt.data.read import read_scan
    from matopt.data.tables import ENDINGS, write_table
    from matopt.descriptors.thin_pores import THIN, thin_share
    from matopt.devices import device_named
    from matopt.properties import PropertyTable
    from matopt.stages.simulate import simulate

    device_named(device)
    if out.suffix not in ENDINGS:
        raise InputError(f"--out {out}: the table's name must end in {' or '.join(ENDINGS)}")
    files = expand(paths)
    chosen = chosen_simulators(_names(properties) if properties else [], settings or [])
    if rev is not None:
        if len(files) > 1:
            raise InputError("--rev takes one file")
        scan = read_scan(files[0], voxel_size, options)
        if size is not None or stride is not None or zoom != 1 or axis != "x":
            raise InputError("--rev cuts windows of its own sizes; leave --window, --stride, --zoom and --axis out")
        _write_curves(scan, chosen, _sizes(rev), rev_windows, dimensions, slice_step, LabelStore(store), device, out)
        return
    if axis != "x" and any(getattr(simulator, "flow", "x") != "x" for simulator in chosen):
        raise InputError("--axis chooses the axis of all properties; leave the setting 'flow' of single ones out")
    cuts = [_cut(read_scan(f, voxel_size, options), size, stride, zoom, dimensions, slice_step) for f in files]
    parts = [_along(images, axis) for images, _ in cuts]
    names = [f"{f} {n}" if len(files) > 1 else n for f, (_, own) in zip(files, cuts, strict=True) for n in own]
    if len({len(part.shape) for part in parts}) > 1:
        raise InputError(
            "some of these are images and some are volumes, whose values say different things; label them apart"
        )
    batches = [part[first : first + BATCH] for part in parts for first in range(0, len(part), BATCH)]
    with bar("labels", len(names)) as advance:
        tables = []
        for batch in batches:
            tables.append(simulate(batch, chosen, LabelStore(store), device))
            advance(len(batch))
    table = PropertyTable.concatenate(tables)
    stand_for = [s.stands_for(len(parts[0].shape)).replace("along x", f"along {axis}") for s in chosen]
    notes = [[note for batch in batches for note in simulator.notes(batch.phases)] for simulator in chosen]
    thin = [share for batch in batches for share in thin_share(batch.density()).tolist()]
    write_table(out, table, names, stand_for, notes, {f"pore thinner than {THIN} voxels": thin})
    for words, said, (name, counts) in zip(stand_for, notes, table.counts().items(), strict=True):
        typer.echo(f"{name} {words}: " + ", ".join(f"{n} {status}" for status, n in counts.items() if n))
        for note in sorted(set(said) - {""}):
            typer.echo(f"  {said.count(note)} of {len(said)}: {note}")
    if any(simulator.property.name == "permeability" for simulator in chosen) and max(thin) > 0:
        typer.echo(
            f"pores: on average {sum(thin) / len(thin):.0%} of their space is thinner than {THIN} voxels, at most "
            f"{max(thin):.0%}; permeability through it is uncertain by a fifth"
        )
    if len(parts[0].shape) == 2:
        typer.echo("2D: values are those of a section that goes on alike along its normal; see matopt label --help")
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


def _along(images: Microstructures, axis: str) -> Microstructures:
    """Exchange axes so that x is the one that was asked for."""
    import numpy as np

    from matopt.microstructures import Microstructures

    number = "xyz".index(axis)
    if number >= len(images.shape):
        raise InputError("--axis z: images have no axis z; --dimensions 3 cuts subvolumes, which do")
    if number == 0:
        return images
    return Microstructures(np.ascontiguousarray(np.swapaxes(images.phases, 1, 1 + number)), images.voxel_size)


def _write_curves(
    scan: Scan,
    properties: Sequence[Simulator],
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


def _names(given: list[str]) -> list[str]:
    """The properties that were typed, each once: one at a time, or several with commas between."""
    from matopt.physics.base import SIMULATORS

    names = list(dict.fromkeys(name.strip() for text in given for name in text.split(",")))
    for name in names:
        SIMULATORS.find(name)
    return names


def _sizes(text: str) -> list[int]:
    try:
        return [int(n) for n in text.split(",")]
    except ValueError:
        raise InputError(f"--rev {text}: give the edges of windows in voxels, as 32,64,128") from None
