"""NumPy's files of one array (.npy)."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format
from matopt.data.images.read_options import ReadOptions


@FORMATS.register("npy")
class Npy(Format):
    """One array, as ``numpy.save`` writes it."""

    endings = (".npy",)

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the array; pickled objects are refused."""
        return np.lib.format.read_array(stream, allow_pickle=False)
