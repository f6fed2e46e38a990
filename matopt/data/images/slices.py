"""The order of slices in a folder: by the numbers in their names, and which numbers are missing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from itertools import pairwise

_NUMBER = r"[-+]?(\d+)(?:[.,](\d+))?"


def ordered(names: Sequence[str]) -> tuple[list[str], str | None]:
    """Put the names of files into the order of the slices that they hold.

    Names that differ in numbers are ordered by them: 2 before 10, -2 before -1, 0.5 before 1. A dash before a number is
    a minus where it follows another mark (``z_-2``) or some names lack it; else it joins words (``slice-2``). A dot or
    comma between two numbers is a decimal one if the first of them changes; else it separates (``scan2.001``), as it
    does where numbers behind it are counted (``1.9``, ``1.10``).

    Returns:
        The names in order; and a line about what looks wrong with their numbers, if anything does: missing ones, the
        same one twice, several series.
    """
    folder = _Names(names)
    parts = {name: _split(name, folder) for name in names}
    order = sorted(names, key=lambda name: ([(0, p) if isinstance(p, str) else (1, p) for p in parts[name]], name))
    return order, _remark([parts[name] for name in order], order)


def _split(name: str, folder: _Names) -> list[str | Decimal]:
    """Cut a name into words and numbers, always by turns: ``["slice_", 2, ".tif"]``."""
    stem, dot, ending = name.rpartition(".")
    text = stem if dot else name
    pieces: list[str | Decimal] = []
    at = 0
    for match in re.finditer(r"([-+]?)(\d+)(?:[.,](\d+))?", text):
        sign, whole, fraction = match.groups()
        start, end = match.start(), match.end()
        if sign and not folder.is_minus(text[:start]):
            start, sign = start + 1, ""
        if fraction is not None and not folder.is_decimal(text[: match.start(2)]):
            end = match.end(2)
            fraction = None
        pieces += [text[at:start], Decimal(f"{sign}{whole}" + (f".{fraction}" if fraction else ""))]
        at = end
        if fraction is None and end < match.end():  # the number behind the dot stands for itself
            rest = text[end + 1 : match.end()]
            pieces += [text[end], Decimal(rest)]
            at = match.end()
    return [*pieces, text[at:] + dot + (ending if dot else "")]


class _Names:
    """The names of a folder, asked what follows beginnings like one of theirs, whatever their numbers are."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._is_number_without_dash = cache(self._number_without_dash)
        self._is_decimal = cache(self._decimal)

    def is_minus(self, before: str) -> bool:
        """Whether the dash that follows ``before`` in one of the names is a minus."""
        if not before or not before[-1].isalnum():
            return True
        return not before[-1].isdigit() and self._is_number_without_dash(_like(before))

    def is_decimal(self, before: str) -> bool:
        """Whether the dot behind the number that follows ``before`` in one of the names is a decimal one."""
        return self._is_decimal(_like(before.rstrip("-+")))

    def _number_without_dash(self, like: str) -> bool:
        return any(re.match(rf"{like}\d", name) for name in self._names)

    def _decimal(self, like: str) -> bool:
        begins = re.compile(like + _NUMBER)
        found = [m for name in self._names if (m := begins.match(name))]
        fractions = [m[2] for m in found if m[2] is not None]
        are_counted = len({len(f) for f in fractions}) > 1 and any(len(f) > 1 and f.endswith("0") for f in fractions)
        return len({m[1] for m in found}) > 1 and not are_counted


def _like(before: str) -> str:
    """Write the beginning of a name as a pattern in which its numbers are any."""
    return r"\d+".join(re.escape(word) for word in re.split(r"\d+", before))


def _remark(parts: Sequence[list[str | Decimal]], names: Sequence[str]) -> str | None:
    """Say what looks wrong with the numbers of ordered names."""
    if len(names) < 2:
        return None
    shapes = {tuple(p for p in part if isinstance(p, str)) for part in parts}
    if len(shapes) > 1:
        if not any(isinstance(p, Decimal) for part in parts for p in part):
            return None  # names without numbers: in the order of the alphabet
        return f"the slices' names are of {len(shapes)} kinds, and follow one another: {names[0]} to {names[-1]}"
    numbers = [[p for p in part if isinstance(p, Decimal)] for part in parts]
    changing = [i for i in range(len(numbers[0])) if len({row[i] for row in numbers}) > 1]
    single = [i for i in changing if all(a[i] < b[i] for a, b in pairwise(numbers))]
    if len(changing) > 1 and not single:
        return (
            f"the slices' names differ in {len(changing)} numbers ({names[0]}, {names[-1]}): several series may follow "
            "one another"
        )
    series = [row[(single or changing)[0]] for row in numbers] if changing else []
    steps = [b - a for a, b in pairwise(series)]
    twice = sorted({a for a, step in zip(series, steps, strict=False) if step == 0})
    if twice or not changing:
        return f"slice {_few(twice or numbers[0][:1])} is there twice, under two names"
    step = min(Counter(steps).items(), key=lambda item: (-item[1], item[0]))[0]
    gaps = [(a, b) for a, b in pairwise(series) if b - a > step * Decimal("1.5")]
    if not gaps and step > 1 and step == step.to_integral_value():
        return (
            f"the slices' numbers rise by {_plain(step)}: if those between were left out, slices are so many pixels "
            f"apart, as `voxel_size: {_plain(step)} x 1 x 1 um`"
        )
    if not gaps:
        return None
    missing = sum(round((b - a) / step) - 1 for a, b in gaps)
    shown = [
        f"{_plain(a + step)} to {_plain(b - step)}" if b - a > step * Decimal("2.5") else _plain(a + step)
        for a, b in gaps
    ]
    return (
        f"{missing} {'slice is' if missing == 1 else 'slices are'} missing ({_few(shown)}), and those on either side "
        "are joined"
    )


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _few(items: Sequence[str | Decimal]) -> str:
    words = [item if isinstance(item, str) else _plain(item) for item in items]
    return ", ".join(words[:5]) + (", ..." if len(words) > 5 else "")
