"""Reading an image file as a scan: two phases with a voxel size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import read_grey
from matopt.data.images.segmentation import Side, to_phases
from matopt.data.windows.scan import Scan, Stack
from matopt.errors import InputError
from matopt.local_path import local_path
from matopt.units import metres


def read(
    path: str | PathLike[str],
    voxel_size: float | str,
    variable: str | None = None,
    phases: Mapping[float | str, str] | None = None,
    threshold: float | Literal["otsu"] | None = None,
    grain: Side = "above",
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    stack: Stack = "volume",
    format: str | None = None,
) -> Scan:
    """Read a scan from an image file.

    Args:
        path: a file in any format of :mod:`matopt.data.images.formats` (``matopt data formats`` lists them), by its
            ending; a zip of exactly one; or a folder of slices (TIFF, PNG, JPEG), which are taken in natural order:
            2 before 10.
        voxel_size: the edge of a voxel, in metres or as text: "5.345 um".
        variable: which array of a file that holds several; not needed where one alone is an image.
        phases: what each grey level is: ``{0: "pore", 255: "grain"}``.
        threshold: or a grey level that separates grain from pore, or "otsu".
        grain: the grain's side of the threshold, or of two levels.
        shape: of a raw file, or of a matrix that holds an image in each row.
        dtype: of a raw file: "uint8", ">u2".
        stack: whether axis 0 of three is a volume's or counts independent images.
        format: the format's name, or ``path.py:Name`` for a reader of your own, where the ending does not tell.

    More on each from ``variable`` on stands in :class:`~matopt.data.images.read_options.ReadOptions`.

    Raises:
        InputError: a file that cannot be read (see :func:`~matopt.data.images.readers.read_grey`) or levels that are no
            two phases (see :func:`~matopt.data.images.segmentation.to_phases`). One line, that begins with the path.
    """
    options = ReadOptions(
        variable=variable,
        phases=phases,
        threshold=threshold,
        grain=grain,
        shape=shape,
        dtype=dtype,
        stack=stack,
        format=format,
    )
    return read_scan(local_path(path), metres(voxel_size), options)


def read_scan(path: Path, voxel_size: float, options: ReadOptions) -> Scan:
    """Read a scan as :func:`read` does, its voxel size in metres and its options in one."""
    grey = read_grey(path, options)
    try:
        return Scan(to_phases(grey, options.phases, options.threshold, options.grain), voxel_size, options.stack)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
