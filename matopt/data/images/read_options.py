"""How an image file is read: which of its arrays, and which grey levels are pore and grain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

from matopt.data.images.segmentation import Side, levels_of_map
from matopt.data.windows.scan import Stack
from matopt.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadOptions:
    """How an image file becomes two phases.

    Attributes:
        variable: which array of a file that holds several by name; not needed where one alone is an image. A field
            of a MATLAB struct is ``sample.im``.
        phases: what each grey level is: ``{0: "pore", 255: "grain"}``, or each colour: ``{"#3b4cc0": "pore", ...}``.
            What is "outside" belongs to no phase, and no window lies in it.
        threshold: or a grey level that separates grain from pore, or "otsu". An image of exactly two levels needs
            neither. Beside it ``phases`` may name what is outside.
        grain: the grain's side of the threshold, or of the two levels; these are numbers as they are stored.
        shape: voxels along each axis of a raw file, slowest first: slices, rows, columns. ImageJ's width x height x
            depth is the other way round. Of a matrix that holds an image in each row, ``(60, 200, 200)``.
        dtype: type of a raw file's numbers, as NumPy writes it: "uint8", ">u2".
        offset: bytes before the first voxel of a raw file, its header.
        stack: whether axis 0 of three is a volume's or counts independent images. Taken for a volume by default:
            then windows of different splits are kept apart along it too.
        format: name of the file's format, or ``path.py:Name`` for a reader of the user's own; by default the ending
            of the file tells.
        resample: voxels that are no cubes are resampled to cubes of their least edge; without it they are refused.

    Raises:
        InputError: a shape that is not a list of positive whole numbers, phases that are none, a negative offset.
    """

    variable: str | None = None
    phases: Mapping[float | str, str] | None = None
    threshold: float | Literal["otsu"] | None = None
    grain: Side = "above"
    shape: Sequence[int] | None = None
    dtype: str | None = None
    offset: int | None = None
    stack: Stack = "volume"
    format: str | None = None
    resample: bool = False

    def __post_init__(self) -> None:
        if self.shape is not None:
            object.__setattr__(self, "shape", _positive(self.shape))
        if self.phases is not None:
            if not isinstance(self.phases, Mapping):
                raise InputError(f"phases is {self.phases!r}; write {{0: pore, 255: grain}}")
            levels_of_map(self.phases)
        if self.offset is not None and (
            isinstance(self.offset, bool) or not isinstance(self.offset, Integral) or self.offset < 0
        ):
            raise InputError(f"offset is {self.offset!r}; write the bytes before the first voxel: 512")


def _positive(shape: Sequence[int]) -> tuple[int, ...]:
    if isinstance(shape, Iterable) and not isinstance(shape, (str, Mapping)):
        numbers = list(shape)
        if numbers and all(isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in numbers):
            return tuple(int(n) for n in numbers)
    raise InputError(f"shape is {shape!r}; write the voxels along each axis: [400, 400, 400]")
