"""Contact sheets: many microstructures in one picture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from matopt.atomic_write import atomic_write
from matopt.microstructures import Microstructures

GRAIN, PORE, MARGIN = 225, 30, 128
"""Grey levels on the sheet."""


def contact_sheet(path: Path, microstructures: Microstructures) -> None:
    """Write a PNG in which all microstructures stand in rows, a pixel apart: grain light, pore dark.

    A volume shows the slice in the middle of its axis 0.

    Raises:
        ValueError: no microstructures.
        FailureError: the file cannot be written.
    """
    from PIL import Image

    if len(microstructures) == 0:
        raise ValueError("a contact sheet of no microstructures")
    images = microstructures.phases
    if images.ndim == 4:
        images = images[:, images.shape[1] // 2]
    n, height, width = images.shape
    columns = math.ceil(math.sqrt(n * height / width))
    rows = math.ceil(n / columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), MARGIN, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * (height + 1) + 1, i % columns * (width + 1) + 1
        sheet[top : top + height, left : left + width] = np.where(image, GRAIN, PORE)
    with atomic_write(path) as temporary:
        Image.fromarray(sheet).save(temporary)
