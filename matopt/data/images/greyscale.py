"""Grey levels of images that are saved in colour."""

from __future__ import annotations

import numpy as np

from matopt.errors import InputError


def one_grey(colours: np.ndarray) -> np.ndarray:
    """Reduce an image whose colour channels are equal to its grey levels.

    Real colours are refused: their luminance would mix a blue resin and a dark grain into one grey, and the phases
    would be wrong without a sign of it.

    Args:
        colours: ``(rows, columns, channels)``; of 2 or 4 channels the last is the opacity.

    Returns:
        ``(rows, columns)``, of the same type.

    Raises:
        InputError: channels that differ, or transparent parts.
    """
    channels = colours.shape[-1]
    if channels in (2, 4):
        opacity, colours = colours[..., -1], colours[..., :-1]
        full = np.iinfo(opacity.dtype).max if opacity.dtype.kind in "ui" else 1
        if (opacity != full).any():
            raise InputError("parts of it are transparent, which is no grey level; save it in grey")
    if (colours != colours[..., :1]).any():
        raise InputError("it is in colour, and no rule says which colour is pore; save it in grey, one channel")
    return colours[..., 0]
