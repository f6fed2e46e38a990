"""Reading an image file as a scan: two phases with a voxel size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np

from matopt.data.images.axes import as_image
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import read_image
from matopt.data.images.segmentation import Side
from matopt.data.voxels import as_scan
from matopt.data.windows.scan import Scan, Stack
from matopt.errors import InputError, named
from matopt.local_path import local_path


def read(
    path: str | PathLike[str] | np.ndarray,
    voxel_size: float | str,
    variable: str | None = None,
    phases: Mapping[float | str, str] | None = None,
    threshold: float | Literal["otsu"] | None = None,
    grain: Side = "above",
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    offset: int | None = None,
    stack: Stack = "volume",
    format: str | None = None,
    resample: bool = False,
) -> Scan:
    """Read a scan from an image file, or from an array.

    Args:
        path: a file in any format of :mod:`matopt.data.images.formats` (``matopt data formats`` lists them), by its
            ending; a zip of exactly one, or a gz; or a folder of slices (TIFF, PNG, BMP, ...), which are taken in the
            order of their numbers: 2 before 10. An array of grey levels or phases is taken as it is.
        voxel_size: the edge of a voxel, in metres or as text: "5.345 um"; or one for each axis of space, axis 0 first:
            "20 x 5 x 5 um".
        variable: which array of a file that holds several; not needed where one alone is an image.
        phases: what each grey level is: ``{0: "pore", 255: "grain"}``, or "outside".
        threshold: or a grey level that separates grain from pore, or "otsu".
        grain: the grain's side of the threshold, or of two levels.
        shape: of a raw file, slowest axis first, or of a matrix that holds an image in each row.
        dtype: of a raw file: "uint8", ">u2".
        offset: bytes before the first voxel of a raw file.
        stack: whether axis 0 of three is a volume's or counts independent images.
        format: the format's name, or ``path.py:Name`` for a reader of your own, where the ending does not tell.
        resample: whether voxels that are no cubes become cubes of their least edge.

    More on each from ``variable`` on stands in :class:`~matopt.data.images.read_options.ReadOptions`.

    Raises:
        InputError: a file that cannot be read (see :func:`~matopt.data.images.readers.read_image`), levels that are no
            two phases (see :func:`~matopt.data.images.segmentation.to_phases`), or voxels that are no cubes. One line,
            that begins with the path.
    """
    options = ReadOptions(
        variable=variable,
        phases=phases,
        threshold=threshold,
        grain=grain,
        shape=shape,
        dtype=dtype,
        offset=offset,
        stack=stack,
        format=format,
        resample=resample,
    )
    if isinstance(path, np.ndarray):
        for setting in ("variable", "dtype", "offset", "format"):
            if getattr(options, setting) is not None:
                raise InputError(f"an array has no {setting} to choose; leave `{setting}` out")
        with named("the array"):
            return as_scan(*as_image(path, None, options), voxel_size, options)
    if not isinstance(path, (str, PathLike)):
        raise InputError(f"give the path of a file, or a NumPy array, not a {type(path).__name__}")
    return read_scan(local_path(path), voxel_size, options)


def read_scan(path: Path, voxel_size: float | str, options: ReadOptions) -> Scan:
    """Read a scan as :func:`read` does, its options in one."""
    grey, said = read_image(path, options)
    with named(str(path)):
        return as_scan(grey, said, voxel_size, options)
