"""Nodal forces of bilinear elements in two dimensions, one voxel each, on a periodic grid.

An element's deformation is in the modes of :mod:`matopt.physics.elastic.element`: sums and differences of its corners
along axis 1, then along axis 0. Elements come in rows, cut into pieces whose arrays are at known distances from
each other, which lets a compiler use vector units.
"""

from __future__ import annotations

import numpy as np

from matopt.physics.numerics.compiler import compiled, inlined

PIECE = 128
"""The largest number of elements in a piece."""

STRIDE = PIECE + 8
"""The distance from one array of a piece to the next."""

MODES = 5
"""How many modes of strain there are that have energy by themselves."""

CORNERS = 8
"""How many corner forces of an element are kept: two components, right and left, of this row and the one before."""


@compiled
def step(p, waves, owners, beta, density, sample, stiffness):
    """Set ``p = z + beta p``, and overwrite z by the nodal forces q of p; returns p.q, ``(R,)`` float64.

    Args:
        p: ``(R, 2, *S)`` displacements.
        waves: ``(F, S[0], 2 m)``, see :mod:`~matopt.physics.elastic.kernels.vectors`.
        owners: ``(F, 2, 2)``, see :func:`~matopt.physics.elastic.kernels.vectors.owners`.
        beta: ``(R,)``.
        density: ``(n, *S)``.
        sample: ``(R,)``, the sample of each row.
        stiffness: ``(6, 6)`` of an element, in its modes.
    """
    rows, columns = p.shape[2:]
    pieces = (columns + PIECE - 1) // PIECE
    moduli = _moduli(stiffness)
    lines = np.empty((2, 2, 2, columns + 1), p.dtype)
    corners = np.zeros((2, pieces, CORNERS * STRIDE), p.dtype)
    out = np.zeros(len(p))
    # The two rows of a field are gone through together: where z has been read there is room for q.
    for first in range(0, len(p), 2):
        fields = range(first, min(first + 2, len(waves)))
        for turn in range(-1, rows + 1):
            # Elements between the nodes of row i and of the next; the last row of elements comes first and last.
            i, j = (turn - 1) % rows, turn % rows
            if turn < rows - 1:
                for field in fields:
                    a, u, b, v = owners[field, 0, 0], owners[field, 0, 1], owners[field, 1, 0], owners[field, 1, 1]
                    _update_row(p[a, u, j], p[b, v, j], waves[field, j], p.dtype.type(beta[a]), p.dtype.type(beta[b]))
            for r in range(first, min(first + 2, len(p))):
                old, new = lines[r - first, (turn + 1) % 2], lines[r - first, turn % 2]
                for axis in range(2):
                    new[axis, :columns] = p[r, axis, j]
                    new[axis, columns] = new[axis, 0]
                if turn < 0:
                    continue
                for piece in range(pieces):
                    span = slice(piece * PIECE, min((piece + 1) * PIECE, columns) + 1)
                    w = density[sample[r], i, piece * PIECE : (piece + 1) * PIECE]
                    here = corners[r - first, piece]
                    _elements(old[0, span], old[1, span], new[0, span], new[1, span], w, moduli, here)
            if turn > 0:
                for field in fields:
                    for part in range(2):
                        r, axis = owners[field, part, 0], owners[field, part, 1]
                        u, half = lines[r - first, (turn + 1) % 2, axis], waves[field, i, part * columns :]
                        out[r] += _collect(corners[r - first], axis, u, half[:columns])
    return out


@compiled
def energies(x, density, loads, stiffness):
    """Twice the mutual energies of the load cases, summed over voxels: ``(L, L)`` float64, the lower triangle.

    Args:
        x: ``(L, 2, *S)`` displacements.
        density: ``(*S)``.
        loads: ``(L, 6)`` macroscopic strains, in the modes of an element.
        stiffness: ``(6, 6)`` of an element, in its modes.
    """
    rows, columns = density.shape
    cases = len(x)
    moduli = _moduli(stiffness)
    lines = np.empty((cases, 2, 2, columns + 1), x.dtype)
    strains = np.empty((cases, MODES * STRIDE), x.dtype)
    out = np.zeros((cases, cases))
    for i in range(rows):
        for case in range(cases):
            _lay_out(x[case], i, lines[case])
        for first in range(0, columns, PIECE):
            w = density[i, first : first + PIECE]
            for case in range(cases):
                _strains(lines[case], first, loads[case], strains[case, : (MODES - 1) * STRIDE + len(w)])
                for other in range(case + 1):
                    out[case, other] += _mutual_energy(strains[other], strains[case], w, moduli)
    return out


@compiled
def energy_density(u, load, stiffness, out):
    """Write twice the elastic energy of each element at full density.

    Args:
        u: ``(2, *S)`` displacements.
        load: ``(6,)`` macroscopic strain, in the modes of an element.
        stiffness: ``(6, 6)`` of an element, in its modes.
        out: ``(*S)``.
    """
    rows, columns = out.shape
    moduli = _moduli(stiffness)
    lines = np.empty((2, 2, columns + 1), u.dtype)
    strains = np.empty(MODES * STRIDE, u.dtype)
    for i in range(rows):
        _lay_out(u, i, lines)
        for first in range(0, columns, PIECE):
            energy = out[i, first : first + PIECE]
            _strains(lines, first, load, strains[: (MODES - 1) * STRIDE + len(energy)])
            for k in range(len(energy)):
                a, b, c, d, e = _at(strains, k)
                v, w, x, y, z = _stress(u.dtype.type(1), a, b, c, d, e, moduli)
                energy[k] = a * v + b * w + c * x + d * y + e * z


@compiled
def _moduli(stiffness):
    """The four different numbers in the stiffness of an isotropic element, whose modes are 01x, 01y, 10x, and so on."""
    return stiffness[1, 1], stiffness[1, 2], stiffness[0, 0], stiffness[4, 4]


@compiled
def _update_row(first, second, z, a, b):
    """Set a row of nodes of two fields to ``z + a first`` and ``z + b second``."""
    for k in range(len(first)):
        first[k] = z[2 * k] + a * first[k]
        second[k] = z[2 * k + 1] + b * second[k]


@inlined
def _strain(a, a_right, c, c_right, b, b_right, d, d_right):
    """The modes of strain of an element, from both components in the rows of nodes before and after.

    ``10x``, ``01y``, the shear ``01x + 10y``, ``11x``, ``11y``.
    """
    total, change, total_after, change_after = a_right + a, a_right - a, b_right + b, b_right - b
    total_y, change_y, total_y_after, change_y_after = c_right + c, c_right - c, d_right + d, d_right - d
    return (
        total_after - total,
        change_y_after + change_y,
        change + change_after + total_y_after - total_y,
        change_after - change,
        change_y_after - change_y,
    )


@inlined
def _stress(w, a, b, c, d, e, moduli):
    """The stresses that do work with the modes of :func:`_strain`, at density w."""
    along, across, shear, bend = moduli
    return w * (along * a + across * b), w * (across * a + along * b), w * shear * c, w * bend * d, w * bend * e


@compiled
def _elements(old_x, old_y, new_x, new_y, w, moduli, corners):
    """Add the corner forces of a row of elements to those of the row before, at the nodes in between.

    The arrays of ``corners`` are the forces of these elements on the nodes behind them, x and y at the right corners,
    then at the left ones; and likewise the sums on the nodes in between, those at the right shifted by one node.
    """
    for k in range(len(w)):
        a, b, c, d, e = _strain(
            old_x[k], old_x[k + 1], old_y[k], old_y[k + 1], new_x[k], new_x[k + 1], new_y[k], new_y[k + 1]
        )
        a, b, c, d, e = _stress(w[k], a, b, c, d, e, moduli)
        corners[4 * STRIDE + k + 1] = corners[k] - a + c - d
        corners[5 * STRIDE + k + 1] = corners[STRIDE + k] - c + b - e
        corners[6 * STRIDE + k] = corners[2 * STRIDE + k] - a - c + d
        corners[7 * STRIDE + k] = corners[3 * STRIDE + k] - c - b + e
        corners[k] = a + c + d
        corners[STRIDE + k] = c + b + e
        corners[2 * STRIDE + k] = a - c - d
        corners[3 * STRIDE + k] = c - b - e


@compiled
def _collect(corners, axis, u, force):
    """Write the forces on a row of nodes; returns their work."""
    columns, total = len(force), 0.0
    behind = corners[-1, (4 + axis) * STRIDE + (columns - 1) % PIECE + 1]
    for piece in range(len(corners)):
        first = piece * PIECE
        here = force[first : first + PIECE]
        right, left = corners[piece, (4 + axis) * STRIDE :], corners[piece, (6 + axis) * STRIDE :]
        right[0], behind = behind, right[len(here)]
        work = u.dtype.type(0)
        for k in range(len(here)):
            here[k] = right[k] + left[k]
            work += here[k] * u[first + k]
        total += work
    return total


@compiled
def _lay_out(u, row, lines):
    """Copy the rows of nodes before and after a row of elements to ``(2, 2, columns + 1)``, by row and component."""
    columns = u.shape[2]
    for side in range(2):
        for axis in range(2):
            lines[side, axis, :columns] = u[axis, (row + side) % u.shape[1]]
            lines[side, axis, columns] = lines[side, axis, 0]


@compiled
def _strains(lines, first, load, out):
    """Write the modes of strain around a macroscopic strain, of as many elements as ``out`` has room for."""
    count = len(out) - (MODES - 1) * STRIDE
    span = slice(first, first + count + 1)
    a, b, c, d = lines[0, 0, span], lines[1, 0, span], lines[0, 1, span], lines[1, 1, span]
    for k in range(count):
        modes = _strain(a[k], a[k + 1], c[k], c[k + 1], b[k], b[k + 1], d[k], d[k + 1])
        out[k] = modes[0] + load[2]
        out[STRIDE + k] = modes[1] + load[1]
        out[2 * STRIDE + k] = modes[2] + load[0] + load[3]
        out[3 * STRIDE + k] = modes[3]
        out[4 * STRIDE + k] = modes[4]


@inlined
def _at(strains, k):
    """The modes of strain of element k."""
    return strains[k], strains[STRIDE + k], strains[2 * STRIDE + k], strains[3 * STRIDE + k], strains[4 * STRIDE + k]


@compiled
def _mutual_energy(one, other, w, moduli):
    """Twice the mutual energy of two load cases in a piece of elements of densities w."""
    total = w.dtype.type(0)
    for k in range(len(w)):
        a, b, c, d, e = _at(other, k)
        a, b, c, d, e = _stress(w[k], a, b, c, d, e, moduli)
        f, g, h, i, j = _at(one, k)
        total += a * f + b * g + c * h + d * i + e * j
    return total
