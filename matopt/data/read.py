"""Reading an image file as a scan: two phases with a voxel size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

from matopt.data.images.formats import Unsaid
from matopt.data.images.readers import read_grey
from matopt.data.images.segmentation import Side, to_phases
from matopt.data.windows.scan import Scan, Stack
from matopt.errors import InputError
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
) -> Scan:
    """Read a scan.

    Args:
        path: a TIFF, PNG, JPEG, NPY, NPZ, MAT, HDF5, VTI or raw file, by its ending; a zip of exactly one; or a
            folder of TIFF, PNG or JPEG slices, which are taken in natural order (2 before 10).
        voxel_size: the edge of a voxel, in metres or as text: "5.345 um".
        variable: which array of a NPZ, MAT, HDF5 or VTI file; not needed where one alone is an image.
        phases: what each grey level is: ``{0: "pore", 255: "grain"}``.
        threshold: or a grey level that separates grain from pore, or "otsu". An image of exactly two levels needs
            neither.
        grain: the grain's side of the threshold, or of the two levels; these are numbers as they are stored.
        shape: of a raw file; of a matrix that holds an image in each row, ``(60, 200, 200)``. Row-major.
        dtype: of a raw file: "uint8", ">u2".
        stack: whether axis 0 of three is a volume's or counts independent images. Taken for a volume by default:
            then windows of different splits are kept apart along it too.

    Raises:
        InputError: a file that cannot be read (see :func:`~matopt.data.images.readers.read_grey`) or levels that are no
            two phases (see :func:`~matopt.data.images.segmentation.to_phases`). One line, that begins with the path.
    """
    length = metres(voxel_size)
    grey = read_grey(Path(path), unsaid(variable, shape, dtype))
    try:
        return Scan(to_phases(grey, phases, threshold, grain), length, stack)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def unsaid(variable: str | None, shape: Sequence[int] | None, dtype: str | None) -> Unsaid:
    """The settings that some formats need, checked.

    Raises:
        InputError: a shape that is not a list of positive whole numbers.
    """
    if shape is not None and not (
        isinstance(shape, Sequence)
        and not isinstance(shape, str)
        and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in shape)
    ):
        raise InputError(f"shape is {shape!r}; write the voxels along each axis: [400, 400, 400]")
    return Unsaid(variable, tuple(shape) if shape is not None else None, dtype)
