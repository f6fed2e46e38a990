"""The words for what lies beyond the outer faces of a sample, which mean the same for every property.

``periodic``: the sample itself, again and again. ``mirror``: its mirror images. ``sealed``: what drives is held on the
two outer faces along one axis, and nothing passes the sides.
"""

from __future__ import annotations

from collections.abc import Sequence

from matopt.errors import InputError


def check_boundary(name: str, boundary: str | None, allowed: Sequence[str | None], hint: str = "") -> None:
    """Refuse a word that a property has no boundary for.

    Args:
        name: of the property.
        boundary: the word.
        allowed: those that it has; None where it may be left to the simulator.
        hint: what to do instead.

    Raises:
        InputError: naming those that there are.
    """
    if boundary in allowed:
        return
    if boundary == "fixed" and "sealed" in allowed:
        hint = "; 'fixed' is called 'sealed'"
    words = ", ".join(repr(word) for word in allowed if word is not None)
    raise InputError(f"boundary of {name} must be one of {words}; got {boundary!r}{hint}")
