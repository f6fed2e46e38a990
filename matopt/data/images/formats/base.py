"""The base class of image formats, and the family of all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np

from matopt.data.images.read_options import ReadOptions
from matopt.data.images.spacing import Spacing
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.registry import Registry


class Format(ABC):
    """A way in which an image or a volume of grey levels is stored in a file.

    Attributes:
        endings: of such files, with the dot and in lower case; empty where only ``format`` can name it.
        uses: which of the options ``variable``, ``dtype`` and ``offset`` it takes; ``shape`` is applied to what any
            format gives.
        is_slice: a folder of such files is a volume or a stack, a slice a file.
        is_x_first: such a file names its axes x, y, z, and axis 0 of the array is x; else it is the slices or the rows.
        is_often_other: files with its endings are often no images; in a zip they are one only where ``format`` says.
    """

    endings: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ()
    is_slice: ClassVar[bool] = False
    is_often_other: ClassVar[bool] = False
    is_x_first: ClassVar[bool] = False

    @abstractmethod
    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the grey levels of an open file, as stored.

        Args:
            stream: the file from its beginning; not empty.
            options: what the file may not say of itself.

        Returns:
            Bool, integers or floats with the axes that the file has; the caller shapes and checks them.

        Raises:
            InputError: a reason that people understand; the caller puts the file's name before it.
            Exception: whatever a library raises is told as damage to the file.
        """

    def spacing(self, stream: BinaryIO, options: ReadOptions) -> Spacing | None:
        """Find what the file says of the edges of a voxel, along the axes of what :meth:`read` gives.

        Asked after :meth:`read`, of the same stream from its beginning. None where the file says nothing.
        """
        return None

    def others(self, path: Path) -> Sequence[Path]:
        """Return the files beside ``path`` that hold a part of the image, as where a header lies in one of its own."""
        return ()


class WritableFormat(Format):
    """A format in which microstructures can be written too."""

    @abstractmethod
    def write(self, stream: BinaryIO, microstructures: Microstructures) -> None:
        """Write microstructures to an open file.

        Raises:
            InputError: more microstructures than a file of the format holds.
        """


FORMATS: Registry[Format] = Registry("formats", "matopt.data.images.formats")


def choose_variable(shapes: Mapping[str, tuple[int, ...]], variable: str | None) -> str:
    """Choose the array asked for, or the only one that is an image, and return its name.

    Args:
        shapes: of the arrays in a file, by name.
        variable: the name asked for, if any.

    Raises:
        InputError: no such array, or several images and no name to choose by.
    """
    if variable is not None and variable in shapes:
        return variable
    images = [name for name, shape in shapes.items() if sum(n > 1 for n in shape) >= 2]
    if variable is None and len(images) == 1:
        return images[0]
    held = ", ".join(f"{name} ({shape_text(shape)})" for name, shape in shapes.items()) or "nothing"
    raise InputError(f"{variable_problem(variable)}; it holds {held}")


def variable_problem(variable: str | None) -> str:
    """Word what is wrong with the choice of an array, as the beginning of an error."""
    return f"it has no variable {variable!r}" if variable is not None else "say which `variable` is the image"


def beside(stream: BinaryIO, name: str) -> Path:
    """Return the file called ``name`` beside the open one, which holds the voxels of a header.

    Raises:
        InputError: the header is in an archive, or there is no such file.
    """
    place = getattr(stream, "name", None)
    if not isinstance(place, str):
        raise InputError(f"its voxels are in another file, {name}; unpack both into a folder")
    path = Path(place).parent / name
    if not path.is_file():
        raise InputError(f"its voxels are in another file, {name}, which is not beside it")
    return path


def only_one(microstructures: Microstructures, ending: str) -> np.ndarray:
    """Return the phases ``(*S)`` of the one microstructure that a file with this ending holds.

    Raises:
        InputError: more or fewer than one.
    """
    if len(microstructures) != 1:
        raise InputError(
            f"a {ending} file holds one {len(microstructures.shape)}D microstructure, not {len(microstructures)}; "
            "write a file for each, or a .npz"
        )
    return microstructures.phases[0]


def shape_text(shape: tuple[int, ...]) -> str:
    """Write a shape for people: ``7 x 40 x 50``."""
    return " x ".join(map(str, shape)) or "one number"
