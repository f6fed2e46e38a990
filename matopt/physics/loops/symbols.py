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
        waves: ``(F, n, 2)``, real and imaginary parts.
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
        for part in range(2):
            a, b = u[k, part], v[k, part]
            u[k, part] = uu[k] * a + mixed * b
            v[k, part] = mixed * a + vv[k] * b


@compiled
def _three(u, v, w, parts, sign):
    uu, uv, uw, vv, vw, ww = parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]
    for k in range(len(u)):
        second, third = sign * uv[k], sign * uw[k]
        for part in range(2):
            a, b, c = u[k, part], v[k, part], w[k, part]
            u[k, part] = uu[k] * a + second * b + third * c
            v[k, part] = second * a + vv[k] * b + vw[k] * c
            w[k, part] = third * a + vw[k] * b + ww[k] * c


@compiled
def _alone(waves, symbol, shape):
    """The last of an odd number of rows: components 0 and 1 are one field, and a third another."""
    layers, rows, columns = shape
    half = waves.dtype.type(0.5)
    pair, last = waves[0], waves[-1]
    for i in range(symbol.shape[1]):
        for j in range(rows):
            here = (i * rows + j) * columns
            there = (-i % layers * rows + -j % rows) * columns
            if there < here and i == -i % layers:
                continue  # done with its partner
            for k in range(columns if there != here else columns // 2 + 1):
                a, b, at = here + k, there + (columns - k if k else 0), j * columns + k
                # u + i v here, and conj(u) + i conj(v) there, where the waves run the other way.
                u, u_imaginary = half * (pair[a, 0] + pair[b, 0]), half * (pair[a, 1] - pair[b, 1])
                v, v_imaginary = half * (pair[a, 1] + pair[b, 1]), half * (pair[b, 0] - pair[a, 0])
                uu, uv, vv = symbol[0, i, at], symbol[1, i, at], symbol[2, i, at]
                if len(symbol) == 6:
                    vv = symbol[3, i, at]
                x, x_imaginary = uu * u + uv * v, uu * u_imaginary + uv * v_imaginary
                y, y_imaginary = uv * u + vv * v, uv * u_imaginary + vv * v_imaginary
                if len(symbol) == 6:
                    uw, vw, ww = symbol[2, i, at], symbol[4, i, at], symbol[5, i, at]
                    w, w_imaginary = last[a, 0], last[a, 1]
                    x, x_imaginary = x + uw * w, x_imaginary + uw * w_imaginary
                    y, y_imaginary = y + vw * w, y_imaginary + vw * w_imaginary
                    z = uw * u + vw * v + ww * w
                    z_imaginary = uw * u_imaginary + vw * v_imaginary + ww * w_imaginary
                    last[b, 0], last[b, 1] = z, -z_imaginary
                    last[a, 0], last[a, 1] = z, z_imaginary
                pair[b, 0], pair[b, 1] = x + y_imaginary, y - x_imaginary
                pair[a, 0], pair[a, 1] = x - y_imaginary, x_imaginary + y
