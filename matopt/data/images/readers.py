"""From a path to an array of grey levels: files by their ending, folders of slices, zipped files."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from matopt.data.images.formats import FORMATS, Format, Unsaid
from matopt.errors import FailureError, InputError


def read_grey(path: Path, unsaid: Unsaid) -> np.ndarray:
    """The grey levels of a file, of a folder of slices in natural order, or of the one image in a zip.

    Returns:
        An array of bool, integers or floats with 2 or 3 axes of space, as stored.

    Raises:
        InputError: no such path, an unknown ending, a damaged file, nothing or several things to choose from,
            or no image. One line, that begins with the path.
    """
    files = _files(path)
    if path.is_dir():
        return _stack(path, files, unsaid)
    if path.suffix.lower() == ".zip":
        return _zipped(path, unsaid)
    with path.open("rb") as stream:
        return _read(str(path), path.suffix, stream, unsaid)


def content_hash(path: Path) -> str:
    """A hash of what :func:`read_grey` would read, a megabyte at a time; of content, not of where it lies."""
    digest = hashlib.blake2b(digest_size=16)
    for file in _files(path):
        digest.update(f"{file.suffix.lower()} {file.stat().st_size}\n".encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    """The files behind a path, which exist and are not empty."""
    if path.is_dir():
        return _slices(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    if not path.is_file():
        raise InputError(f"{path}: it is neither a file nor a folder")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes); copy it anew")
    return [path]


def _slices(folder: Path) -> list[Path]:
    found = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    slices = [p for p in found if (form := FORMATS.get(p.suffix.lower())) is not None and form.is_slice]
    if not slices:
        raise InputError(f"{folder}: the folder holds no images ({_endings(slices_only=True)})")
    if len({FORMATS[p.suffix.lower()] for p in slices}) > 1:
        kinds = ", ".join(sorted({p.suffix.lower() for p in slices}))
        raise InputError(f"{folder}: the folder mixes {kinds}; keep one kind in it")
    return sorted(slices, key=lambda p: _natural(p.name))


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key by which slice_2 comes before slice_10."""
    words = re.split(r"(\d+)", name)
    return [(1, int(word), "") if i % 2 else (0, 0, word) for i, word in enumerate(words)]


def _stack(folder: Path, files: list[Path], unsaid: Unsaid) -> np.ndarray:
    images: list[np.ndarray] = []
    for file in files:
        with file.open("rb") as stream:
            image = _read(str(file), file.suffix, stream, Unsaid(unsaid.variable, None, unsaid.dtype))
        if image.ndim != 2:
            raise InputError(f"{file}: it has {image.ndim} axes; a slice in a folder must have 2")
        if images and (image.shape, image.dtype) != (images[0].shape, images[0].dtype):
            raise InputError(
                f"{file}: it is {_shape(image)} {image.dtype}, but {files[0].name} is {_shape(images[0])} "
                f"{images[0].dtype}; the slices in a folder must be alike"
            )
        images.append(image)
    return _shaped(str(folder), np.stack(images), unsaid)


def _zipped(path: Path, unsaid: Unsaid) -> np.ndarray:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if Path(n).suffix.lower() in FORMATS and not _is_hidden(n)]
            if len(names) != 1:
                what = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") if names else "no image"
                raise InputError(f"{path}: a zip must hold exactly one image; this one holds {what}; unpack it")
            data = archive.read(names[0])
    except InputError:
        raise
    except MemoryError as error:
        raise FailureError(f"{path}: it does not fit into memory") from error
    except Exception as error:  # BadZipFile, zlib.error, NotImplementedError, RuntimeError (a password), ...
        raise InputError(f"{path}: the zip cannot be read ({_reason(error)}); copy it anew") from error
    if not data:
        raise InputError(f"{path}: {names[0]} in it is empty (0 bytes)")
    return _read(f"{path}: {names[0]}", Path(names[0]).suffix, io.BytesIO(data), unsaid)


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in Path(name).parts)


def _read(name: str, suffix: str, stream: BinaryIO, unsaid: Unsaid) -> np.ndarray:
    form = FORMATS.get(suffix.lower())
    if form is None:
        raise InputError(f"{name}: the ending {suffix!r} is unknown; there are {_endings()}, and .zip with one of them")
    for setting in ("variable", "dtype"):
        if getattr(unsaid, setting) is not None and setting not in form.uses:
            raise InputError(f"{name}: {suffix} files have no {setting} to choose; leave `{setting}` out")
    if stream.read(1) == b"":
        raise InputError(f"{name}: the file is empty (0 bytes); copy it anew")
    stream.seek(0)
    return _shaped(name, _decode(name, suffix, form, stream, unsaid), unsaid)


def _decode(name: str, suffix: str, form: Format, stream: BinaryIO, unsaid: Unsaid) -> np.ndarray:
    try:
        return form.read(stream, unsaid)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except MemoryError as error:
        raise FailureError(f"{name}: it does not fit into memory") from error
    except Exception as error:  # a damaged file makes the libraries raise anything
        raise InputError(f"{name}: it is damaged, or no {suffix} file ({_reason(error)}); copy it anew") from error


def _shaped(name: str, grey: np.ndarray, unsaid: Unsaid) -> np.ndarray:
    grey = np.asarray(grey)
    if grey.dtype.kind not in "buif":
        raise InputError(f"{name}: its {grey.dtype} values are no grey levels; save integers or floats")
    grey = grey.astype(grey.dtype.newbyteorder("="), copy=False)
    if unsaid.shape is not None:
        if grey.size != np.prod(unsaid.shape):
            raise InputError(f"{name}: {_shape(grey)} voxels do not make shape {list(unsaid.shape)}")
        grey = grey.reshape(unsaid.shape)
    if grey.ndim > 3:
        grey = grey.reshape([n for n in grey.shape if n > 1])
    if grey.ndim not in (2, 3) or grey.size == 0:
        raise InputError(f"{name}: {_shape(grey)} is neither an image nor a volume; give its `shape`")
    return grey


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _shape(image: np.ndarray) -> str:
    return " x ".join(map(str, image.shape))


def _endings(slices_only: bool = False) -> str:
    return ", ".join(ending for ending, form in FORMATS.items() if form.is_slice or not slices_only)
