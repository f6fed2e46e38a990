"""Compiled loops of elasticity. They need Numba, so only the compiled cell problem imports them."""
