"""MATLAB's files of variables (.mat), of versions 4 to 7.3."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format, choose_variable
from matopt.data.images.formats.hdf5 import HDF5
from matopt.data.images.read_options import ReadOptions


@FORMATS.register("mat")
class Mat(Format):
    """Variables as MATLAB's ``save`` writes them; since version 7.3 that is a HDF5 file."""

    endings = (".mat",)
    uses = ("variable",)

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the variable asked for, or the only one that is an image, with MATLAB's order of axes."""
        head = stream.read(128)
        stream.seek(0)
        if head.startswith(b"MATLAB 7.3"):
            return HDF5().read(stream, options).T  # MATLAB writes its columns as HDF5's rows
        import scipy.io

        shapes = {name: shape for name, shape, _ in scipy.io.whosmat(stream)}
        name = choose_variable(shapes, options.variable)
        stream.seek(0)
        return scipy.io.loadmat(stream, variable_names=[name])[name]
