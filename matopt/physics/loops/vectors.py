"""The vectors of conjugate gradients whose preconditioner is a Fourier transform that takes two rows at once.

Rows are ``(R, d n)``, n numbers for each of d components one after the other. ``waves``, an array ``(P, n, 2)`` for
each component, hold two rows as the real and the imaginary part of one complex field. Loops take pieces that stay in
the fastest cache while they are gone through several times.
"""

from __future__ import annotations

import numpy as np

from matopt.physics.loops.compiler import compiled

PIECE = 512


@compiled
def turn(p, waves, beta):
    """``p = z + beta p``, z in the waves, beta ``(R,)``."""
    n = waves[0].shape[1]
    for component in range(len(waves)):
        for first in range(0, n, PIECE):
            last = min(first + PIECE, n)
            for row in range(len(p)):
                scale, lane = p.dtype.type(beta[row]), row % 2
                direction = p[row, component * n + first : component * n + last]
                z = waves[component][row // 2, first:last]
                for k in range(len(direction)):
                    direction[k] = z[k, lane] + scale * direction[k]


@compiled
def advance(x, r, p, forces, waves, alpha):
    """``x += alpha p`` and ``r -= alpha q``; ``(R,)`` float64, r.r.

    Args:
        x: ``(R, d n)``.
        r: ``(R, d n)``; it goes into the waves too.
        p: ``(R, d n)``.
        forces: of each component, ``(2 P, n)``, q; it may share its memory with the waves.
        waves: of each component, ``(P, n, 2)``.
        alpha: ``(R,)``.
    """
    n = waves[0].shape[1]
    squares = np.zeros(len(p))
    for component in range(len(waves)):
        for row in range(len(p)):
            scale = p.dtype.type(alpha[row])
            for first in range(0, n, PIECE):
                last = min(first + PIECE, n)
                span = slice(component * n + first, component * n + last)
                value, left, direction = x[row, span], r[row, span], p[row, span]
                force = forces[component][row, first:last]
                for k in range(len(left)):
                    value[k] += scale * direction[k]
                part = p.dtype.type(0)
                for k in range(len(left)):
                    left[k] -= scale * force[k]
                    part += left[k] * left[k]
                squares[row] += part
        for pair in range(waves[component].shape[0]):
            wave = waves[component][pair]
            real = r[2 * pair, component * n : (component + 1) * n]
            if 2 * pair + 1 < len(p):
                imaginary = r[2 * pair + 1, component * n : (component + 1) * n]
                for k in range(n):
                    wave[k, 0] = real[k]
                    wave[k, 1] = imaginary[k]
            else:
                for k in range(n):
                    wave[k, 0] = real[k]
                    wave[k, 1] = 0
    return squares


@compiled
def products(r, waves):
    """``(R,)`` float64, r.z, z in the waves."""
    n = waves[0].shape[1]
    out = np.zeros(len(r))
    for row in range(len(r)):
        for component in range(len(waves)):
            left = r[row, component * n : (component + 1) * n]
            z = waves[component][row // 2]
            lane = row % 2
            for first in range(0, n, PIECE):
                part = r.dtype.type(0)
                for k in range(first, min(first + PIECE, n)):
                    part += left[k] * z[k, lane]
                out[row] += part
    return out


@compiled
def multiply_by_symbol(waves, symbol, layers):
    """The transforms times a real symbol, in place.

    Args:
        waves: of each component, ``(P, n, 2)``.
        symbol: ``(d (d + 1) / 2, h, n / layers)``, the upper triangle row by row, for the first ``h = layers // 2 + 1``
            waves along the first axis of space. In the others a component along that axis has the opposite sign, as in
            a mirror.
        layers: of the samples along that axis.
    """
    rest = symbol.shape[2]
    for pair in range(waves[0].shape[0]):
        for layer in range(layers):
            is_mirrored = layer >= symbol.shape[1]
            sign = symbol.dtype.type(-1 if is_mirrored else 1)
            parts = symbol[:, layers - layer if is_mirrored else layer]
            span = slice(layer * rest, (layer + 1) * rest)
            u, v = waves[0][pair, span], waves[1][pair, span]
            if len(waves) == 2:
                _two(u, v, parts, sign)
            else:
                _three(u, v, waves[-1][pair, span], parts, sign)


@compiled
def _two(u, v, parts, sign):
    uu, uv, vv = parts[0], parts[1], parts[2]
    for k in range(len(u)):
        mixed = sign * uv[k]
        a, b = u[k, 0], u[k, 1]
        c, d = v[k, 0], v[k, 1]
        u[k, 0] = uu[k] * a + mixed * c
        u[k, 1] = uu[k] * b + mixed * d
        v[k, 0] = mixed * a + vv[k] * c
        v[k, 1] = mixed * b + vv[k] * d


@compiled
def _three(u, v, w, parts, sign):
    uu, uv, uw, vv, vw, ww = parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]
    for k in range(len(u)):
        mv, mw = sign * uv[k], sign * uw[k]
        a, b = u[k, 0], u[k, 1]
        c, d = v[k, 0], v[k, 1]
        e, f = w[k, 0], w[k, 1]
        u[k, 0] = uu[k] * a + mv * c + mw * e
        u[k, 1] = uu[k] * b + mv * d + mw * f
        v[k, 0] = mv * a + vv[k] * c + vw[k] * e
        v[k, 1] = mv * b + vv[k] * d + vw[k] * f
        w[k, 0] = mw * a + vw[k] * c + ww[k] * e
        w[k, 1] = mw * b + vw[k] * d + ww[k] * f
