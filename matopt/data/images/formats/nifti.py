"""NIfTI files (.nii), of versions 1 and 2."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.spacing import Spacing


@FORMATS.register("nifti")
class Nifti(Format):
    """A volume of grey levels. Axis 0 of the array is the file's x."""

    endings = (".nii",)
    is_x_first = True

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the grey levels ``(nx, ny, nz)``, by the file's slope and intercept where it has them."""
        return np.asanyarray(_opened(stream).dataobj)

    def spacing(self, stream: BinaryIO, options: ReadOptions) -> Spacing | None:
        """Take the pixel dimensions, with their unit."""
        header = _opened(stream).header
        unit = header.get_xyzt_units()[0]
        return Spacing.of(tuple(float(zoom) for zoom in header.get_zooms()), unit)


def _opened(stream: BinaryIO) -> Any:
    """Open an image of either version, whose voxels are read from the stream when they are asked for."""
    import nibabel

    first = int.from_bytes(stream.read(4), "little")
    stream.seek(0)
    is_second = 540 in (first, int.from_bytes(first.to_bytes(4, "little"), "big"))
    return (nibabel.Nifti2Image if is_second else nibabel.Nifti1Image).from_stream(cast(Any, stream))
