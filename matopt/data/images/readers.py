"""Reading grey levels: from files by their format, from folders of slices, from packed files."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from matopt.data.images.axes import as_image
from matopt.data.images.format_lookup import candidates, endings_text, format_for
from matopt.data.images.formats.base import Format, shape_text
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.slices import ordered
from matopt.data.images.spacing import Spacing
from matopt.data.images.unread import ADVICE
from matopt.errors import FailureError, InputError, named, warn
from matopt.machine_memory import GIB, machine_memory

T = TypeVar("T")

_PAGE = "it is a web page in place of the file; download the file itself"
_INSTEAD = {
    b"version https://git-lfs": "it is a pointer of Git LFS in place of the file; fetch that with `git lfs pull`",
    b"/annex/objects/": "it is a pointer of git-annex in place of the file; fetch that with `git annex get`",
    b"<!doctype html": _PAGE,
    b"<html": _PAGE,
}
"""How a file begins that was left in place of another."""


def read_grey(path: Path, options: ReadOptions) -> np.ndarray:
    """Read the grey levels of a file, as :func:`read_image` does, without what it says of its voxels."""
    return read_image(path, options)[0]


def read_image(path: Path, options: ReadOptions) -> tuple[np.ndarray, Spacing | None]:
    """Read a file, a folder of slices in the order of their numbers, or the one image in a zip or a gz.

    What can be read but looks wrong, as slices that are missing, is said by an ``InputWarning`` that begins with the
    path.

    Returns:
        An array of bool, integers or floats with 2 or 3 axes of space, as stored; and what the file says of the edges
        of its voxels, along the same axes.

    Raises:
        InputError: no such path, an unknown ending, a damaged file, nothing or several things to choose from,
            or no image. One line, that begins with the path.
    """
    formats = candidates(options.format)
    if path.is_dir():
        return _stack(path, _slices(path, formats), options)
    _files(path, formats)
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return _zipped(path, formats, options)
    inner = Path(path.stem).suffix if suffix == ".gz" else path.suffix
    form = formats[0] if options.format is not None else format_for(inner, formats)
    if form is None:
        advice = ADVICE.get(inner.lower())
        known = f"there are {endings_text(formats)}, and .zip or .gz with one of them"
        raise InputError(
            f"{path}: {inner} files are not read: {advice}"
            if advice
            else f"{path}: the ending {inner!r} is unknown; {known}; a reader of your own is named as "
            "`format: reader.py:Name`"
        )
    if suffix == ".gz":
        return _read(str(path), inner, io.BytesIO(_unpacked(path)), form, options)
    with path.open("rb") as stream:
        return _read(str(path), inner, stream, form, options)


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
    form = formats[0] if len(formats) == 1 else format_for(path.suffix, formats)
    if form is None or path.suffix.lower() in (".zip", ".gz"):
        return [path]
    others = form.others
    return [path, *_attempt(str(path), path.suffix, lambda: others(path))]


def _slices(folder: Path, formats: list[Format]) -> dict[Path, Format]:
    """The slices in a folder, in the order of their numbers, and the one format that they are in."""
    of_slices = [form for form in formats if form.is_slice]
    found = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    slices = {p.name: form for p in found if (form := format_for(p.suffix, of_slices)) is not None}
    if not slices:
        held = ", ".join(sorted({p.suffix.lower() for p in found if p.suffix})[:5])
        what = f"; name one of its files ({held})" if held else ""
        raise InputError(f"{folder}: the folder holds no images ({endings_text(of_slices) or 'of this format'}){what}")
    if len(set(slices.values())) > 1:
        kinds = ", ".join(sorted({Path(name).suffix.lower() for name in slices}))
        raise InputError(f"{folder}: the folder mixes {kinds}; keep one kind in it, or name files: '{folder}/*'")
    return {folder / name: slices[name] for name in ordered(list(slices))[0]}


def _stack(folder: Path, slices: dict[Path, Format], options: ReadOptions) -> tuple[np.ndarray, Spacing | None]:
    first = next(iter(slices))
    if (remark := ordered([file.name for file in slices])[1]) is not None:
        with named(str(folder)):
            warn(remark)
    images: list[np.ndarray] = []
    said: Spacing | None = None
    of_slice = replace(options, shape=None)
    for file, form in slices.items():
        with file.open("rb") as stream:
            image, spacing = _read(str(file), file.suffix, stream, form, of_slice)
        if image.ndim != 2:
            raise InputError(f"{file}: it has {image.ndim} axes; a slice in a folder must have 2")
        if images and (image.shape, image.dtype) != (images[0].shape, images[0].dtype):
            raise InputError(
                f"{file}: it is {shape_text(image.shape)} {image.dtype}, but {first.name} is "
                f"{shape_text(images[0].shape)} {images[0].dtype}; the slices in a folder must be alike"
            )
        if not images and spacing is not None:
            said = Spacing((None, *spacing.edges), spacing.unit)
        images.append(image)
    return _attempt(str(folder), "", lambda: as_image(np.stack(images), said, options))


def _zipped(path: Path, formats: list[Format], options: ReadOptions) -> tuple[np.ndarray, Spacing | None]:
    try:
        with zipfile.ZipFile(path) as archive:
            found = {n: format_for(Path(n).suffix, formats) for n in archive.namelist() if not _is_hidden(n)}
            names = [
                name
                for name, form in found.items()
                if form is not None and not (form.is_often_other and options.format is None)
            ]
            if len(names) != 1:
                what = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") if names else "no image"
                raise InputError(f"{path}: a zip must hold exactly one image; this one holds {what}; unpack it")
            _refuse_beyond_memory(f"{path}: {names[0]}", archive.getinfo(names[0]).file_size)
            data = archive.read(names[0])
    except (InputError, FailureError):
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


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as stream:
            unpacked = io.BytesIO()
            while block := stream.read(1 << 24):
                unpacked.write(block)
                _refuse_beyond_memory(str(path), unpacked.tell())
            return unpacked.getvalue()
    except FailureError:
        raise
    except MemoryError as error:
        raise FailureError(f"{path}: it does not fit into memory") from error
    except Exception as error:  # BadGzipFile, EOFError, zlib.error
        raise InputError(f"{path}: it cannot be unpacked ({_reason(error)}); copy it anew") from error


def _refuse_beyond_memory(name: str, unpacked: int) -> None:
    """Refuse what is packed so well that it would not fit into memory, once as bytes and once as an image."""
    if 2 * unpacked > (memory := machine_memory()):
        raise FailureError(
            f"{name}: unpacked it holds {unpacked / GIB:.1f} GiB or more, and this machine has {memory / GIB:.1f}; "
            "cut a part out of it"
        )


def _is_hidden(name: str) -> bool:
    return name.endswith("/") or any(part.startswith((".", "__MACOSX")) for part in Path(name).parts)


def _read(
    name: str, suffix: str, stream: BinaryIO, form: Format, options: ReadOptions
) -> tuple[np.ndarray, Spacing | None]:
    for setting in ("variable", "dtype", "offset"):
        if getattr(options, setting) is not None and setting not in form.uses:
            raise InputError(f"{name}: {suffix} files have no {setting} to choose; leave `{setting}` out")
    beginning = stream.read(64).lstrip().lower()
    if beginning == b"" and not stream.read(1):
        raise InputError(f"{name}: the file is empty (0 bytes); copy it anew")
    for begin, what in _INSTEAD.items():
        if beginning.startswith(begin):
            raise InputError(f"{name}: {what}")
    stream.seek(0)

    def read() -> tuple[np.ndarray, Spacing | None]:
        grey = form.read(stream, options)
        stream.seek(0)
        return as_image(grey, form.spacing(stream, options), options)

    return _attempt(name, suffix, read)


def _attempt(name: str, suffix: str, work: Callable[[], T]) -> T:
    """Do what reads a file; errors and warnings come out with its name in front."""
    try:
        with named(name):
            return work()
    except InputError:
        raise
    except MemoryError as error:
        raise FailureError(f"{name}: it does not fit into memory") from error
    except Exception as error:  # a damaged file makes the libraries raise anything
        raise InputError(f"{name}: it is damaged, or no {suffix} file ({_reason(error)}); copy it anew") from error


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
