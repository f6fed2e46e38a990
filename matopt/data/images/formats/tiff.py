"""TIFF files, one image or a stack of pages, and whether they are whole."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from matopt.data.images.colours import colour_text, grey_or_named
from matopt.data.images.formats.base import FORMATS, WritableFormat, only_one, shape_text
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.spacing import Spacing
from matopt.data.images.tiff_spacing import pixel_spacing
from matopt.errors import InputError, warn
from matopt.microstructures import Microstructures

if TYPE_CHECKING:
    import tifffile


_READ = (0, 1, 2, 3, 4, 6)
"""Photometric interpretations that are read: grey either way, colours, palettes, masks, and JPEG's, of which tifffile
makes red, green and blue."""

_INKS = {"SEPARATED": "inks (CMYK)", "CIELAB": "CIELAB", "ICCLAB": "CIELAB", "ITULAB": "CIELAB"}


@FORMATS.register("tiff")
class Tiff(WritableFormat):
    """One image, or a volume or stack whose slices are the pages of the file."""

    endings = (".tif", ".tiff")
    is_slice = True

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the grey levels ``(rows, columns)`` or ``(pages, rows, columns)``.

        The numbers are those stored, as in ImageJ, even where the file says that 0 is to be shown white or has a
        palette: in scans those are a matter of display. (The Berea sandstone of Imperial College is such a file; 0 is
        its pore.) Where no rule says which level is pore, that is told by an ``InputWarning``.

        Raises:
            InputError: several images, channels or times, real colours, or a file that is not whole.
        """
        import tifffile

        end = stream.seek(0, 2)
        stream.seek(0)
        with _no_quiet_loss(), tifffile.TiffFile(stream) as tiff:
            series = tiff.series
            if len({(s.shape, s.dtype) for s in series}) != 1 or (len(series) > 1 and not all(map(_is_page, series))):
                shapes = Counter(shape_text(s.shape) for s in series)
                held = ", ".join(f"{shape} ({n} times)" if n > 1 else shape for shape, n in shapes.items())
                raise InputError(f"its pages do not make one image: {held}; save the pages of one size alone")
            pages = [page for s in series for page in s.pages]
            for number, page in enumerate(pages, 1):
                spans = zip(page.dataoffsets, page.databytecounts, strict=True) if page is not None else ()
                if any(offset + size > end for offset, size in spans):
                    raise InputError(f"it is cut short in page {number} of {len(pages)}; copy it anew")
            _check_meaning(tiff.pages.first, options)
            images = [_grey(s.asarray(), s.axes, options) for s in series]
        return images[0] if len(images) == 1 else np.stack(images)

    def spacing(self, stream: BinaryIO, options: ReadOptions) -> Spacing | None:
        """Take what ImageJ, OME, an electron microscope or the tags of resolution say of the pixels and slices."""
        import tifffile

        with tifffile.TiffFile(stream) as tiff:
            axes = tiff.series[0].axes.replace("S", "")
            shape = [n for n, axis in zip(tiff.series[0].shape, tiff.series[0].axes, strict=True) if axis != "S"]
            kept = sum(n > 1 or axis in "YX" for n, axis in zip(shape, axes, strict=True)) + (len(tiff.series) > 1)
            return pixel_spacing(tiff, kept)

    def write(self, stream: BinaryIO, microstructures: Microstructures) -> None:
        """Write N images as pages, or one volume as its slices along axis 0: grain 255, pore 0, with the resolution.

        Raises:
            InputError: several volumes.
        """
        import tifffile

        is_volume = len(microstructures.shape) == 3
        pages = only_one(microstructures, ".tif") if is_volume else microstructures.phases
        per_centimetre = 0.01 / microstructures.voxel_size
        tifffile.imwrite(
            stream,
            pages * np.uint8(255),
            photometric="minisblack",
            compression="zlib",
            resolution=(per_centimetre, per_centimetre),
            resolutionunit="CENTIMETER",
            metadata={"axes": "ZYX" if is_volume else "QYX"},
        )


def _is_page(series: tifffile.TiffPageSeries) -> bool:
    """Whether a series is one image, in grey or in colours."""
    return all(n == 1 or axis in "YXS" for n, axis in zip(series.shape, series.axes, strict=True))


def _check_meaning(page: tifffile.TiffPage, options: ReadOptions) -> None:
    """Refuse numbers that are neither grey nor red, green and blue, and tell of a display that swaps light and dark."""
    import tifffile

    kind = page.photometric
    if kind not in _READ:
        name = tifffile.PHOTOMETRIC(kind).name
        raise InputError(f"its colours are {_INKS.get(name, name)}; save it in grey, or in red, green and blue")
    if options.phases is not None or options.threshold is not None:
        return
    if kind == tifffile.PHOTOMETRIC.MINISWHITE:
        warn("its lowest level is shown white, the highest black; the numbers that are stored count")
    elif kind == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        tables = page.colormap.astype(np.int64).sum(0)
        if (np.diff(tables) < 0).any():
            shown = ", ".join(f"{i} as {colour_text(_eight_bits(page.colormap[:, i]))}" for i in range(2))
            warn(f"it shows its levels in colours ({shown}, ...); the numbers that are stored count")


def _eight_bits(colour: np.ndarray) -> int:
    red, green, blue = (int(channel) >> 8 for channel in colour)
    return red << 16 | green << 8 | blue


def _grey(image: np.ndarray, axes: str, options: ReadOptions) -> np.ndarray:
    """Reduce a series to the grey levels, or named colours, of its pages."""
    if "S" in axes:
        image = np.moveaxis(image, axes.index("S"), -1)
        axes = axes.replace("S", "")
        flat = image.reshape(-1, *image.shape[-2:])
        image = grey_or_named(flat, options.phases).reshape(image.shape[:-1])
    for axis in [a for a in axes if a not in "YX"][1:]:
        if image.shape[axes.index(axis)] != 1:
            raise InputError(f"it has {shape_text(image.shape)} points along {axes}; save one image or one volume")
    return image.reshape([n for n, axis in zip(image.shape, axes, strict=True) if n > 1 or axis in "YX"])


@contextmanager
def _no_quiet_loss() -> Generator[None]:
    """Make an error of what tifffile only logs: pages that it cannot find, data that it sets to zero.

    Complaints about single tags stay out: many instruments write odd ones, and tifffile raises by itself where it
    cannot do without one.
    """
    complaints: list[str] = []
    thread = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            message = record.getMessage()
            if record.thread == thread and not message.startswith(("<TiffTag", "<tifffile.TiffTag")):
                complaints.append(message)

    log = logging.getLogger("tifffile")
    listener, propagate = Listener(logging.WARNING), log.propagate
    log.addHandler(listener)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(listener)
        log.propagate = propagate
    if complaints:
        raise InputError(f"it is damaged or not whole ({complaints[0]}); copy it anew, or save it anew with ImageJ")
