"""What a TIFF file says of the edges of its voxels: by ImageJ, OME, electron microscopes, or its own tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from matopt.data.images.spacing import LEAST_DOTS, Spacing

if TYPE_CHECKING:
    import tifffile

_CENTIMETRE, _INCH = 3, 2


def pixel_spacing(tiff: tifffile.TiffFile, n_axes: int) -> Spacing | None:
    """Find the edges of the voxels of a file whose image has ``n_axes`` axes: (slices,) rows, columns."""
    page = tiff.pages.first
    across, down = (_per_unit(page, name) for name in ("XResolution", "YResolution"))
    pixels = (1 / down if down else None, 1 / across if across else None)
    if tiff.is_ome:
        return _fitted(_ome(tiff.ome_metadata or ""), n_axes)
    said = tiff.imagej_metadata or {}
    if tiff.is_imagej and said.get("unit") not in ("inch", "inches"):  # those are what a printer was told
        return _fitted(Spacing.of((said.get("spacing"), *pixels), said.get("unit")), n_axes)
    if (found := _microscope(tiff)) is not None:
        return _fitted(found, n_axes)
    unit = page.tags.valueof("ResolutionUnit", default=_INCH)
    if unit == _CENTIMETRE:
        return _fitted(Spacing.of((None, *pixels), "cm"), n_axes)
    if unit == _INCH and across and across > LEAST_DOTS:
        inches = tuple(edge * 2.54 if edge else None for edge in pixels)
        return _fitted(Spacing.of((None, *inches), "cm"), n_axes)
    return None


def _fitted(spacing: Spacing | None, n_axes: int) -> Spacing | None:
    return spacing.keep(list(range(3 - n_axes, 3))) if spacing is not None else None


def _per_unit(page: Any, name: str) -> float | None:
    numerator, denominator = page.tags.valueof(name, default=(0, 1))
    return numerator / denominator if numerator and denominator else None


def _ome(text: str) -> Spacing | None:
    pixels = next((e for e in ElementTree.fromstring(text).iter() if e.tag.endswith("}Pixels")), None)
    if pixels is None:
        return None
    said = [
        Spacing.of((float(pixels.get(f"PhysicalSize{axis}", "nan")),), pixels.get(f"PhysicalSize{axis}Unit", "\u00b5m"))
        for axis in "ZYX"
    ]
    return Spacing.of(tuple(s.metres[0] if s is not None and s.metres is not None else None for s in said), "m")


def _microscope(tiff: tifffile.TiffFile) -> Spacing | None:
    """Take the pixel's edge from the tags of FEI and Zeiss."""
    scan = (tiff.fei_metadata or {}).get("Scan", {})
    if scan.get("PixelWidth"):
        return Spacing.of((None, scan.get("PixelHeight"), scan["PixelWidth"]), "m")
    size = (tiff.sem_metadata or {}).get("ap_image_pixel_size") or (tiff.sem_metadata or {}).get("ap_pixel_size")
    return Spacing.of((None, size[1], size[1]), size[2]) if size is not None and len(size) > 2 else None
