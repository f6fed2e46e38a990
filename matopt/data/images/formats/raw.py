"""Raw files: the voxels alone, nothing about them."""

from __future__ import annotations

import math
from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format, shape_text
from matopt.data.images.read_options import ReadOptions
from matopt.errors import InputError


@FORMATS.register("raw")
class Raw(Format):
    """Numbers one after another, whose shape and type must be told."""

    endings = (".raw", ".bin")
    uses = ("dtype",)

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the numbers, flat.

        Raises:
            InputError: no shape, no or an unknown type, or a file of another length than these ask for.
        """
        if options.shape is None or options.dtype is None:
            raise InputError("a raw file does not say what it holds; add `shape: [400, 400, 400]` and `dtype: uint8`")
        try:
            dtype = np.dtype(options.dtype)
        except TypeError:
            raise InputError(f"dtype {options.dtype!r} is unknown; write it as NumPy does: uint8, <u2, >f4") from None
        data = stream.read()
        expected = math.prod(options.shape) * dtype.itemsize
        if len(data) != expected:
            raise InputError(
                f"it holds {len(data)} bytes, but {shape_text(tuple(options.shape))} {dtype} are {expected}"
            )
        return np.frombuffer(data, dtype)
