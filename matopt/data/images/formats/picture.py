"""PNG, JPEG, BMP and other pictures."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from matopt.data.images.colours import grey_or_named
from matopt.data.images.formats.base import FORMATS, Format
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.spacing import LEAST_DOTS, Spacing
from matopt.errors import InputError


@FORMATS.register("picture")
class Picture(Format):
    """A picture of one image in grey, in colours that are all grey, or in colours that ``phases`` names."""

    endings = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".jp2", ".pgm", ".pbm", ".ppm", ".pnm")
    is_slice = True

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the grey levels ``(rows, columns)``, or numbers 0xRRGGBB of the colours that are named.

        Raises:
            InputError: an animation, real colours without a rule, transparent parts, or more pixels than Pillow reads.
        """
        from PIL import Image

        try:
            opened = Image.open(stream)
        except Image.DecompressionBombError as error:
            raise InputError(f"{str(error).split(',')[0]}: Pillow reads no larger pictures; save it as TIFF") from error
        with opened as image:
            if getattr(image, "n_frames", 1) != 1:
                raise InputError("it is an animation; save one image a file")
            if image.mode in ("P", "PA"):  # the numbers are places in a palette: take the colours they stand for
                image = image.convert("RGBA")
            image.load()
            if image.mode in ("1", "L", "I", "I;16", "I;16B", "F", "LA", "RGB", "RGBA"):
                return grey_or_named(np.asarray(image), options.phases)
            raise InputError(f"its colours are {image.mode}; save it in grey")

    def spacing(self, stream: BinaryIO, options: ReadOptions) -> Spacing | None:
        """Take the resolution, where it is finer than that of printers and screens."""
        from PIL import Image

        with Image.open(stream) as image:
            across, down = image.info.get("dpi", (0, 0))
        if min(across, down) <= LEAST_DOTS:
            return None
        return Spacing.of((2.54 / float(down), 2.54 / float(across)), "cm")
