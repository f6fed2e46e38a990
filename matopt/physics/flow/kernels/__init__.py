"""Compiled loops of slow flow. They need Numba, so only the compiled system imports them."""
