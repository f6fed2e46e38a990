"""AmiraMesh files (.am) of a regular lattice, as Amira and Avizo write them.

A header of text that declares lattices and their data, then sections ``@1``, ``@2``, ...: binary, ASCII, or packed by
HxZip (zlib) or HxByteRLE. Amira's x runs fastest: axis 0 of the array is x.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format, choose_variable
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.spacing import Spacing
from matopt.errors import InputError

TYPES = {"byte": "u1", "short": "i2", "ushort": "u2", "int": "i4", "int32": "i4", "float": "f4", "double": "f8"}

_FIRST_SECTION = re.compile(rb"^@\d+[ \t]*\r?\n", re.MULTILINE)


@dataclass(frozen=True)
class _Data:
    """One array: its type, its section, how it is packed and into how many bytes."""

    type: str
    section: int
    packing: str
    size: int


@FORMATS.register("amira")
class Amira(Format):
    """One grey level or label a node of a regular lattice."""

    endings = (".am",)
    is_x_first = True
    uses = ("variable",)

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the data asked for, or the only one: ``(nx, ny, nz)``.

        Raises:
            InputError: no regular lattice, no such data, several numbers a node, an unknown packing, or a file that is
                not whole.
        """
        content = stream.read()
        header, order = _header(content)
        shape = _lattice(header)
        found = {
            name: _Data(type_, int(section), packing or "", int(size or 0))
            for type_, name, section, packing, size in re.findall(
                r"Lattice\s*\{\s*(\w+(?:\[\d+\])?)\s+(\w+)\s*\}\s*=?\s*(?:\w+\()?@(\d+)\)?(?:\((\w+)(?:,(\d+))?\))?",
                header,
            )
        }
        data = found[choose_variable({name: shape for name in found}, options.variable)]
        if data.type not in TYPES:
            raise InputError(f"its voxels are {data.type}; save one grey level a voxel")
        dtype = np.dtype(order.replace("text", "<") + TYPES[data.type])
        n = int(np.prod(shape))
        start = re.compile(rb"^@%d[ \t]*\r?\n" % data.section, re.MULTILINE).search(
            content, len(header.encode("latin-1"))
        )
        if start is None:
            raise InputError("its voxels are missing; copy it anew")
        section = content[start.end() :]
        if order == "text":
            values = np.array(section.split(b"@")[0].split()[:n], dtype=dtype)
        else:
            values = np.frombuffer(_unpacked(section, data, n * dtype.itemsize), dtype)
        if len(values) != n:
            raise InputError(f"it holds {len(values)} of its {n} voxels; copy it anew")
        return values.reshape(shape, order="F")

    def spacing(self, stream: BinaryIO, options: ReadOptions) -> Spacing | None:
        """Take the distance of the nodes from the bounding box, with the unit of the coordinates."""
        header, _ = _header(stream.read(1 << 20))
        box = re.search(r"BoundingBox\s+([-+.\deE \t]+)", header)
        if box is None:
            return None
        ends = [float(word) for word in box[1].split()]
        edges = [
            (ends[2 * axis + 1] - ends[2 * axis]) / (n - 1) if n > 1 else None
            for axis, n in enumerate(_lattice(header))
        ]
        unit = re.search(r"Coordinates\s+\"([^\"]+)\"", header)
        return Spacing.of(tuple(edges), unit[1] if unit else None)


def _header(content: bytes) -> tuple[str, str]:
    """Return the text before the first section, and the order of bytes: ``<``, ``>`` or ``text``."""
    first = content[:200].split(b"\n")[0].decode("latin-1")
    if not re.match(r"# (AmiraMesh|Avizo)", first):
        raise InputError("it is no AmiraMesh file")
    end = _FIRST_SECTION.search(content)
    order = "text" if "ASCII" in first else "<" if "LITTLE" in first else ">"
    header = content[: end.start() if end else len(content)]
    try:
        return header.decode("utf-8"), order
    except UnicodeDecodeError:
        return header.decode("latin-1"), order


def _lattice(header: str) -> tuple[int, ...]:
    found = re.search(r"define\s+Lattice\s+(\d+)\s+(\d+)\s+(\d+)", header)
    if found is None:
        raise InputError("it holds no regular lattice of voxels")
    return tuple(int(n) for n in found.groups())


def _unpacked(section: bytes, data: _Data, size: int) -> bytes:
    if data.packing == "":
        return section[:size]
    packed = section[: data.size]
    if data.packing == "HxZip":
        return zlib.decompress(packed)
    if data.packing == "HxByteRLE":
        return _runs(packed)
    raise InputError(f"its voxels are packed by {data.packing}, which is unknown; save it uncompressed")


def _runs(packed: bytes) -> bytes:
    """Unpack runs: a count and a byte to repeat, or a count with the highest bit set and as many bytes to copy."""
    parts, at = [], 0
    while at < len(packed):
        count = packed[at]
        if count & 128:
            parts.append(packed[at + 1 : at + 1 + (count & 127)])
            at += 1 + (count & 127)
        else:
            parts.append(packed[at + 1 : at + 2] * count)
            at += 2
    return b"".join(parts)
