"""NumPy's archives of named arrays (.npz)."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, WritableFormat, choose_variable
from matopt.data.images.read_options import ReadOptions
from matopt.microstructures import Microstructures


@FORMATS.register("npz")
class Npz(WritableFormat):
    """Named arrays, as ``numpy.savez`` writes them."""

    endings = (".npz",)
    uses = ("variable",)

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the array asked for, or the only one that is an image; pickled objects are refused."""
        with np.load(stream, allow_pickle=False) as archive:
            if options.variable is not None and options.variable in archive.files:
                return archive[options.variable]
            arrays = {name: archive[name] for name in archive.files}
        return arrays[choose_variable({name: array.shape for name, array in arrays.items()}, options.variable)]

    def write(self, stream: BinaryIO, microstructures: Microstructures) -> None:
        """Write the arrays ``phases`` ``(N, *S)`` and ``voxel_size`` in metres."""
        np.savez_compressed(stream, phases=microstructures.phases, voxel_size=microstructures.voxel_size)
