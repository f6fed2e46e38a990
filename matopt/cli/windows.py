"""Images and their windows, as commands name them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matopt.cli.paths import typed_path
from matopt.errors import InputError

if TYPE_CHECKING:
    from matopt.data.windows.scan import Scan
    from matopt.microstructures import Microstructures

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


def cut(
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
