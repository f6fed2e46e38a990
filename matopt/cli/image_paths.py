"""The files that a command names: several, by patterns too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matopt.errors import InputError


def expand(paths: Sequence[Path]) -> list[Path]:
    """List the files and folders that are named, patterns (``*``, ``?``, ``[...]``) by what they match, in order.

    Raises:
        InputError: a pattern that matches nothing.
    """
    from matopt.data.images.slices import ordered

    found: list[Path] = []
    for path in paths:
        if path.exists() or not set("*?[") & set(str(path)):
            found.append(path)
            continue
        root = Path(path.anchor)
        matches = list(root.glob(str(path.relative_to(root) if path.anchor else path)))
        if not matches:
            raise InputError(f"{path}: no file matches this pattern")
        places = {place: index for index, place in enumerate(ordered([str(match) for match in matches])[0])}
        found += sorted(matches, key=lambda match: places[str(match)])
    return list(dict.fromkeys(found))
