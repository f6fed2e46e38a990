"""NRRD files (.nrrd, and .nhdr with the voxels beside it), as 3D Slicer and Fiji write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format, beside
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.spacing import Spacing
from matopt.errors import InputError


@FORMATS.register("nrrd")
class Nrrd(Format):
    """Nearly raw raster data of one grey level a voxel. Axis 0 of the array is the file's first axis, its x."""

    endings = (".nrrd", ".nhdr")
    is_x_first = True

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the grey levels ``(nx, ny, nz)``, or ``(nx, ny)``.

        Raises:
            InputError: voxels in a file that is not there.
        """
        import nrrd

        header = nrrd.read_header(stream)
        files = _data_files(header)
        for name in files:
            beside(stream, name)
        return nrrd.read_data(header, None if files else stream, stream.name if files else None)

    def spacing(self, stream: BinaryIO, options: ReadOptions) -> Spacing | None:
        """Take the spacings, or the lengths of the space directions, with the space's unit."""
        import nrrd

        header = nrrd.read_header(stream)
        units = header.get("space units") or header.get("units") or [""]
        if "space directions" in header:
            edges = [float(np.linalg.norm(d)) for d in header["space directions"] if d is not None]
        else:
            edges = [float(edge) for edge in header.get("spacings", [])]
        return Spacing.of(tuple(edges), str(units[0])) if edges else None

    def others(self, path: Path) -> Sequence[Path]:
        """Return the files of the voxels, where they are others."""
        import nrrd

        with path.open("rb") as stream:
            names = _data_files(nrrd.read_header(stream))
        return [path.parent / name for name in names if (path.parent / name).is_file()]


def _data_files(header: dict) -> list[str]:
    name = header.get("data file") or header.get("datafile")
    if name is None:
        return []
    words = str(name).split()
    if words[0] == "LIST" or "%" in words[0]:
        raise InputError("its slices are in files of their own; save it as one .nrrd file")
    return [str(name)]
