"""Images that are saved in colour: grey ones, and ones in which a few named colours are the phases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from matopt.errors import InputError, warn

APART = 0.25
"""A pixel has a named colour if it is closer to it than this share of the distance between two named colours: so far
compression and smoothed edges move colours without making one out of another."""

LEAST_SHARE = 0.95
"""Of the pixels that must have one of the named colours or lie between two; all go to the nearest."""

PURE_SHARE = (0.7, 0.9)
"""Of the pixels that must have one of two, or of more, colours for these to be suggested; the others are edges."""

MOST_COLOURS = 5
"""Phases that a picture is believed to have; a photograph has more colours."""


def colour_number(text: str) -> int:
    """Return the number 0xRRGGBB that a colour ``#rrggbb`` (or ``#rgb``) stands for.

    Raises:
        InputError: no such colour.
    """
    if re.fullmatch("#([0-9a-fA-F]{3}){1,2}", text) is None:
        raise InputError(f"{text!r} is not a colour; write it as '#3b4cc0'")
    digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
    return int(digits, 16)


def colour_text(number: float) -> str:
    """Write a number 0xRRGGBB as ``#rrggbb``."""
    return f"#{int(number):06x}"


def is_colour(level: object) -> bool:
    """Whether the key of a map of phases is a colour, not a grey level."""
    return isinstance(level, str) and level.lstrip().startswith("#")


def grey_or_named(colours: np.ndarray, phases: Mapping[float | str, str] | None) -> np.ndarray:
    """Reduce an image in colour to grey levels, or to the colours that ``phases`` names.

    An image whose channels are equal is grey. Real colours need a rule: their luminance would mix a blue resin and a
    dark grain into one grey, and the phases would be wrong without a sign of it.

    Args:
        colours: ``(rows, columns)`` grey, or ``(rows, columns, channels)``; of 2 or 4 channels the last is the opacity.
        phases: what each level is. Where its keys are colours, each pixel becomes the nearest of them.

    Returns:
        ``(rows, columns)``: the grey levels, of the same type, or numbers 0xRRGGBB of named colours.

    Raises:
        InputError: real colours without a rule, colours that the rule does not name, or transparent parts.
    """
    if colours.ndim == 3 and colours.shape[-1] in (2, 4):
        opacity, colours = colours[..., -1], colours[..., :-1]
        full = np.iinfo(opacity.dtype).max if opacity.dtype.kind in "ui" else 1
        if (opacity != full).any():
            raise InputError("parts of it are transparent, which is no grey level; save it in grey")
    if colours.ndim == 3 and colours.dtype == np.uint16 and not (colours % 257).any():
        colours = (colours // 257).astype(np.uint8)  # eight bits, written as sixteen
    if phases is not None and any(is_colour(level) for level in phases):
        return _nearest_named(colours, [str(level).strip() for level in phases])
    if colours.ndim == 2:
        return colours
    if (colours != colours[..., :1]).any():
        raise InputError(f"it is in colour, and no rule says which colour is pore; {_advice(colours)}")
    return colours[..., 0]


def _nearest_named(colours: np.ndarray, names: Sequence[str]) -> np.ndarray:
    numbers = np.array([colour_number(name) for name in names], np.uint32)
    if colours.dtype == bool:
        colours = colours * np.uint8(255)
    if colours.dtype != np.uint8:
        raise InputError(f"its numbers are {colours.dtype}, in which '#rrggbb' is no colour; name grey levels")
    if colours.ndim == 2 or colours.shape[-1] == 1:
        colours = np.repeat(colours.reshape(*colours.shape[:2], 1), 3, axis=-1)
    packed, places, counts = _distinct(colours)
    nearest, is_near, is_between = _assigned(_channels(packed), _channels(numbers))
    for index, name in enumerate(names):
        if not counts[is_near & (nearest == index)].any():
            raise InputError(f"no pixel has the colour {name} that `phases` names; {_advice(colours)}")
    strange = 1 - counts[is_between].sum() / counts.sum()
    if strange > 1 - LEAST_SHARE:
        raise InputError(f"{strange:.1%} of the pixels have colours that `phases` does not name; {_advice(colours)}")
    others = 1 - counts[is_near].sum() / counts.sum()
    if others > 0:
        warn(f"{others:.1%} of the pixels have other colours than `phases` names, and are taken for the nearest")
    return numbers[nearest][places].reshape(colours.shape[:2])


def _assigned(colours: np.ndarray, named: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the nearest of the named colours for each colour, whether it is one, and whether it lies between two.

    Args:
        colours: ``(M, 3)``.
        named: ``(K, 3)``.

    Returns:
        The nearest's place ``(M,)``, whether the colour is as near as compression moves it ``(M,)``, and whether it is
        that near to the line between two named ones, where smoothed edges are ``(M,)``.
    """
    pairs = [(a, b) for i, a in enumerate(named) for b in named[:i]]
    distances = np.stack([_distance(colours, colour) for colour in named])
    reach = max(APART * min((float(_distance(a, b)) for a, b in pairs), default=255.0), 1.0)
    from_lines = [distances.min(0)]
    for a, b in pairs:
        along = np.clip((colours - a) @ (b - a) / max(float((b - a) @ (b - a)), 1.0), 0, 1)
        from_lines.append(_distance(colours, a + along[:, None] * (b - a)))
    return distances.argmin(0), distances.min(0) < reach, np.min(from_lines, axis=0) < reach


def _advice(colours: np.ndarray) -> str:
    """Name the few colours that make up an image, by their share, or say that there are more."""
    if colours.dtype == np.uint8 and colours.shape[-1] == 3:
        packed, _, counts = _distinct(colours)
        palette = _channels(packed)
        chosen = [int(counts.argmax())]
        while len(chosen) < MOST_COLOURS:
            apart = np.min([_distance(palette, palette[i]) for i in chosen], axis=0) > 255 * APART
            if not apart.any():
                break
            chosen.append(int(np.where(apart, counts, 0).argmax()))
            nearest, is_near, is_between = _assigned(palette, palette[chosen])
            shares = [counts[is_near & (nearest == k)].sum() / counts.sum() for k in range(len(chosen))]
            if sum(shares) >= PURE_SHARE[len(chosen) > 2] and counts[is_between].sum() >= LEAST_SHARE * counts.sum():
                return _suggestion([colour_text(int(packed[i])) for i in chosen], shares)
    return "save it in grey, one channel"


def _suggestion(names: Sequence[str], shares: Sequence[float]) -> str:
    held = " and ".join(f"{name} ({share:.1%})" for name, share in zip(names, shares, strict=True))
    words = ["pore", "grain", *["grain"] * (len(names) - 2)]
    phases = ", ".join(f"'{name}': {word}" for name, word in zip(names, words, strict=True))
    end = "or the other way round" if len(names) == 2 else "or whatever each of them is"
    return f"it holds {held}: add `phases: {{{phases}}}`, {end}"


def _channels(numbers: np.ndarray) -> np.ndarray:
    """Return the red, green and blue of colours 0xRRGGBB, ``(M, 3)`` float32."""
    return np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=-1).astype(np.float32)


def _distinct(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the different colours as numbers 0xRRGGBB, the place of each pixel's among them, and their counts."""
    wide = colours.astype(np.uint32)
    return np.unique(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], return_inverse=True, return_counts=True)


def _distance(colours: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.linalg.norm(colours - other, axis=-1)


def refuse_mixed(levels: Iterable[float | str]) -> None:
    """Refuse a map of phases of which some keys are colours and some grey levels.

    Raises:
        InputError: it is one.
    """
    if len({is_colour(level) for level in levels}) > 1:
        raise InputError("phases: some of its keys are colours, some are grey levels; write one kind")
