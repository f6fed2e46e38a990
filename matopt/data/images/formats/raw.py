"""Raw files: the voxels alone, nothing about them."""

from __future__ import annotations

import math
from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format, shape_text
from matopt.data.images.likeness import likeness
from matopt.data.images.read_options import ReadOptions
from matopt.errors import InputError, warn


@FORMATS.register("raw")
class Raw(Format):
    """Numbers one after another, whose shape and type must be told."""

    endings = (".raw", ".bin")
    uses = ("dtype", "offset")

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
        offset = options.offset or 0
        voxels = math.prod(options.shape)
        expected = voxels * dtype.itemsize
        if len(data) - offset != expected:
            behind = f" behind the first {offset}" if offset else ""
            raise InputError(
                f"it holds {len(data) - offset} bytes{behind}, but {shape_text(tuple(options.shape))} {dtype} are "
                f"{expected}{_likely(len(data) - offset, voxels, expected, offset)}"
            )
        numbers = np.frombuffer(data, dtype, offset=offset)
        turned = dtype.newbyteorder()
        if dtype.itemsize > 1 and dtype.kind in "ui":
            given, other = likeness(numbers, 1), likeness(numbers.view(turned), 1)
            if other > 2 * max(given, 0.1):
                words = f"hardly alike in {dtype.str}, but they are in {turned.str}"
                warn(f"neighbours are {words}: that is most likely its dtype")
        return numbers


def _likely(size: int, voxels: int, expected: int, offset: int) -> str:
    """Guess why a file has another length than it should, as the end of a sentence."""
    if size > 0 and size % voxels == 0 and size // voxels in (1, 2, 4, 8):
        bits = 8 * (size // voxels)
        return f"; they would be right for numbers of {bits} bits, as {'uint8' if bits == 8 else f'uint{bits}'}"
    if 0 < size - expected < max(1 << 16, expected // 2):
        more = size - expected
        return f"; if the {more} bytes more are a header, add `offset: {offset + more}`"
    return ""
