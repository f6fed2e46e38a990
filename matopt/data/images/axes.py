"""What the axes of an array are: space, images or channels, and whether their order is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from matopt.data.images.colours import grey_or_named
from matopt.data.images.formats.base import shape_text
from matopt.data.images.likeness import likelier_shape
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.spacing import Spacing
from matopt.errors import InputError, warn

CHANNELS = 4
"""An axis with so few points, at most, beside longer ones, is of colours or channels where it is not the first."""

CLASSES = 12
"""An axis with so few points, at most, may be of one-hot phases, wherever it stands."""


def as_image(grey: np.ndarray, spacing: Spacing | None, options: ReadOptions) -> tuple[np.ndarray, Spacing | None]:
    """Give what a format read as an image of 2 or 3 axes of space, in the machine's byte order.

    Raises:
        InputError: no numbers, another number of voxels than ``shape`` asks for, or axes that are not space.
    """
    grey = np.asarray(grey)
    if grey.dtype.kind not in "buif":
        raise InputError(f"its {grey.dtype} values are no grey levels; save integers or floats")
    grey = grey.astype(grey.dtype.newbyteorder("="), copy=False)
    if spacing is not None and len(spacing.edges) != grey.ndim:
        spacing = None
    if options.shape is not None:
        return _reshaped(grey, spacing, options.shape)
    if grey.ndim > 2 and 1 in grey.shape:
        kept = [axis for axis, n in enumerate(grey.shape) if n > 1]
        grey, spacing = grey.reshape([grey.shape[axis] for axis in kept]), spacing and spacing.keep(kept)
    if grey.size == 0 or grey.ndim < 2:
        raise InputError(f"{shape_text(grey.shape)} is neither an image nor a volume; give its `shape`")
    found = _channel_axis(grey)
    if grey.ndim > 3:
        looks = f"axis {found[0]} looks like {found[1]}; " if found is not None else ""
        axes = f"it has {grey.ndim} axes, {shape_text(grey.shape)}, but an image has 2 and a volume 3"
        raise InputError(f"{axes}; {looks}{_advice(found)}")
    if found is not None:
        axis, what = found
        if axis == 2 and what == "channels" and grey.shape[2] > 2:
            try:
                return grey_or_named(grey, options.phases), spacing and spacing.keep([0, 1])
            except InputError as error:
                what = f"channels ({error})"
        if axis != 0 or what == "one-hot phases":
            raise InputError(
                f"axis {axis} of its {shape_text(grey.shape)} points looks like {what}; {_advice(found)}; if it is "
                f"space, add `shape: {list(grey.shape)}`"
            )
    return grey, spacing


def _reshaped(grey: np.ndarray, spacing: Spacing | None, shape: Sequence[int]) -> tuple[np.ndarray, Spacing | None]:
    if grey.size != np.prod(shape):
        raise InputError(f"{shape_text(grey.shape)} voxels do not make shape {list(shape)}")
    if len(shape) not in (2, 3):
        raise InputError(f"shape {list(shape)} is neither that of an image nor of a volume; it has 2 or 3 axes")
    if grey.shape != tuple(shape):
        grey, spacing = grey.reshape(tuple(shape)), None
        if (likelier := likelier_shape(grey)) is not None:
            warn(
                f"neighbours are hardly alike in shape {list(shape)}, but they are in {list(likelier)}: the order of "
                "axes is most likely that (slowest first; ImageJ's width x height x depth is the other way round)"
            )
    return grey, spacing


def _channel_axis(array: np.ndarray) -> tuple[int, str] | None:
    """Find the axis that looks like one-hot phases or channels, the last first, and say which of them."""
    axes = [array.ndim - 1, *range(array.ndim - 1)]
    if array.ndim < 3:
        return None
    for axis in axes:
        others = [n for a, n in enumerate(array.shape) if a != axis]
        if 2 <= array.shape[axis] <= CLASSES and sorted(others)[-2] >= 8 and _is_one_hot(array, axis):
            return axis, "one-hot phases"
    for axis in axes:
        longest = sorted(n for a, n in enumerate(array.shape) if a != axis)[-2:]
        is_few = array.shape[axis] <= CHANNELS and 4 * array.shape[axis] <= longest[0] and longest[0] >= 16
        if is_few and (axis > 0 or array.ndim > 3):
            return axis, "channels"
    return None


def _is_one_hot(array: np.ndarray, axis: int) -> bool:
    """Whether exactly one point along the axis is the highest value, everywhere, and the others are 0."""
    moved = np.moveaxis(array, axis, 0)
    top = moved.max()
    if not top or (array.dtype.kind == "f" and not np.isfinite(top)):
        return False
    few = moved.reshape(len(moved), -1)[:, : 1 << 12]
    if not ((few == top).sum(0) == 1).all() or not ((few == 0).sum(0) == len(moved) - 1).all():
        return False
    return bool(((moved == top).sum(0) == 1).all() and ((moved == 0).sum(0) == len(moved) - 1).all())


def _advice(found: tuple[int, str] | None) -> str:
    """Say what to write in NumPy where an axis is not space."""
    if found is None:
        return "save one image or one volume, as `array[0]`"
    axis, what = found
    if what == "one-hot phases":
        return f"save `array.argmax({axis})`"
    return f"save one of them, as `array[{':, ' * axis}0]`"
