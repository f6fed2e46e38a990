"""The image formats that are read: one function each, from an open file to an array of grey levels.

Each takes a binary stream and what the file does not say of itself, and raises whatever its library raises, or
:class:`~matopt.errors.InputError` with a reason; :mod:`matopt.data.images.readers` adds the file's name to both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from matopt.data.images.greyscale import one_grey
from matopt.data.images.tiff import read_tiff
from matopt.data.images.vti import read_vti
from matopt.errors import InputError


@dataclass(frozen=True)
class Unsaid:
    """What some files do not say of themselves.

    Attributes:
        variable: which of the arrays in a NPZ, MAT, HDF5 or VTI file; not needed where one alone is an image.
        shape: of the array; raw files have none, and a matrix with an image in each row has another.
        dtype: of a raw file's numbers, as NumPy writes it: "uint8", ">u2".
    """

    variable: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: str | None = None


def _picture(stream: BinaryIO, unsaid: Unsaid) -> np.ndarray:
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


def _npy(stream: BinaryIO, unsaid: Unsaid) -> np.ndarray:
    return np.lib.format.read_array(stream, allow_pickle=False)


def _npz(stream: BinaryIO, unsaid: Unsaid) -> np.ndarray:
    with np.load(stream, allow_pickle=False) as archive:
        if unsaid.variable is not None and unsaid.variable in archive.files:
            return archive[unsaid.variable]
        arrays = {name: archive[name] for name in archive.files}
    return arrays[_choose({name: array.shape for name, array in arrays.items()}, unsaid.variable)]


def _mat(stream: BinaryIO, unsaid: Unsaid) -> np.ndarray:
    head = stream.read(128)
    stream.seek(0)
    if head.startswith(b"MATLAB 7.3"):
        return _hdf5(stream, unsaid).T  # MATLAB writes its columns as HDF5's rows
    import scipy.io

    shapes = {name: shape for name, shape, _ in scipy.io.whosmat(stream)}
    name = _choose(shapes, unsaid.variable)
    stream.seek(0)
    return scipy.io.loadmat(stream, variable_names=[name])[name]


def _hdf5(stream: BinaryIO, unsaid: Unsaid) -> np.ndarray:
    import h5py

    with h5py.File(stream, "r") as file:
        shapes: dict[str, tuple[int, ...]] = {}

        def note(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset) and not name.startswith("#"):  # MATLAB keeps its cells under #refs#
                shapes[name] = item.shape

        file.visititems(note)
        variable = unsaid.variable.strip("/") if unsaid.variable is not None else None
        return file[_choose(shapes, variable)][()]


def _vti(stream: BinaryIO, unsaid: Unsaid) -> np.ndarray:
    arrays = read_vti(stream)
    names = list(arrays)
    if unsaid.variable is None and len(names) == 1:
        return arrays[names[0]]()
    if unsaid.variable not in arrays:
        raise InputError(f"{_which(unsaid.variable)}; it holds {', '.join(names) or 'no arrays'}")
    return arrays[unsaid.variable]()


def _raw(stream: BinaryIO, unsaid: Unsaid) -> np.ndarray:
    if unsaid.shape is None or unsaid.dtype is None:
        raise InputError("a raw file does not say what it holds; add `shape: [400, 400, 400]` and `dtype: uint8`")
    try:
        dtype = np.dtype(unsaid.dtype)
    except TypeError:
        raise InputError(f"dtype {unsaid.dtype!r} is unknown; write it as NumPy does: uint8, <u2, >f4") from None
    data = stream.read()
    expected = math.prod(unsaid.shape) * dtype.itemsize
    if len(data) != expected:
        raise InputError(f"it holds {len(data)} bytes, but {_times(unsaid.shape)} {dtype} are {expected}")
    return np.frombuffer(data, dtype)


@dataclass(frozen=True)
class Format:
    """A way in which images are stored.

    Attributes:
        read: from an open file to an array.
        uses: which of :class:`Unsaid` besides ``shape`` it takes.
        is_slice: whether a folder of such files is a volume or a stack.
    """

    read: Callable[[BinaryIO, Unsaid], np.ndarray]
    uses: tuple[str, ...] = ()
    is_slice: bool = False


_TIFF = Format(lambda stream, unsaid: read_tiff(stream), is_slice=True)
_PICTURE = Format(_picture, is_slice=True)
_HDF5 = Format(_hdf5, uses=("variable",))
_RAW = Format(_raw, uses=("dtype",))

FORMATS: Mapping[str, Format] = {
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".png": _PICTURE,
    ".jpg": _PICTURE,
    ".jpeg": _PICTURE,
    ".npy": Format(_npy),
    ".npz": Format(_npz, uses=("variable",)),
    ".mat": Format(_mat, uses=("variable",)),
    ".h5": _HDF5,
    ".hdf5": _HDF5,
    ".raw": _RAW,
    ".bin": _RAW,
    ".vti": Format(_vti, uses=("variable",)),
}
"""Formats by ending, in lower case."""


def _choose(shapes: Mapping[str, tuple[int, ...]], variable: str | None) -> str:
    """The variable asked for, or the only one that is an image."""
    if variable is not None and variable in shapes:
        return variable
    images = [name for name, shape in shapes.items() if sum(n > 1 for n in shape) >= 2]
    if variable is None and len(images) == 1:
        return images[0]
    held = ", ".join(f"{name} ({_times(shape)})" for name, shape in shapes.items()) or "nothing"
    raise InputError(f"{_which(variable)}; it holds {held}")


def _which(variable: str | None) -> str:
    return f"it has no variable {variable!r}" if variable is not None else "say which `variable` is the image"


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"
