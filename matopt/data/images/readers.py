"""Reading grey levels: from files by their format, from folders of slices, from zipped files."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from matopt.data.images.format_lookup import candidates, endings_text, format_for
from matopt.data.images.formats.base import Format, shape_text
from matopt.data.images.read_options import ReadOptions
from matopt.errors import FailureError, InputError


def read_grey(path: Path, options: ReadOptions) -> np.ndarray:
    """Read the grey levels of a file, of a folder of slices in natural order, or of the one image in a zip.

    Returns:
        An array of bool, integers or floats with 2 or 3 axes of space, as stored.

    Raises:
        InputError: no such path, an unknown ending, a damaged file, nothing or several things to choose from,
            or no image. One line, that begins with the path.
    """
    formats = candidates(options.format)
    if path.is_dir():
        return _stack(path, _slices(path, formats), options)
    _files(path, formats)
    if path.suffix.lower() == ".zip":
        return _zipped(path, formats, options)
    form = formats[0] if options.format is not None else format_for(path.suffix, formats)
    if form is None:
        raise InputError(
            f"{path}: the ending {path.suffix!r} is unknown; there are {endings_text(formats)}, and .zip with one of "
            "them; a reader of your own is named as `format: reader.py:Name`"
        )
    with path.open("rb") as stream:
        return _read(str(path), path.suffix, stream, form, options)


def content_hash(path: Path, format: str | None = None) -> str:
    """Hash what :func:`read_grey` would read, a megabyte at a time: the content, not where it lies.

    Args:
        path: a file or a folder of slices.
        format: as in :class:`~matopt.data.images.read_options.ReadOptions`; it tells which files are slices.

    Raises:
        InputError: no such path, or a folder of no or several kinds of slices.
    """
    digest = hashlib.blake2b(digest_size=16)
    for file in _files(path, candidates(format)):
        digest.update(f"{file.suffix.lower()} {file.stat().st_size}\n".encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _files(path: Path, formats: list[Format]) -> list[Path]:
    """The files behind a path, which exist and are not empty."""
    if path.is_dir():
        return list(_slices(path, formats))
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    if not path.is_file():
        raise InputError(f"{path}: it is neither a file nor a folder")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes); copy it anew")
    return [path]


def _slices(folder: Path, formats: list[Format]) -> dict[Path, Format]:
    """The slices in a folder, in natural order, and the one format that they are in."""
    of_slices = [form for form in formats if form.is_slice]
    found = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    slices = {p: form for p in found if (form := format_for(p.suffix, of_slices)) is not None}
    if not slices:
        raise InputError(f"{folder}: the folder holds no images ({endings_text(of_slices) or 'of this format'})")
    if len(set(slices.values())) > 1:
        kinds = ", ".join(sorted({p.suffix.lower() for p in slices}))
        raise InputError(f"{folder}: the folder mixes {kinds}; keep one kind in it")
    return {p: slices[p] for p in sorted(slices, key=lambda p: _natural(p.name))}


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key by which slice_2 comes before slice_10."""
    words = re.split(r"(\d+)", name)
    return [(1, int(word), "") if i % 2 else (0, 0, word) for i, word in enumerate(words)]


def _stack(folder: Path, slices: dict[Path, Format], options: ReadOptions) -> np.ndarray:
    first = next(iter(slices))
    images: list[np.ndarray] = []
    of_slice = replace(options, shape=None)
    for file, form in slices.items():
        with file.open("rb") as stream:
            image = _read(str(file), file.suffix, stream, form, of_slice)
        if image.ndim != 2:
            raise InputError(f"{file}: it has {image.ndim} axes; a slice in a folder must have 2")
        if images and (image.shape, image.dtype) != (images[0].shape, images[0].dtype):
            raise InputError(
                f"{file}: it is {shape_text(image.shape)} {image.dtype}, but {first.name} is "
                f"{shape_text(images[0].shape)} {images[0].dtype}; the slices in a folder must be alike"
            )
        images.append(image)
    return _shaped(str(folder), np.stack(images), options)


def _zipped(path: Path, formats: list[Format], options: ReadOptions) -> np.ndarray:
    try:
        with zipfile.ZipFile(path) as archive:
            found = {n: format_for(Path(n).suffix, formats) for n in archive.namelist() if not _is_hidden(n)}
            names = [name for name, form in found.items() if form is not None]
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
    form = found[names[0]]
    assert form is not None
    return _read(f"{path}: {names[0]}", Path(names[0]).suffix, io.BytesIO(data), form, options)


def _is_hidden(name: str) -> bool:
    return name.endswith("/") or any(part.startswith((".", "__MACOSX")) for part in Path(name).parts)


def _read(name: str, suffix: str, stream: BinaryIO, form: Format, options: ReadOptions) -> np.ndarray:
    for setting in ("variable", "dtype"):
        if getattr(options, setting) is not None and setting not in form.uses:
            raise InputError(f"{name}: {suffix} files have no {setting} to choose; leave `{setting}` out")
    if stream.read(1) == b"":
        raise InputError(f"{name}: the file is empty (0 bytes); copy it anew")
    stream.seek(0)
    return _shaped(name, _decode(name, suffix, form, stream, options), options)


def _decode(name: str, suffix: str, form: Format, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
    try:
        return form.read(stream, options)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except MemoryError as error:
        raise FailureError(f"{name}: it does not fit into memory") from error
    except Exception as error:  # a damaged file makes the libraries raise anything
        raise InputError(f"{name}: it is damaged, or no {suffix} file ({_reason(error)}); copy it anew") from error


def _shaped(name: str, grey: np.ndarray, options: ReadOptions) -> np.ndarray:
    grey = np.asarray(grey)
    if grey.dtype.kind not in "buif":
        raise InputError(f"{name}: its {grey.dtype} values are no grey levels; save integers or floats")
    grey = grey.astype(grey.dtype.newbyteorder("="), copy=False)
    if options.shape is not None:
        if grey.size != np.prod(options.shape):
            raise InputError(f"{name}: {shape_text(grey.shape)} voxels do not make shape {list(options.shape)}")
        grey = grey.reshape(tuple(options.shape))
    if grey.ndim > 3:
        grey = grey.reshape([n for n in grey.shape if n > 1])
    if grey.ndim not in (2, 3) or grey.size == 0:
        raise InputError(f"{name}: {shape_text(grey.shape)} is neither an image nor a volume; give its `shape`")
    return grey


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
