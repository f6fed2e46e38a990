"""The vectors of conjugate gradients whose preconditioner is a Fourier transform that takes two real fields at once.

Rows are ``(R, d n)``, n numbers for each of d components one after the other. ``waves`` are ``(F, n, 2)``, real and
imaginary parts: the same component of two rows, and where a last row is left over, two components of it (see
:func:`place`). Loops take pieces that stay in the fastest cache while they are gone through several times.
"""

from __future__ import annotations

import numpy as np

from matopt.physics.loops.compiler import compiled

PIECE = 512


def fields(rows: int, components: int) -> int:
    """How many waves there are, F."""
    return rows // 2 * components + rows % 2 * ((components + 1) // 2)


@compiled
def place(row, component, rows, components):
    """The field and the part of it that are a component of a row."""
    if row == rows - 1 and rows % 2:
        return row // 2 * components + component // 2, component % 2
    return row // 2 * components + component, row % 2


@compiled
def turn(p, waves, beta):
    """``p = z + beta p``, z in the waves, beta ``(R,)``."""
    n = waves.shape[1]
    components = p.shape[1] // n
    for row in range(len(p)):
        scale = p.dtype.type(beta[row])
        for component in range(components):
            field, part = place(row, component, len(p), components)
            direction, z = p[row, component * n : (component + 1) * n], waves[field]
            for k in range(n):
                direction[k] = z[k, part] + scale * direction[k]


@compiled
def products(r, waves):
    """``(R,)`` float64, r.z, z in the waves."""
    n = waves.shape[1]
    components = r.shape[1] // n
    out = np.zeros(len(r))
    for row in range(len(r)):
        for component in range(components):
            field, part = place(row, component, len(r), components)
            left, z = r[row, component * n : (component + 1) * n], waves[field]
            for first in range(0, n, PIECE):
                total = r.dtype.type(0)
                for k in range(first, min(first + PIECE, n)):
                    total += left[k] * z[k, part]
                out[row] += total
    return out


@compiled
def advance(x, r, p, q, waves, alpha):
    """``x += alpha p`` and ``r -= alpha q``; ``(R,)`` float64, r.r.

    Args:
        x: ``(R, d n)``.
        r: ``(R, d n)``; it goes into the waves too.
        p: ``(R, d n)``.
        q: ``(R, d n)``; it may share its memory with the waves.
        waves: ``(F, n, 2)``.
        alpha: ``(R,)``.
    """
    n = waves.shape[1]
    rows, components = len(r), r.shape[1] // n
    squares = np.zeros(rows)
    for row in range(rows):
        scale = p.dtype.type(alpha[row])
        for first in range(0, r.shape[1], PIECE):
            span = slice(first, min(first + PIECE, r.shape[1]))
            value, left, direction, force = x[row, span], r[row, span], p[row, span], q[row, span]
            for k in range(len(left)):
                value[k] += scale * direction[k]
            total = p.dtype.type(0)
            for k in range(len(left)):
                left[k] -= scale * force[k]
                total += left[k] * left[k]
            squares[row] += total
    for pair in range(rows // 2):
        for component in range(components):
            span = slice(component * n, (component + 1) * n)
            _interleave(r[2 * pair, span], r[2 * pair + 1, span], waves[pair * components + component])
    if rows % 2:
        for component in range(0, components, 2):
            real = r[rows - 1, component * n : (component + 1) * n]
            wave = waves[rows // 2 * components + component // 2]
            if component + 1 < components:
                _interleave(real, r[rows - 1, (component + 1) * n : (component + 2) * n], wave)
            else:
                wave[:, 0] = real
                wave[:, 1] = 0
    return squares


@compiled
def _interleave(real, imaginary, wave):
    for k in range(len(real)):
        wave[k, 0] = real[k]
        wave[k, 1] = imaginary[k]
