"""``matopt label``: images in, properties out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from matopt.cli.image_paths import expand
from matopt.cli.paths import typed_path
from matopt.cli.read_options import takes_read_options
from matopt.cli.windows import Dimensions, ImagePaths, Size, SliceStep, Stride, VoxelSize, Zoom, cut
from matopt.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matopt.data.images.read_options import ReadOptions
    from matopt.data.labels.store import LabelStore
    from matopt.data.windows.scan import Scan
    from matopt.microstructures import Microstructures
    from matopt.physics.base import Simulator

BATCH = 32
"""Samples that are labelled between two looks at the progress."""


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
    cuts = [cut(read_scan(f, voxel_size, options), size, stride, zoom, dimensions, slice_step) for f in files]
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
