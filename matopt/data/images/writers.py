"""Microstructures to files that other programs read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from matopt.atomic_write import atomic_write
from matopt.data.images.vti import vti_bytes
from matopt.errors import InputError
from matopt.microstructures import Microstructures


def write(path: Path, microstructures: Microstructures) -> None:
    """Write microstructures to a file, whole or not at all, in the format of its ending.

    - ``.npz``: arrays ``phases`` ``(N, *S)`` and ``voxel_size`` in metres.
    - ``.tif``, ``.tiff``: N images as pages, or one volume as its slices along axis 0; grain 255, pore 0, and the
      resolution in pixels a centimetre.
    - ``.vti``: one image or volume for ParaView; cells with ``phase`` 0 or 1, lengths in metres, x = axis 0.

    Raises:
        InputError: another ending, or more microstructures than the format holds.
        FailureError: the file cannot be written.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"{path}: cannot write {path.suffix!r} files; there are {', '.join(WRITERS)}")
    writer(path, microstructures)


def _npz(path: Path, microstructures: Microstructures) -> None:
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, phases=microstructures.phases, voxel_size=microstructures.voxel_size)


def _tiff(path: Path, microstructures: Microstructures) -> None:
    import tifffile

    volumes = len(microstructures.shape) == 3
    pages = _only(path, microstructures) if volumes else microstructures.phases
    per_centimetre = 0.01 / microstructures.voxel_size
    with atomic_write(path) as temporary:
        tifffile.imwrite(
            temporary,
            pages * np.uint8(255),
            photometric="minisblack",
            compression="zlib",
            resolution=(per_centimetre, per_centimetre),
            resolutionunit="CENTIMETER",
            metadata={"axes": "ZYX" if volumes else "QYX"},
        )


def _vti(path: Path, microstructures: Microstructures) -> None:
    data = vti_bytes(_only(path, microstructures), microstructures.voxel_size)
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def _only(path: Path, microstructures: Microstructures) -> np.ndarray:
    if len(microstructures) != 1:
        raise InputError(
            f"{path}: a {path.suffix} file holds one {len(microstructures.shape)}D microstructure, not "
            f"{len(microstructures)}; write a file for each, or a .npz"
        )
    return microstructures.phases[0]


WRITERS: Mapping[str, Callable[[Path, Microstructures], None]] = {
    ".npz": _npz,
    ".tif": _tiff,
    ".tiff": _tiff,
    ".vti": _vti,
}
"""Writers by ending, in lower case."""
