"""Grids of numbers as text: rows of an image, the voxels of a volume, ESRI grids."""

from __future__ import annotations

import re
from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format
from matopt.data.images.read_options import ReadOptions
from matopt.errors import InputError

NARROW = 4
"""So few numbers a line, at most, are a table of points or a list of voxels, and no rows of an image."""

_SEPARATOR = re.compile(r"[,;\s]+")
_BESIDE_COMMAS = re.compile(r"[;\s]+")
_WITH_COMMA = re.compile(r"[-+]?\d*,\d+(e[-+]?\d+)?", re.IGNORECASE)
_ESRI = ("ncols", "nrows", "xllcorner", "yllcorner", "xllcenter", "yllcenter", "cellsize", "dx", "dy", "nodata_value")


@FORMATS.register("text")
class Text(Format):
    """Numbers that are separated by blanks, tabs, commas or semicolons, a row of the image a line.

    Between semicolons a comma is a decimal one, as spreadsheets of half of Europe write it; between blanks or tabs it
    is where every number has one. Lines that begin with ``#`` or ``%`` are comments. Of more axes or of one number a
    line the shape must be told.
    """

    endings = (".txt", ".csv", ".tsv", ".asc", ".dat")
    is_often_other = True

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the numbers ``(rows, columns)``, as integers where all of them are whole.

        Raises:
            InputError: words between the numbers, rows of several lengths, or lines too short for an image.
        """
        texts = [
            (number, text)
            for number, line in enumerate(stream.read().decode("utf-8-sig", "replace").splitlines(), 1)
            if (text := line.strip()) and text[0] not in "#%"
        ]
        lines = _with_points(texts)
        while lines and lines[0][1][0].lower() in _ESRI:
            lines.pop(0)
        rows: list[np.ndarray] = []
        for number, words in lines:
            if len(words) == 1 and len(words[0]) > 16 and words[0].isdigit():
                words = list(words[0])  # a digit a voxel
            try:
                rows.append(np.array(words, np.float64))
            except ValueError:
                shown = " ".join(words)[:40]
                raise InputError(
                    f"line {number} is no row of numbers: {shown!r}; remove it, or begin it with #"
                ) from None
        if not rows:
            raise InputError("it holds no numbers")
        width = len(rows[0])
        for (number, words), row in zip(lines, rows, strict=True):
            if len(row) != width and options.shape is None:
                raise InputError(f"line {number} has {len(words)} numbers, but the first row has {width}")
        if options.shape is None and width <= NARROW and len(rows) > width:
            raise InputError(f"{len(rows)} lines of {width} numbers are no rows of an image; give its `shape`")
        grid = np.concatenate(rows) if options.shape is not None else np.stack(rows)
        whole = grid.astype(np.int64, casting="unsafe") if np.isfinite(grid).all() and abs(grid).max() < 2**53 else grid
        return whole if np.array_equal(whole, grid) else grid


def _with_points(texts: list[tuple[int, str]]) -> list[tuple[int, list[str]]]:
    """Cut numbered lines into words, in which a decimal comma is a point."""
    beside = [(number, _BESIDE_COMMAS.split(text.strip(";"))) for number, text in texts]
    has_semicolons = any(";" in text for _, text in texts)
    if has_semicolons or all(len(words) > 1 and all(map(_WITH_COMMA.fullmatch, words)) for _, words in beside):
        return [(number, [word.replace(",", ".") for word in words]) for number, words in beside]
    return [(number, _SEPARATOR.split(text.strip(",;"))) for number, text in texts]
