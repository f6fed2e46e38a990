"""HDF5 files of named datasets."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format, choose_variable
from matopt.data.images.read_options import ReadOptions


@FORMATS.register("hdf5")
class HDF5(Format):
    """Datasets in any group of a HDF5 file."""

    endings = (".h5", ".hdf5")
    uses = ("variable",)

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the dataset asked for by its path (``scans/rock``), or the only one that is an image."""
        import h5py

        with h5py.File(stream, "r") as file:
            shapes: dict[str, tuple[int, ...]] = {}

            def note(name: str, item: object) -> None:
                if isinstance(item, h5py.Dataset) and not name.startswith("#"):  # MATLAB keeps its cells under #refs#
                    shapes[name] = item.shape

            file.visititems(note)
            variable = options.variable.strip("/") if options.variable is not None else None
            return file[choose_variable(shapes, variable)][()]
