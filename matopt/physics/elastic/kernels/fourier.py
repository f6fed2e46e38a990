"""Multiplies Fourier transforms by a real symbol that couples the components of a field: the preconditioner.

Waves are as in :mod:`matopt.physics.elastic.kernels.vectors`. A real symbol that is even keeps what two rows are apart
by itself; two components of one row are told apart by the waves that run the other way.
"""

from __future__ import annotations

import numpy as np

from matopt.physics.numerics.compiler import compiled


@compiled
def multiply(waves, symbol, shape, rows):
    """Multiply waves by the symbol, in place.

    Args:
        waves: ``(F, S[0], 2 m)``, real and imaginary parts alternating.
        symbol: ``(d (d + 1) / 2, S[0] // 2 + 1, S[1] // 2 + 1, S[2])``, the upper triangle row by row, for the first
            waves along the first two axes. In the others, which are their mirror images, a component along that axis
            has the opposite sign.
        shape: S, with a 1 in the middle in two dimensions.
        rows: R.
    """
    layers, lines, columns = shape
    components, one = 2 if len(symbol) == 3 else 3, symbol.dtype.type(1)
    whole, half = symbol.reshape(len(symbol), symbol.shape[1], 1, -1), 2 * symbol.shape[2] * columns
    for pair in range(rows // 2):
        first = pair * components
        for layer in range(layers):
            i, sign = (layers - layer, -one) if layer >= symbol.shape[1] else (layer, one)
            u, v = waves[first, layer], waves[first + 1, layer]
            if components == 2:
                _two(u, v, symbol[0, i, 0], symbol[1, i, 0], symbol[2, i, 0], sign)
                continue
            # The first half of the lines is one.
            _three(u[:half], v[:half], waves[first + 2, layer, :half], whole, i, 0, 1, sign)
            for line in range(symbol.shape[2], lines):
                u, v = _line(waves[first], layer, line, columns), _line(waves[first + 1], layer, line, columns)
                _three(u, v, _line(waves[first + 2], layer, line, columns), symbol, i, line, lines, sign)
    if rows % 2:
        _alone(waves[rows // 2 * components :], symbol, shape)


@compiled
def _two(u, v, uu, uv, vv, sign):
    """Multiply lines of two components, (u, v), by their symmetric symbol."""
    for k in range(len(uu)):
        mixed = sign * uv[k]
        a, b, c, d = u[2 * k], u[2 * k + 1], v[2 * k], v[2 * k + 1]
        u[2 * k], u[2 * k + 1] = uu[k] * a + mixed * c, uu[k] * b + mixed * d
        v[2 * k], v[2 * k + 1] = mixed * a + vv[k] * c, mixed * b + vv[k] * d


@compiled
def _three(u, v, w, symbol, i, line, lines, sign):
    """Multiply lines of three components, (u, v, w), by their symmetric symbol of layer i."""
    one = symbol.dtype.type(1)
    j, turn = (lines - line, -one) if line >= symbol.shape[2] else (line, one)
    both = sign * turn
    for k in range(len(u) // 2):
        uu, uv, uw = symbol[0, i, j, k], both * symbol[1, i, j, k], sign * symbol[2, i, j, k]
        vv, vw, ww = symbol[3, i, j, k], turn * symbol[4, i, j, k], symbol[5, i, j, k]
        for part in range(2 * k, 2 * k + 2):
            a, b, c = u[part], v[part], w[part]
            u[part] = uu * a + uv * b + uw * c
            v[part] = uv * a + vv * b + vw * c
            w[part] = uw * a + vw * b + ww * c


@compiled
def _alone(waves, symbol, shape):
    """Multiply the last of an odd number of rows, whose components 0 and 1 are one field, and a third another."""
    layers, rows, columns = shape
    lines = np.empty((3, 2 * columns), waves.dtype)
    u, v, back = lines[0], lines[1], lines[2]
    for i in range(symbol.shape[1]):
        for j in range(rows):
            opposite = -i % layers, -j % rows
            if opposite[0] == i and opposite[1] < j:
                continue  # done with its partner
            here, there = _line(waves[0], i, j, columns), _line(waves[0], opposite[0], opposite[1], columns)
            _reverse(there, back, u.dtype.type(1))
            _split(here, back, u, v)
            if len(symbol) == 3:
                _two(u, v, symbol[0, i, 0], symbol[1, i, 0], symbol[2, i, 0], u.dtype.type(1))
            else:
                w = _line(waves[1], i, j, columns)
                _three(u, v, w, symbol, i, j, rows, u.dtype.type(1))
                _reverse(w, _line(waves[1], opposite[0], opposite[1], columns), u.dtype.type(-1))
            _join(u, v, here, back)
            _reverse(back, there, u.dtype.type(1))


@compiled
def _line(wave, layer, row, columns):
    """A line of waves along the last axis."""
    return wave[layer, 2 * columns * row : 2 * columns * (row + 1)]


@compiled
def _reverse(line, out, sign):
    """Write the waves of the opposite wave vectors of a line, their imaginary parts times a sign."""
    out[0], out[1] = line[0], sign * line[1]
    last = len(line) - 2
    for k in range(last // 2):
        out[2 * k + 2], out[2 * k + 3] = line[last - 2 * k], sign * line[last - 2 * k + 1]


@compiled
def _split(here, back, u, v):
    """Split a field ``u + i v`` into u and v, by its waves of opposite wave vectors, ``conj(u) + i conj(v)``."""
    half = u.dtype.type(0.5)
    for k in range(len(u) // 2):
        a, b, c, d = here[2 * k], here[2 * k + 1], back[2 * k], back[2 * k + 1]
        u[2 * k], u[2 * k + 1] = half * (a + c), half * (b - d)
        v[2 * k], v[2 * k + 1] = half * (b + d), half * (c - a)


@compiled
def _join(u, v, here, back):
    """Join u and v into ``u + i v`` and its opposite waves, the inverse of :func:`_split`."""
    for k in range(len(u) // 2):
        a, b, c, d = u[2 * k], u[2 * k + 1], v[2 * k], v[2 * k + 1]
        here[2 * k], here[2 * k + 1] = a - d, b + c
        back[2 * k], back[2 * k + 1] = a + d, c - b
