"""NumPy's archives of named arrays (.npz)."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, WritableFormat, choose_variable
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.spacing import Spacing
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

    def spacing(self, stream: BinaryIO, options: ReadOptions) -> Spacing | None:
        """Take ``voxel_size``, in metres, as :meth:`write` puts it beside the phases."""
        with np.load(stream, allow_pickle=False) as archive:
            if "voxel_size" not in archive.files or archive["voxel_size"].size != 1:
                return None
            name = choose_variable({name: archive[name].shape for name in archive.files}, options.variable)
            return Spacing.of((archive["voxel_size"].item(),) * archive[name].ndim, "m")

    def write(self, stream: BinaryIO, microstructures: Microstructures) -> None:
        """Write the arrays ``phases`` ``(N, *S)`` and ``voxel_size`` in metres."""
        np.savez_compressed(stream, phases=microstructures.phases, voxel_size=microstructures.voxel_size)
