"""Products of Fourier transforms with a real symbol that couples the components of a field.

Waves are as in :mod:`matopt.physics.loops.vectors`. A real symbol that is even keeps what two rows are apart by itself;
two components of one row are told apart by the waves that run the other way.
"""

from __future__ import annotations

from matopt.physics.loops.compiler import compiled


@compiled
def multiply(waves, symbol, shape, rows):
    """Multiply in place.

    Args:
        waves: ``(F, n)`` complex.
        symbol: ``(d (d + 1) / 2, S[0] // 2 + 1, n / S[0])``, the upper triangle row by row, for the first waves along
            the first axis of space. In the others a component along that axis has the opposite sign, as in a mirror.
        shape: S, with a 1 in the middle in two dimensions.
        rows: R.
    """
    layers, rest = shape[0], shape[1] * shape[2]
    components = 2 if len(symbol) == 3 else 3
    for pair in range(rows // 2):
        first = pair * components
        for layer in range(layers):
            is_mirrored = layer >= symbol.shape[1]
            sign = symbol.dtype.type(-1 if is_mirrored else 1)
            parts = symbol[:, layers - layer if is_mirrored else layer]
            span = slice(layer * rest, (layer + 1) * rest)
            if components == 2:
                _two(waves[first, span], waves[first + 1, span], parts, sign)
            else:
                _three(waves[first, span], waves[first + 1, span], waves[first + 2, span], parts, sign)
    if rows % 2:
        _alone(waves[rows // 2 * components :], symbol, shape)


@compiled
def _two(u, v, parts, sign):
    uu, uv, vv = parts[0], parts[1], parts[2]
    for k in range(len(u)):
        mixed = sign * uv[k]
        a, b = u[k], v[k]
        u[k] = uu[k] * a + mixed * b
        v[k] = mixed * a + vv[k] * b


@compiled
def _three(u, v, w, parts, sign):
    uu, uv, uw, vv, vw, ww = parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]
    for k in range(len(u)):
        second, third = sign * uv[k], sign * uw[k]
        a, b, c = u[k], v[k], w[k]
        u[k] = uu[k] * a + second * b + third * c
        v[k] = second * a + vv[k] * b + vw[k] * c
        w[k] = third * a + vw[k] * b + ww[k] * c


@compiled
def _alone(waves, symbol, shape):
    """The last of an odd number of rows: components 0 and 1 are one field, and a third another."""
    layers, rows, columns = shape
    half = waves.real.dtype.type(0.5)
    pair, last = waves[0], waves[-1]
    for i in range(symbol.shape[1]):
        for j in range(rows):
            here = (i * rows + j) * columns
            there = (-i % layers * rows + -j % rows) * columns
            if there < here and i == -i % layers:
                continue  # done with its partner
            for k in range(columns if there != here else columns // 2 + 1):
                a, b = here + k, there + (columns - k if k else 0)
                one, other = pair[a], pair[b].conjugate()
                u, v = half * (one + other), -1j * half * (one - other)
                at = j * columns + k
                if len(symbol) == 3:
                    x = symbol[0, i, at] * u + symbol[1, i, at] * v
                    y = symbol[1, i, at] * u + symbol[2, i, at] * v
                else:
                    w = last[a]
                    x = symbol[0, i, at] * u + symbol[1, i, at] * v + symbol[2, i, at] * w
                    y = symbol[1, i, at] * u + symbol[3, i, at] * v + symbol[4, i, at] * w
                    w = symbol[2, i, at] * u + symbol[4, i, at] * v + symbol[5, i, at] * w
                    last[b] = w.conjugate()
                    last[a] = w
                pair[b] = x.conjugate() + 1j * y.conjugate()
                pair[a] = x + 1j * y
