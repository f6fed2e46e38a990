"""PNG and JPEG pictures."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format
from matopt.data.images.greyscale import one_grey
from matopt.data.images.read_options import ReadOptions
from matopt.errors import InputError


@FORMATS.register("picture")
class Picture(Format):
    """A PNG or JPEG file of one image in grey, or in colours that are all grey."""

    endings = (".png", ".jpg", ".jpeg")
    is_slice = True

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the grey levels ``(rows, columns)``.

        Raises:
            InputError: an animation, real colours, or transparent parts.
        """
        from PIL import Image

        with Image.open(stream) as image:
            if getattr(image, "n_frames", 1) != 1:
                raise InputError("it is an animation; save one image a file")
            if image.mode in ("P", "PA"):  # the numbers are places in a palette: take the colours they stand for
                image = image.convert("RGBA")
            image.load()
            if image.mode in ("1", "L", "I", "I;16", "I;16B", "F"):
                return np.asarray(image)
            if image.mode in ("LA", "RGB", "RGBA"):
                return one_grey(np.asarray(image))
            raise InputError(f"its colours are {image.mode}; save it in grey")
