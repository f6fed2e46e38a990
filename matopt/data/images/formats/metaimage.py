"""MetaImage files (.mha, and .mhd with the voxels beside it), as ITK and its kin write them.

A header of ``Key = Value`` lines, then the voxels, raw or compressed by zlib:
https://itk.org/Wiki/ITK/MetaIO/Documentation. A file that names its axes is read so that axis 0 of the array is its x.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format, beside
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.spacing import Spacing
from matopt.errors import InputError

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}

_DATA = "ElementDataFile"
"""The last key of a header: where the voxels are."""


@FORMATS.register("metaimage")
class MetaImage(Format):
    """One grey level a voxel; sizes are in millimetres, where the program that wrote the file kept to the format."""

    endings = (".mha", ".mhd")
    is_x_first = True

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the grey levels ``(nx, ny, nz)``, or ``(nx, ny)``.

        Raises:
            InputError: several channels, voxels in several files or as text, or fewer of them than the header says.
        """
        header = _header(stream)
        if int(header.get("ElementNumberOfChannels", "1")) != 1:
            raise InputError("its voxels have several channels; save one grey level a voxel")
        if _is_true(header, "BinaryData", "True") is False:
            raise InputError("its voxels are text; save them as binary data")
        big = _is_true(header, "BinaryDataByteOrderMSB", header.get("ElementByteOrderMSB", "False"))
        dtype = np.dtype((">" if big else "<") + TYPES[header["ElementType"]])
        shape = [int(word) for word in header["DimSize"].split()]
        name = header[_DATA]
        if name == "LOCAL":
            data = stream.read()
        elif name.split()[0] == "LIST" or "%" in name:
            raise InputError("its slices are in files of their own; save it as one .mha file")
        else:
            data = beside(stream, name).read_bytes()
        if _is_true(header, "CompressedData", "False"):
            data = zlib.decompress(data)
        size = int(np.prod(shape)) * dtype.itemsize
        skip = int(header.get("HeaderSize", "0"))
        if skip == -1:
            skip = len(data) - size
        if skip < 0 or len(data) - skip < size:
            raise InputError(f"it holds {len(data)} bytes of the {size} of its voxels; copy it anew")
        return np.frombuffer(data, dtype, int(np.prod(shape)), skip).reshape(shape, order="F")

    def spacing(self, stream: BinaryIO, options: ReadOptions) -> Spacing | None:
        """Take the spacing, or else the size, of the voxels; the unit is whatever the writing program's was."""
        header = _header(stream)
        words = header.get("ElementSpacing") or header.get("ElementSize")
        return Spacing.of(tuple(float(word) for word in words.split())) if words else None

    def others(self, path: Path) -> Sequence[Path]:
        """Return the file of the voxels, where it is another one."""
        with path.open("rb") as stream:
            name = _header(stream).get(_DATA, "LOCAL")
        return [path.parent / name] if (path.parent / name).is_file() else []


def _header(stream: BinaryIO) -> Mapping[str, str]:
    """Read the lines up to the one that says where the voxels are; the stream is left behind it."""
    header: dict[str, str] = {}
    while _DATA not in header:
        line = stream.readline(4096)
        key, equals, value = line.decode("latin-1").partition("=")
        if not equals or not line.endswith(b"\n") or len(header) > 100:
            raise InputError("it has no MetaImage header")
        header[key.strip()] = value.strip()
    return header


def _is_true(header: Mapping[str, str], key: str, default: str) -> bool:
    return header.get(key, default).strip().lower() in ("true", "1")
