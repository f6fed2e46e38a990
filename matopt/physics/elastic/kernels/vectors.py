"""Passes over the vectors of conjugate gradients, whose preconditioner transforms two real fields as one complex field.

Rows are ``(R, d, *S)``. Waves are F complex fields: the same component of two rows, and where a last row is left over,
two components of it (see :func:`owners`). Both are gone through by the layers across the first axis, of m nodes each.
A layer of waves has 2 m numbers. As transforms take and give them, real and imaginary parts alternate; as nodal forces,
which use the same memory in between, those of the real part come before those of the imaginary part.
"""

from __future__ import annotations

import numpy as np

from matopt.physics.numerics.compiler import compiled


def owners(rows: int, components: int) -> np.ndarray:
    """Assign rows to fields: ``(F, 2, 2)``, the row and the component that are each field's real and imaginary part.

    An imaginary part that is none has the component d, one too many.
    """
    pairs = [[[row, c], [row + 1, c]] for row in range(0, rows - 1, 2) for c in range(components)]
    alone = [[[rows - 1, c], [rows - 1, c + 1]] for c in range(0, components, 2)] if rows % 2 else []
    return np.array([*pairs, *alone])


def slots(owners: np.ndarray, rows: int) -> np.ndarray:
    """Invert :func:`owners`: ``(R, d or d + 1, 2)``, the field and the part of it that each component of a row is."""
    out = np.empty((rows, owners[:, :, 1].max() + 1, 2), np.int64)
    out[owners[:, :, 0], owners[:, :, 1]] = np.moveaxis(np.indices(owners.shape[:2]), 0, 2)
    return out


@compiled
def update_direction(p, waves, owners, beta):
    """Set ``p = z + beta p``, for directions p ``(R, d, S[0], m)`` and z in the waves, ``(F, S[0], 2 m)``."""
    components, layers, m = p.shape[1:]
    nothing = np.zeros(m, p.dtype)
    for field in range(len(waves)):
        a, i, b, j = owners[field, 0, 0], owners[field, 0, 1], owners[field, 1, 0], owners[field, 1, 1]
        first, second = p.dtype.type(beta[a]), p.dtype.type(beta[b] if j < components else 0)
        for layer in range(layers):
            z, real = waves[field, layer], p[a, i, layer]
            imaginary = p[b, j, layer] if j < components else nothing
            for k in range(m):
                real[k] = z[2 * k] + first * real[k]
                imaginary[k] = z[2 * k + 1] + second * imaginary[k]


@compiled
def products(r, waves, owners):
    """The dot products r.z, ``(R,)`` float64, of residuals ``(R, d, S[0], m)`` and z in waves ``(F, S[0], 2 m)``."""
    rows, components, layers, m = r.shape
    out, nothing = np.zeros(rows), np.zeros(m, r.dtype)
    for field in range(len(waves)):
        a, i, b, j = owners[field, 0, 0], owners[field, 0, 1], owners[field, 1, 0], owners[field, 1, 1]
        for layer in range(layers):
            imaginary = r[b, j, layer] if j < components else nothing
            first, second = _product(r[a, i, layer], imaginary, waves[field, layer])
            out[a] += first
            out[b] += second
    return out


@compiled
def _product(real, imaginary, wave):
    """The dot products of a layer of two fields with the real and the imaginary part of a layer of waves."""
    first, second = wave.dtype.type(0), wave.dtype.type(0)
    for k in range(len(real)):
        first += real[k] * wave[2 * k]
        second += imaginary[k] * wave[2 * k + 1]
    return first, second


@compiled
def update_solution(x, r, p, waves, owners, alpha):
    """Add ``alpha p`` to x and ``-alpha q`` to r, with the forces q in the waves; returns r.r, ``(R,)`` float64.

    The residuals are copied into the waves, to be transformed.
    """
    rows, components, layers, m = r.shape
    out, nothing = np.zeros(rows), np.zeros(m, r.dtype)
    for field in range(len(waves)):
        a, i, b, j = owners[field, 0, 0], owners[field, 0, 1], owners[field, 1, 0], owners[field, 1, 1]
        for layer in range(layers):
            wave, real, imaginary = waves[field, layer], r[a, i, layer], nothing
            scale = p.dtype.type(alpha[a])
            _add(x[a, i, layer], scale, p[a, i, layer])
            out[a] += _leave(real, scale, wave[:m])
            if j < components:
                imaginary, scale = r[b, j, layer], p.dtype.type(alpha[b])
                _add(x[b, j, layer], scale, p[b, j, layer])
                out[b] += _leave(imaginary, scale, wave[m:])
            for k in range(m):
                wave[2 * k], wave[2 * k + 1] = real[k], imaginary[k]
    return out


@compiled
def _add(value, scale, direction):
    """Add a multiple of the direction."""
    for k in range(len(value)):
        value[k] += scale * direction[k]


@compiled
def _leave(left, scale, force):
    """Subtract a multiple of the force from a residual; returns the squared norm of what is left."""
    total = left.dtype.type(0)
    for k in range(len(left)):
        left[k] -= scale * force[k]
        total += left[k] * left[k]
    return total
