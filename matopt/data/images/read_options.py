"""How an image file is read: which of its arrays, and which grey levels are pore and grain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from matopt.data.images.segmentation import Side
from matopt.data.windows.scan import Stack
from matopt.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadOptions:
    """How an image file becomes two phases.

    Attributes:
        variable: which array of a file that holds several by name; not needed where one alone is an image.
        phases: what each grey level is: ``{0: "pore", 255: "grain"}``.
        threshold: or a grey level that separates grain from pore, or "otsu". An image of exactly two levels needs
            neither.
        grain: the grain's side of the threshold, or of the two levels; these are numbers as they are stored.
        shape: voxels along each axis of a raw file; of a matrix that holds an image in each row, ``(60, 200, 200)``.
            Row-major.
        dtype: type of a raw file's numbers, as NumPy writes it: "uint8", ">u2".
        stack: whether axis 0 of three is a volume's or counts independent images. Taken for a volume by default:
            then windows of different splits are kept apart along it too.
        format: name of the file's format, or ``path.py:Name`` for a reader of the user's own; by default the ending
            of the file tells.

    Raises:
        InputError: a shape that is not a list of positive whole numbers.
    """

    variable: str | None = None
    phases: Mapping[float | str, str] | None = None
    threshold: float | Literal["otsu"] | None = None
    grain: Side = "above"
    shape: Sequence[int] | None = None
    dtype: str | None = None
    stack: Stack = "volume"
    format: str | None = None

    def __post_init__(self) -> None:
        shape = self.shape
        if shape is not None and not (
            isinstance(shape, Sequence)
            and not isinstance(shape, str)
            and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in shape)
        ):
            raise InputError(f"shape is {shape!r}; write the voxels along each axis: [400, 400, 400]")
