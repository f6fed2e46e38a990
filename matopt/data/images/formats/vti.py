"""VTK ImageData files (.vti), as ParaView reads and writes them.

The format is that of https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html: data in the XML as
text or base64, or appended as base64 or raw bytes; whole, or in compressed blocks. VTK's x runs fastest, so arrays
are in Fortran order here: axis 0 of an array is ParaView's x.
"""

from __future__ import annotations

import base64
import lzma
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np

from matopt.data.images.formats.base import FORMATS, WritableFormat, only_one, variable_problem
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.spacing import Spacing
from matopt.errors import InputError
from matopt.microstructures import Microstructures

TYPES = {
    "Int8": "i1",
    "UInt8": "u1",
    "Int16": "i2",
    "UInt16": "u2",
    "Int32": "i4",
    "UInt32": "u4",
    "Int64": "i8",
    "UInt64": "u8",
    "Float32": "f4",
    "Float64": "f8",
}


def _lz4(data: bytes, size: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.lz4_decode(data, out=size))


DECOMPRESSORS: dict[str, Callable[[bytes, int], bytes]] = {
    "vtkZLibDataCompressor": lambda data, size: zlib.decompress(data),
    "vtkLZMADataCompressor": lambda data, size: lzma.decompress(data),
    "vtkLZ4DataCompressor": _lz4,
}

BLOCK = 1 << 20
"""Bytes in a compressed block of the files written here."""


@FORMATS.register("vti")
class Vti(WritableFormat):
    """Scalar arrays on the cells or points of a regular grid."""

    endings = (".vti",)
    is_x_first = True
    uses = ("variable",)

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the array asked for, or the only one: ``(nx, ny, nz)``, or ``(nx, ny)`` of a single layer.

        Raises:
            InputError: no such array, no ImageData, several pieces or components, or an unknown compressor.
        """
        arrays = read_vti(stream)
        names = list(arrays)
        if options.variable is None and len(names) == 1:
            return arrays[names[0]]()
        if options.variable not in arrays:
            raise InputError(f"{variable_problem(options.variable)}; it holds {', '.join(names) or 'no arrays'}")
        return arrays[options.variable]()

    def spacing(self, stream: BinaryIO, options: ReadOptions) -> Spacing | None:
        """Take the spacing along the axes that have more than one layer; VTK knows of no unit."""
        head = stream.read(1 << 16)
        found = re.search(rb"<ImageData[^>]*\bSpacing\s*=\s*[\"']([^\"']+)", head)
        edges = tuple(float(word) for word in found[1].split()) if found else ()
        piece = re.search(rb"<Piece[^>]*\bExtent\s*=\s*[\"']([^\"']+)", head)
        extent = [int(word) for word in piece[1].split()] if piece else [0] * 6
        has_layers = extent[5] - extent[4] > 1 or (extent[5] - extent[4] == 1 and b"<CellData" not in head)
        return Spacing.of(edges if has_layers else edges[:2])

    def write(self, stream: BinaryIO, microstructures: Microstructures) -> None:
        """Write one image or volume for ParaView: cells with ``phase`` 0 or 1, lengths in metres, x = axis 0.

        Raises:
            InputError: several microstructures.
        """
        stream.write(vti_bytes(only_one(microstructures, ".vti"), microstructures.voxel_size))


@dataclass(frozen=True)
class _Coding:
    """The encoding of a file's arrays: byte order, size of headers, compression."""

    byte_order: str
    header: np.dtype
    decompress: Callable[[bytes, int], bytes] | None

    def unpack(self, data: bytes, is_base64: bool) -> bytes:
        """Decode an array's bytes, out of bytes that begin with the array's header."""
        take = _Base64(data) if is_base64 else _Plain(data)
        if self.decompress is None:
            (size,) = self._integers(take(self.header.itemsize))
            return take.rest(size)
        (blocks,) = self._integers(take.peek(self.header.itemsize))
        head = self._integers(take((3 + blocks) * self.header.itemsize))
        full, last, sizes = head[1], head[2], head[3:]
        packed = take.rest(sum(sizes))
        parts, start = [], 0
        for i, size in enumerate(sizes):
            parts.append(self.decompress(packed[start : start + size], last if last and i == blocks - 1 else full))
            start += size
        return b"".join(parts)

    def _integers(self, data: bytes) -> list[int]:
        return np.frombuffer(data, self.header).tolist()


class _Plain:
    """A reader that takes bytes off the front of raw data."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def peek(self, size: int) -> bytes:
        return self._data[self._at : self._at + size]

    def __call__(self, size: int) -> bytes:
        taken = self.peek(size)
        self._at += size
        return taken

    def rest(self, size: int) -> bytes:
        return self(size)


class _Base64:
    """A reader that takes bytes off the front of base64 text, whose header may be padded as a word of its own."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._over = data, 0, b""

    def peek(self, size: int) -> bytes:
        return self._decode(size)[:size]

    def __call__(self, size: int) -> bytes:
        decoded = self._decode(size)
        self._at += -(-size // 3) * 4
        self._over = decoded[size:]  # bytes of what follows, where the header is not a word of its own
        return decoded[:size]

    def rest(self, size: int) -> bytes:
        return self._over + self._decode(size - len(self._over))[: size - len(self._over)]

    def _decode(self, size: int) -> bytes:
        return base64.b64decode(self._data[self._at : self._at + -(-size // 3) * 4])


def read_vti(stream: BinaryIO) -> dict[str, Callable[[], np.ndarray]]:
    """Read the arrays of a file by name, each decoded when it is called: ``(nx, ny, nz)`` or ``(nx, ny)``.

    Raises:
        InputError: no ImageData, several pieces, or an unknown compressor.
    """
    data = stream.read()
    appended = re.search(rb"<AppendedData[^>]*>\s*_", data)
    if appended is None:
        text, blob, appended_base64 = data, b"", False
    else:  # raw bytes are no XML: only what stands before them is parsed
        text, blob = data[: appended.start()] + b"</VTKFile>", data[appended.end() :]
        appended_base64 = b"base64" in appended[0]
    root = ElementTree.fromstring(text)
    if root.tag != "VTKFile" or root.get("type") != "ImageData":
        raise InputError(f"it holds {root.get('type', root.tag)}, not VTK ImageData")
    pieces = root.findall("./ImageData/Piece")
    if len(pieces) != 1:
        raise InputError(f"it is in {len(pieces)} pieces; save it as one")
    compressor = root.get("compressor")
    if compressor is not None and compressor not in DECOMPRESSORS:
        raise InputError(f"its compressor {compressor!r} is unknown; save it with zlib")
    order = "<" if root.get("byte_order", "LittleEndian") == "LittleEndian" else ">"
    coding = _Coding(
        order,
        np.dtype(order + TYPES[root.get("header_type", "UInt32")]),
        DECOMPRESSORS[compressor] if compressor else None,
    )
    extent = [int(word) for word in pieces[0].attrib["Extent"].split()]
    cells = [extent[2 * i + 1] - extent[2 * i] for i in range(3)]
    arrays = {}
    for section, shape in (("CellData", cells), ("PointData", [n + 1 for n in cells])):
        for element in pieces[0].findall(f"./{section}/DataArray"):
            arrays[element.get("Name", section)] = _array(element, tuple(shape), coding, blob, appended_base64)
    return arrays


def _array(
    element: ElementTree.Element, shape: tuple[int, ...], coding: _Coding, blob: bytes, appended_base64: bool
) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        if int(element.get("NumberOfComponents", 1)) != 1:
            raise InputError(f"{element.get('Name')!r} has several components; save one grey level a voxel")
        dtype = np.dtype(coding.byte_order + TYPES[element.attrib["type"]])
        text = (element.text or "").encode()
        if element.get("format") == "ascii":
            values = np.array(text.split(), dtype=dtype)
        elif element.get("format") == "appended":
            values = np.frombuffer(coding.unpack(blob[int(element.attrib["offset"]) :], appended_base64), dtype)
        else:
            values = np.frombuffer(coding.unpack(text.strip(), True), dtype)
        image = values.astype(dtype.newbyteorder("="), copy=False).reshape(shape, order="F")
        return image[:, :, 0] if shape[2] == 1 else image

    return load


def vti_bytes(phases: np.ndarray, voxel_size: float) -> bytes:
    """Encode one image ``(nx, ny)`` or volume ``(nx, ny, nz)`` of uint8 phases: a cell for each voxel."""
    flat = phases.ravel(order="F").tobytes()
    blocks = [flat[i : i + BLOCK] for i in range(0, len(flat), BLOCK)]
    packed = [zlib.compress(block) for block in blocks]
    head = np.array([len(blocks), BLOCK, len(flat) % BLOCK, *map(len, packed)], "<u8").tobytes()
    data = (base64.b64encode(head) + base64.b64encode(b"".join(packed))).decode()
    nx, ny, nz = (*phases.shape, 1)[:3]
    extent = f"0 {nx} 0 {ny} 0 {nz}"
    spacing = f"{voxel_size!r} {voxel_size!r} {voxel_size!r}"
    return f"""<?xml version="1.0"?>
<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64"
         compressor="vtkZLibDataCompressor">
  <ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{spacing}">
    <Piece Extent="{extent}">
      <PointData/>
      <CellData Scalars="phase">
        <DataArray type="UInt8" Name="phase" format="binary" RangeMin="0" RangeMax="1">{data}</DataArray>
      </CellData>
    </Piece>
  </ImageData>
</VTKFile>
""".encode()
