"""Nodal forces of trilinear elements in three dimensions, one voxel each, on a periodic grid.

Elements come in layers. The nodes of a layer lie in one line with a wrapped column behind each row and a wrapped row
behind the last, so that a corner of all elements is that line shifted by a fixed number of positions; positions that no
element belongs to have no density. The line is cut into pieces whose arrays are at known distances from each other,
which lets a compiler use vector units.

An element's deformation is in the modes of :mod:`matopt.physics.elastic.element`: sums and differences of its corners
along axis 2, then axis 1, then axis 0.
"""

from __future__ import annotations

import numpy as np

from matopt.physics.elastic.kernels import vectors
from matopt.physics.numerics.compiler import compiled, inlined

W = 64
"""The number of elements in a piece."""

STRIDE = W + 8
"""The distance from one array of a piece to the next."""

MODES = 18
"""How many modes of strain there are that have energy by themselves."""

FORCES = 12
"""How many arrays a piece of forces has: ``00, 01, 10, 11`` along axes 1 and 2 of each component, modes or corners."""


def step(p, waves, owners, beta, density, sample, stiffness):
    """Set ``p = z + beta p``, and overwrite z by the nodal forces q of p; returns p.q, ``(R,)`` float64.

    Args:
        p: ``(R, 3, *S)`` displacements.
        waves: ``(F, S[0], 2 m)``, see :mod:`~matopt.physics.elastic.kernels.vectors`.
        owners: ``(F, 2, 2)``, see :func:`~matopt.physics.elastic.kernels.vectors.owners`.
        beta: ``(R,)``.
        density: ``(n, *S)``.
        sample: ``(R,)``, the sample of each row.
        stiffness: ``(21, 21)`` of an element, in its modes.
    """
    vectors.update_direction(p.reshape(*p.shape[:3], -1), waves, owners, beta)
    return _put_forces(p, waves, vectors.slots(owners, len(p)), density, sample, stiffness)


@compiled
def _put_forces(p, waves, slots, density, sample, stiffness):
    """Write the nodal forces q of p into the waves; returns p.q, ``(R,)`` float64."""
    layers, rows, columns = p.shape[2:]
    step, pieces = columns + 1, (rows * (columns + 1) + W - 1) // W
    old, new, sums, weights = _room(p), _room(p), _room(p), np.zeros(pieces * W, p.dtype)
    above, corners = np.zeros((pieces, FORCES * STRIDE), p.dtype), np.zeros(FORCES * STRIDE, p.dtype)
    stress, out = np.zeros(MODES * W, p.dtype), np.zeros(len(p))
    for r in range(len(p)):
        _lay_out(p[r], layers - 1, new)
        for turn in range(layers + 1):
            # Elements between the nodes of layer i and of the next; the last layer of elements comes first and last.
            i, j = (turn - 1) % layers, turn % layers
            old, new = new, old
            _lay_out(p[r], j, new)
            _lay_out_density(density[sample[r], i], weights)
            for piece in range(pieces):
                _strain(old, new, piece * W, step, stress)
                _to_stress(weights[piece * W : (piece + 1) * W], stress, stiffness)
                _meet(stress, above[piece], corners)
                if turn > 0:
                    _add_corners(corners, sums, piece * W, step)
            if turn > 0:
                for axis in range(3):
                    field, part = slots[r, axis, 0], slots[r, axis, 1]
                    half = waves[field, i, part * rows * columns : (part + 1) * rows * columns]
                    out[r] += _collect(sums[axis], p[r, axis, i], half.reshape(rows, columns))
    return out


@compiled
def energies(x, density, loads, stiffness):
    """Twice the mutual energies of the load cases, summed over voxels: ``(L, L)`` float64, the lower triangle.

    Args:
        x: ``(L, 3, *S)`` displacements.
        density: ``(*S)``.
        loads: ``(L, 21)`` macroscopic strains, in the modes of an element.
        stiffness: ``(21, 21)`` of an element, in its modes.
    """
    layers, rows, columns = density.shape
    cases = len(x)
    pieces = (rows * (columns + 1) + W - 1) // W
    nodes, weights = np.zeros((2, cases, *_room(x).shape), x.dtype), np.zeros(pieces * W, x.dtype)
    strains, stress = np.zeros((cases, MODES * W), x.dtype), np.zeros(MODES * W, x.dtype)
    out = np.zeros((cases, cases))
    for case in range(cases):
        _lay_out(x[case], 0, nodes[0, case])
    for i in range(layers):
        old, new = nodes[i % 2], nodes[(i + 1) % 2]
        _lay_out_density(density[i], weights)
        for case in range(cases):
            _lay_out(x[case], (i + 1) % layers, new[case])
        for piece in range(pieces):
            for case in range(cases):
                _strain(old[case], new[case], piece * W, columns + 1, strains[case])
                _add_macroscopic(loads[case], strains[case])
                stress[:] = strains[case]
                _to_stress(weights[piece * W : (piece + 1) * W], stress, stiffness)
                for other in range(case + 1):
                    out[case, other] += _product(strains[other], stress)
    return out


@compiled
def energy_density(u, load, stiffness, out):
    """Write twice the elastic energy of each element at full density.

    Args:
        u: ``(3, *S)`` displacements.
        load: ``(21,)`` macroscopic strain, in the modes of an element.
        stiffness: ``(21, 21)`` of an element, in its modes.
        out: ``(*S)``.
    """
    layers, rows, columns = out.shape
    pieces = (rows * (columns + 1) + W - 1) // W
    old, new = _room(u), _room(u)
    strain, stress = np.zeros(MODES * W, u.dtype), np.zeros(MODES * W, u.dtype)
    full, energy = np.ones(W, u.dtype), np.zeros(pieces * W, u.dtype)
    _lay_out(u, 0, new)
    for i in range(layers):
        old, new = new, old
        _lay_out(u, (i + 1) % layers, new)
        for piece in range(pieces):
            _strain(old, new, piece * W, columns + 1, strain)
            _add_macroscopic(load, strain)
            stress[:] = strain
            _to_stress(full, stress, stiffness)
            _add_products(strain, stress, energy[piece * W : (piece + 1) * W])
        for row in range(rows):
            first = row * (columns + 1)
            out[i, row] = energy[first : first + columns]


@compiled
def _room(u):
    """Allocate the line of a layer of nodes, up to the end of its last piece and the row ahead of that."""
    rows, columns = u.shape[-2], u.shape[-1]
    return np.zeros((3, (rows + 1) * (columns + 1) + W + 1), u.dtype)


@compiled
def _lay_out(u, layer, line):
    """Copy a layer of nodes to its line, with the wrapped columns and row."""
    rows, columns = u.shape[2:]
    step = columns + 1
    for axis in range(3):
        for row in range(rows + 1):
            wrapped, nodes = line[axis, row * step : (row + 1) * step], u[axis, layer, row % rows]
            for k in range(columns):
                wrapped[k] = nodes[k]
            wrapped[columns] = nodes[0]


@compiled
def _lay_out_density(density, line):
    """Copy a layer of densities to the line, 0 at wrapped positions."""
    rows, columns = density.shape
    for row in range(rows):
        weights, elements = line[row * (columns + 1) : (row + 1) * (columns + 1)], density[row]
        for k in range(columns):
            weights[k] = elements[k]


@compiled
def _strain(old, new, first, step, out):
    """Write the modes of strain of the elements between two layers of nodes.

    ``100x 010y 001z``, the shears ``001x + 100z, 010x + 100y, 001y + 010z``, ``011x 101y 110z``, ``011y 101x``,
    ``011z 110x``, ``101z 110y``, ``111x 111y 111z``.
    """
    here, ahead = slice(first, first + W + 1), slice(first + step, first + step + W + 1)
    a, b, c, d = old[0, here], old[0, ahead], new[0, here], new[0, ahead]
    for k in range(W):
        e, f, g, h = _differences(a, b, k)
        m, n, o, p = _differences(c, d, k)
        out[k], out[3 * W + k], out[4 * W + k], out[6 * W + k] = m - e, n + f, o + g, p + h
        out[10 * W + k], out[12 * W + k], out[15 * W + k] = n - f, o - g, p - h
    a, b, c, d = old[1, here], old[1, ahead], new[1, here], new[1, ahead]
    for k in range(W):
        e, f, g, h = _differences(a, b, k)
        m, n, o, p = _differences(c, d, k)
        out[4 * W + k] += m - e
        out[5 * W + k], out[W + k], out[9 * W + k] = n + f, o + g, p + h
        out[7 * W + k], out[14 * W + k], out[16 * W + k] = n - f, o - g, p - h
    a, b, c, d = old[2, here], old[2, ahead], new[2, here], new[2, ahead]
    for k in range(W):
        e, f, g, h = _differences(a, b, k)
        m, n, o, p = _differences(c, d, k)
        out[3 * W + k] += m - e
        out[5 * W + k] += o + g
        out[2 * W + k], out[11 * W + k], out[13 * W + k] = n + f, p + h, n - f
        out[8 * W + k], out[17 * W + k] = o - g, p - h


@inlined
def _differences(here, ahead, k):
    """The sums and differences ``00, 01, 10, 11`` along axes 1 and 2 of an element's corners in a layer of nodes."""
    total, change = here[k + 1] + here[k], here[k + 1] - here[k]
    total_ahead, change_ahead = ahead[k + 1] + ahead[k], ahead[k + 1] - ahead[k]
    return total_ahead + total, change_ahead + change, total_ahead - total, change_ahead - change


@compiled
def _to_stress(w, modes, stiffness):
    """Replace the modes of :func:`_strain` by the stresses that do work with them, at densities w."""
    # The different numbers in the stiffness of an isotropic element, whose modes are 001x, 001y, 001z, 010x, and so on.
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
def _meet(stress, above, corners):
    """Add the forces of elements on the nodes before them to those of the layer before, at their four corners there.

    ``above`` keeps, in modes, the forces of elements on the nodes behind them. Corners at the right are shifted by one.
    """
    s, zero = stress, stress.dtype.type(0)
    for k in range(W):
        even = zero, s[3 * W + k], s[4 * W + k], s[6 * W + k]
        _put_corners(k, above, corners, 0, even, (s[k], s[10 * W + k], s[12 * W + k], s[15 * W + k]))
    for k in range(W):
        even = zero, s[5 * W + k], s[W + k], s[9 * W + k]
        _put_corners(k, above, corners, 4, even, (s[4 * W + k], s[7 * W + k], s[14 * W + k], s[16 * W + k]))
    for k in range(W):
        even = zero, s[2 * W + k], s[5 * W + k], s[11 * W + k]
        _put_corners(k, above, corners, 8, even, (s[3 * W + k], s[13 * W + k], s[8 * W + k], s[17 * W + k]))


@inlined
def _put_corners(k, above, corners, row, even, odd):
    """Write the corner forces of one component from its modes, even and odd along axis 0."""
    at = row * STRIDE + k
    a = above[at] + even[0] - odd[0]
    b = above[at + STRIDE] + even[1] - odd[1]
    c = above[at + 2 * STRIDE] + even[2] - odd[2]
    d = above[at + 3 * STRIDE] + even[3] - odd[3]
    above[at] = even[0] + odd[0]
    above[at + STRIDE] = even[1] + odd[1]
    above[at + 2 * STRIDE] = even[2] + odd[2]
    above[at + 3 * STRIDE] = even[3] + odd[3]
    corners[at] = a - c - (b - d)
    corners[at + STRIDE + 1] = a - c + (b - d)
    corners[at + 2 * STRIDE] = a + c - (b + d)
    corners[at + 3 * STRIDE + 1] = a + c + (b + d)


@compiled
def _add_corners(corners, sums, first, step):
    """Add the corner forces of a piece to the sums at the nodes of the line."""
    for axis in range(3):
        for ahead in range(2):
            here = sums[axis, first + ahead * step : first + ahead * step + W + 1]
            left = corners[(4 * axis + 2 * ahead) * STRIDE :]
            for k in range(W + 1):
                here[k] += left[k] + left[STRIDE + k]


@compiled
def _collect(sums, u, force):
    """Move the forces of a layer from its line, which is cleared, to the grid; returns their work."""
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


@compiled
def _add_macroscopic(load, strain):
    """Add a macroscopic strain to the modes of a piece."""
    for mode, row in ((9, 0), (4, 1), (2, 2)):
        strain[row * W : (row + 1) * W] += load[mode]
    for mode, other, row in ((0, 11, 3), (3, 10, 4), (1, 5, 5)):
        strain[row * W : (row + 1) * W] += load[mode] + load[other]


@compiled
def _product(a, b):
    """The dot product, in the precision of the vectors."""
    total = a.dtype.type(0)
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@compiled
def _add_products(a, b, out):
    """Write the sum over modes of the products, for each element of a piece."""
    out[:] = 0
    for row in range(MODES):
        for k in range(W):
            out[k] += a[row * W + k] * b[row * W + k]
