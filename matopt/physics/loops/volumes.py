"""Nodal forces of trilinear elements in three dimensions, one voxel each, on a periodic grid.

Elements come in layers. The nodes of a layer lie in one line with a wrapped column behind each row and a wrapped row
behind the last, so a corner of all elements is that line moved by a fixed number of places; places that no element
belongs to have no density. The line is cut into pieces of fixed length: the rows of a piece's arrays are then at known
distances from each other, which lets a compiler use vector units.

A piece has 4 rows for each component: sums and differences ``00, 01, 10, 11`` of the corners along axes 1 and 2. With
sums and differences of two layers these are the modes of :mod:`matopt.physics.brick`.
"""

from __future__ import annotations

import numpy as np

from matopt.physics.loops.compiler import compiled

W = 128
"""Elements a piece."""

ROWS = 12
"""Of a piece's sums and differences, and of the forces that belong to them."""


@compiled
def step(p, waves, owners, beta, density, sample, stiffness):
    """``p = z + beta p`` and its forces q, which overwrite z; ``(R,)`` float64, p.q.

    Args:
        p: ``(R, 3, *S)`` displacements.
        waves: ``(F, S[0], 2 m)``, see :mod:`~matopt.physics.loops.vectors`.
        owners: ``(F, 2, 2)``, see :func:`~matopt.physics.loops.vectors.owners`.
        beta: ``(R,)``.
        density: ``(n, *S)``.
        sample: ``(R,)`` whose density is each row's.
        stiffness: ``(21, 21)`` of an element, in its modes.
    """
    layers, rows, columns = p.shape[2:]
    step, size = columns + 1, rows * (columns + 1)
    pieces = (size + W - 1) // W
    nodes = np.zeros((3, pieces * W + step + 1), p.dtype)
    sums = np.zeros(nodes.shape, p.dtype)
    weights = np.zeros(pieces * W, p.dtype)
    modes = np.zeros((2, pieces, ROWS * W), p.dtype)
    above = np.zeros((pieces, ROWS * W), p.dtype)
    between, stress, scratch = np.zeros(ROWS * W, p.dtype), np.zeros(18 * W, p.dtype), np.zeros(4 * (W + 1), p.dtype)
    out = np.zeros(len(p))
    places = _turn(p, waves, owners, beta)
    for r in range(len(p)):
        _lay_out(p[r], layers - 1, nodes)
        for piece in range(pieces):
            _transform(nodes, piece * W, step, modes[1, piece])
        for turn in range(layers + 1):
            # Elements between the nodes of layer i and of the next; the last layer of elements comes first and last.
            i, j = (turn - 1) % layers, turn % layers
            old, new = modes[(turn + 1) % 2], modes[turn % 2]
            _lay_out(p[r], j, nodes)
            for row in range(rows):
                weights[row * step : row * step + columns] = density[sample[r], i, row]
            for piece in range(pieces):
                _transform(nodes, piece * W, step, new[piece])
                _strain(old[piece], new[piece], stress)
                _to_stress(weights[piece * W : (piece + 1) * W], stress, stiffness)
                _between_layers(stress, above[piece], between)
                if turn > 0:
                    _to_corners(between, sums, piece * W, step, scratch)
            if turn > 0:
                for axis in range(3):
                    field, part = places[r, axis, 0], places[r, axis, 1]
                    half = waves[field, i, part * rows * columns : (part + 1) * rows * columns]
                    out[r] += _collect(sums[axis], p[r, axis, i], half.reshape(rows, columns))
    return out


@compiled
def energies(x, density, loads, stiffness):
    """``(L, L)`` float64, twice the mutual energies around macroscopic strains, summed over voxels: the lower triangle.

    Args:
        x: ``(L, 3, *S)`` displacements.
        density: ``(*S)``.
        loads: ``(L, 21)`` macroscopic strains, in the modes of an element.
        stiffness: ``(21, 21)`` of an element, in its modes.
    """
    layers, rows, columns = density.shape
    cases, step, size = len(x), columns + 1, rows * (columns + 1)
    pieces = (size + W - 1) // W
    nodes = np.zeros((3, pieces * W + step + 1), x.dtype)
    weights = np.zeros(pieces * W, x.dtype)
    modes = np.zeros((2, cases, pieces, ROWS * W), x.dtype)
    strains, stress = np.zeros((cases, 18 * W), x.dtype), np.zeros(18 * W, x.dtype)
    out = np.zeros((cases, cases))
    for i in range(-1, layers):
        # Elements between the nodes of layer i and of the next.
        old, new = modes[i % 2], modes[(i + 1) % 2]
        for case in range(cases):
            _lay_out(x[case], (i + 1) % layers, nodes)
            for piece in range(pieces):
                _transform(nodes, piece * W, step, new[case, piece])
        if i < 0:
            continue
        for row in range(rows):
            weights[row * step : row * step + columns] = density[i, row]
        for piece in range(pieces):
            w = weights[piece * W : (piece + 1) * W]
            for case in range(cases):
                _strain(old[case, piece], new[case, piece], strains[case])
                _add_macroscopic(loads[case], strains[case])
                stress[:] = strains[case]
                _to_stress(w, stress, stiffness)
                for other in range(case + 1):
                    out[case, other] += _product(strains[other], stress)
    return out


@compiled
def energy_density(u, load, stiffness, out):
    """Write twice the energy of each element at full density.

    Args:
        u: ``(3, *S)`` displacements.
        load: ``(21,)`` macroscopic strain, in the modes of an element.
        stiffness: ``(21, 21)`` of an element, in its modes.
        out: ``(*S)``.
    """
    layers, rows, columns = out.shape
    step = columns + 1
    pieces = (rows * step + W - 1) // W
    nodes = np.zeros((3, pieces * W + step + 1), u.dtype)
    modes = np.zeros((2, pieces, ROWS * W), u.dtype)
    strain, stress = np.zeros(18 * W, u.dtype), np.zeros(18 * W, u.dtype)
    full, line = np.ones(W, u.dtype), np.zeros(pieces * W, u.dtype)
    for i in range(-1, layers):
        _lay_out(u, (i + 1) % layers, nodes)
        for piece in range(pieces):
            _transform(nodes, piece * W, step, modes[(i + 1) % 2, piece])
            if i >= 0:
                _strain(modes[i % 2, piece], modes[(i + 1) % 2, piece], strain)
                _add_macroscopic(load, strain)
                stress[:] = strain
                _to_stress(full, stress, stiffness)
                _add_products(strain, stress, line[piece * W : (piece + 1) * W])
        if i >= 0:
            for row in range(rows):
                out[i, row] = line[row * step : row * step + columns]


@compiled
def _turn(p, waves, owners, beta):
    """``p = z + beta p``; ``(R, 3, 2)`` the field and the part of it that each component is."""
    layers, size = p.shape[2], p.shape[3] * p.shape[4]
    nothing, places = np.zeros(size, p.dtype), np.empty((len(p), 4, 2), np.int64)
    for field in range(len(waves)):
        for part in range(2):
            row, axis = owners[field, part, 0], owners[field, part, 1]
            places[row, axis, 0], places[row, axis, 1] = field, part
        a, i, b, j = owners[field, 0, 0], owners[field, 0, 1], owners[field, 1, 0], owners[field, 1, 1]
        for layer in range(layers):
            z, real = waves[field, layer], p[a, i, layer].reshape(size)
            imaginary = p[b, j, layer].reshape(size) if j < 3 else nothing
            first, second = p.dtype.type(beta[a]), p.dtype.type(beta[b])
            for k in range(size):
                real[k] = z[2 * k] + first * real[k]
                imaginary[k] = z[2 * k + 1] + second * imaginary[k]
    return places


@compiled
def _add_products(a, b, out):
    out[:] = 0
    for row in range(18):
        for k in range(W):
            out[k] += a[row * W + k] * b[row * W + k]


@compiled
def _add_macroscopic(load, strain):
    for mode, row in ((9, 0), (4, 1), (2, 2)):
        strain[row * W : (row + 1) * W] += load[mode]
    for mode, other, row in ((0, 11, 3), (3, 10, 4), (1, 5, 5)):
        strain[row * W : (row + 1) * W] += load[mode] + load[other]


@compiled
def _product(a, b):
    total = a.dtype.type(0)
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@compiled
def _lay_out(u, layer, nodes):
    rows, columns = u.shape[2:]
    for axis in range(3):
        for row in range(rows + 1):
            here, line = u[axis, layer, row % rows], nodes[axis, row * (columns + 1) : (row + 1) * (columns + 1)]
            for k in range(columns):
                line[k] = here[k]
            line[columns] = here[0]


@compiled
def _transform(nodes, first, step, modes):
    for axis in range(3):
        here = nodes[axis, first : first + W + 1]
        ahead = nodes[axis, first + step : first + step + W + 1]
        out = modes[4 * axis * W : 4 * (axis + 1) * W]
        for k in range(W):
            total, change = here[k + 1] + here[k], here[k + 1] - here[k]
            total_ahead, change_ahead = ahead[k + 1] + ahead[k], ahead[k + 1] - ahead[k]
            out[k] = total_ahead + total
            out[W + k] = change_ahead + change
            out[2 * W + k] = total_ahead - total
            out[3 * W + k] = change_ahead - change


@compiled
def _strain(a, b, out):
    """The modes of strain that do work by themselves, of the elements between two layers.

    ``100x 010y 001z``, the shears ``001x + 100z, 010x + 100y, 001y + 010z``, ``011x 101y 110z``, ``011y 101x``,
    ``011z 110x``, ``101z 110y``, ``111x 111y 111z``.
    """
    for k in range(W):
        out[k] = b[k] - a[k]
        out[W + k] = b[6 * W + k] + a[6 * W + k]
        out[2 * W + k] = b[9 * W + k] + a[9 * W + k]
    for k in range(W):
        out[3 * W + k] = b[W + k] + a[W + k] + b[8 * W + k] - a[8 * W + k]
        out[4 * W + k] = b[2 * W + k] + a[2 * W + k] + b[4 * W + k] - a[4 * W + k]
        out[5 * W + k] = b[5 * W + k] + a[5 * W + k] + b[10 * W + k] + a[10 * W + k]
    for k in range(W):
        out[6 * W + k] = b[3 * W + k] + a[3 * W + k]
        out[7 * W + k] = b[5 * W + k] - a[5 * W + k]
        out[8 * W + k] = b[10 * W + k] - a[10 * W + k]
        out[9 * W + k] = b[7 * W + k] + a[7 * W + k]
        out[10 * W + k] = b[W + k] - a[W + k]
        out[11 * W + k] = b[11 * W + k] + a[11 * W + k]
    for k in range(W):
        out[12 * W + k] = b[2 * W + k] - a[2 * W + k]
        out[13 * W + k] = b[9 * W + k] - a[9 * W + k]
        out[14 * W + k] = b[6 * W + k] - a[6 * W + k]
        out[15 * W + k] = b[3 * W + k] - a[3 * W + k]
        out[16 * W + k] = b[7 * W + k] - a[7 * W + k]
        out[17 * W + k] = b[11 * W + k] - a[11 * W + k]


@compiled
def _to_stress(w, modes, stiffness):
    """Put what does work with the modes of :func:`_strain` in their place."""
    # The only numbers there are in an isotropic element, whose modes are 001x, 001y, 001z, 010x, and so on.
    across, shear = stiffness[2, 4], stiffness[0, 0]
    along = stiffness[2, 2] - across
    twist_across = stiffness[6, 13]
    twist = stiffness[6, 6] - twist_across
    bend, bend_across, last = stiffness[7, 7], stiffness[7, 12], stiffness[18, 18]
    for k in range(W):
        x, y, z = modes[k], modes[W + k], modes[2 * W + k]
        common = across * (x + y + z)
        modes[k] = w[k] * (along * x + common)
        modes[W + k] = w[k] * (along * y + common)
        modes[2 * W + k] = w[k] * (along * z + common)
    for k in range(W):
        modes[3 * W + k] *= w[k] * shear
        modes[4 * W + k] *= w[k] * shear
        modes[5 * W + k] *= w[k] * shear
    for k in range(W):
        x, y, z = modes[6 * W + k], modes[7 * W + k], modes[8 * W + k]
        common = twist_across * (x + y + z)
        modes[6 * W + k] = w[k] * (twist * x + common)
        modes[7 * W + k] = w[k] * (twist * y + common)
        modes[8 * W + k] = w[k] * (twist * z + common)
    for k in range(W):
        x, y = modes[9 * W + k], modes[10 * W + k]
        modes[9 * W + k] = w[k] * (bend * x + bend_across * y)
        modes[10 * W + k] = w[k] * (bend_across * x + bend * y)
        x, y = modes[11 * W + k], modes[12 * W + k]
        modes[11 * W + k] = w[k] * (bend * x + bend_across * y)
        modes[12 * W + k] = w[k] * (bend_across * x + bend * y)
        x, y = modes[13 * W + k], modes[14 * W + k]
        modes[13 * W + k] = w[k] * (bend * x + bend_across * y)
        modes[14 * W + k] = w[k] * (bend_across * x + bend * y)
    for k in range(W):
        modes[15 * W + k] *= w[k] * last
        modes[16 * W + k] *= w[k] * last
        modes[17 * W + k] *= w[k] * last


@compiled
def _between_layers(stress, above, out):
    """Add what elements do to the nodes before them to what those above, kept in ``above``, did to the nodes after."""
    # Row, its mode that is even along axis 0, and the odd one.
    _odd(0, 0, stress, above, out)
    _both(1, 3, 10, stress, above, out)
    _both(2, 4, 12, stress, above, out)
    _both(3, 6, 15, stress, above, out)
    _odd(4, 4, stress, above, out)
    _both(5, 5, 7, stress, above, out)
    _both(6, 1, 14, stress, above, out)
    _both(7, 9, 16, stress, above, out)
    _odd(8, 3, stress, above, out)
    _both(9, 2, 13, stress, above, out)
    _both(10, 5, 8, stress, above, out)
    _both(11, 11, 17, stress, above, out)


@compiled
def _both(row, even, odd, stress, above, out):
    for k in range(W):
        a, b = stress[even * W + k], stress[odd * W + k]
        out[row * W + k] = above[row * W + k] + a - b
        above[row * W + k] = a + b


@compiled
def _odd(row, odd, stress, above, out):
    for k in range(W):
        out[row * W + k] = above[row * W + k] - stress[odd * W + k]
        above[row * W + k] = stress[odd * W + k]


@compiled
def _to_corners(modes, sums, first, step, scratch):
    end = W + 1
    for axis in range(3):
        force = modes[4 * axis * W : 4 * (axis + 1) * W]
        # Corners here and those a row ahead, those behind a place and those at it.
        for k in range(W):
            even, odd = force[k] - force[2 * W + k], force[W + k] - force[3 * W + k]
            scratch[k] = even - odd
            scratch[end + k + 1] = even + odd
            even, odd = force[k] + force[2 * W + k], force[W + k] + force[3 * W + k]
            scratch[2 * end + k] = even - odd
            scratch[3 * end + k + 1] = even + odd
        here = sums[axis, first : first + end]
        ahead = sums[axis, first + step : first + step + end]
        for k in range(end):
            here[k] += scratch[k] + scratch[end + k]
        for k in range(end):
            ahead[k] += scratch[2 * end + k] + scratch[3 * end + k]


@compiled
def _collect(sums, u, force):
    """Move the forces of a layer from its line, which is cleared, to the grid; p.q of the layer."""
    rows, columns = u.shape
    step = columns + 1
    for k in range(step):
        sums[k] += sums[rows * step + k]
    total = 0.0
    for row in range(rows):
        line, here = sums[row * step : (row + 1) * step], force[row]
        line[0] += line[columns]
        work = u.dtype.type(0)
        for k in range(columns):
            here[k] = line[k]
            work += line[k] * u[row, k]
        total += work
    sums[:] = 0
    return total
