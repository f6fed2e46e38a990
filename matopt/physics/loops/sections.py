"""Nodal forces of bilinear elements in two dimensions, one voxel each, on a periodic grid.

An element's deformation is in the modes of :mod:`matopt.physics.brick`: sums and differences of its corners along axis
1, then along axis 0. Elements come in rows, and what two of them do is collected at the nodes between.
"""

from __future__ import annotations

import numpy as np

from matopt.physics.loops.compiler import compiled

MODES = 5
"""Of strain, that do work by themselves."""


@compiled
def apply(p, density, sample, stiffness, q):
    """Write the forces of displacements; ``(R,)`` float64, p.q.

    Args:
        p: ``(R, 2, *S)`` displacements.
        density: ``(n, *S)``.
        sample: ``(R,)`` whose density is each row's.
        stiffness: ``(6, 6)`` of an element, in its modes.
        q: ``(R, 2, *S)`` the forces.
    """
    rows, columns = p.shape[2:]
    lines = np.empty((2, 4, columns), p.dtype)
    stress = np.zeros((2, MODES, columns), p.dtype)
    right, left = np.empty(columns, p.dtype), np.empty(columns, p.dtype)
    out = np.zeros(len(p))
    for r in range(len(p)):
        _transform(p[r], rows - 1, lines[1])
        for turn in range(rows + 1):
            # Elements between the nodes of row i and of the next; the last row of elements comes first and last.
            i, j = (turn - 1) % rows, turn % rows
            above, below = stress[(turn + 1) % 2], stress[turn % 2]
            _transform(p[r], j, lines[turn % 2])
            _strain(lines[(turn + 1) % 2], lines[turn % 2], below)
            _to_stress(density[sample[r], i], below, stiffness)
            if turn > 0:
                for axis in range(2):
                    # Modes of this component along axis 0, along axis 1, and along both.
                    _to_corners(above, below, 2 * axis, 2 - axis, 3 + axis, right, left)
                    out[r] += _collect(right, left, p[r, axis, i], q[r, axis, i])
    return out


@compiled
def energies(x, density, loads, stiffness):
    """``(L, L)`` float64, twice the mutual energies around macroscopic strains, summed over voxels: the lower triangle.

    Args:
        x: ``(L, 2, *S)`` displacements.
        density: ``(*S)``.
        loads: ``(L, 6)`` macroscopic strains, in the modes of an element.
        stiffness: ``(6, 6)`` of an element, in its modes.
    """
    rows, columns = density.shape
    cases = len(x)
    lines = np.empty((2, 4, columns), x.dtype)
    strains, stress = np.empty((cases, MODES, columns), x.dtype), np.empty((MODES, columns), x.dtype)
    out = np.zeros((cases, cases))
    for i in range(rows):
        for case in range(cases):
            _transform(x[case], i, lines[0])
            _transform(x[case], (i + 1) % rows, lines[1])
            _strain(lines[0], lines[1], strains[case])
            _add_macroscopic(loads[case], strains[case])
            stress[:] = strains[case]
            _to_stress(density[i], stress, stiffness)
            for other in range(case + 1):
                for mode in range(MODES):
                    out[case, other] += _product(strains[other, mode], stress[mode])
    return out


@compiled
def energy_density(u, load, stiffness, out):
    """Write twice the energy of each element at full density.

    Args:
        u: ``(2, *S)`` displacements.
        load: ``(6,)`` macroscopic strain, in the modes of an element.
        stiffness: ``(6, 6)`` of an element, in its modes.
        out: ``(*S)``.
    """
    rows, columns = out.shape
    lines = np.empty((2, 4, columns), u.dtype)
    strain, stress = np.empty((MODES, columns), u.dtype), np.empty((MODES, columns), u.dtype)
    full = np.ones(columns, u.dtype)
    for i in range(rows):
        _transform(u, i, lines[0])
        _transform(u, (i + 1) % rows, lines[1])
        _strain(lines[0], lines[1], strain)
        _add_macroscopic(load, strain)
        stress[:] = strain
        _to_stress(full, stress, stiffness)
        out[i] = 0
        for mode in range(MODES):
            _add_product(strain[mode], stress[mode], out[i])


@compiled
def _transform(u, row, lines):
    """Sums and differences along axis 1 of both components in a row of nodes."""
    last = u.shape[2] - 1
    for axis in range(2):
        here, sums, differences = u[axis, row], lines[2 * axis], lines[2 * axis + 1]
        for k in range(last):
            sums[k] = here[k + 1] + here[k]
            differences[k] = here[k + 1] - here[k]
        sums[last] = here[0] + here[last]
        differences[last] = here[0] - here[last]


@compiled
def _strain(a, b, out):
    """The modes of strain that do work by themselves, of the elements between two rows.

    ``10x``, ``01y``, the shear ``01x + 10y``, ``11x``, ``11y``.
    """
    _difference(a[0], b[0], out[0])
    _sum(a[3], b[3], out[1])
    _shear(a[1], b[1], a[2], b[2], out[2])
    _difference(a[1], b[1], out[3])
    _difference(a[3], b[3], out[4])


@compiled
def _sum(a, b, out):
    for k in range(len(out)):
        out[k] = b[k] + a[k]


@compiled
def _shear(a, b, c, d, out):
    for k in range(len(out)):
        out[k] = a[k] + b[k] + d[k] - c[k]


@compiled
def _difference(a, b, out):
    for k in range(len(out)):
        out[k] = b[k] - a[k]


@compiled
def _add_macroscopic(load, strain):
    strain[0] += load[2]
    strain[1] += load[1]
    strain[2] += load[0] + load[3]


@compiled
def _to_stress(w, modes, stiffness):
    """Put what does work with the modes of :func:`_strain` in their place."""
    # The only numbers there are in an isotropic element, whose modes are 01x, 01y, 10x, and so on.
    along, across, shear, bend = stiffness[1, 1], stiffness[1, 2], stiffness[0, 0], stiffness[4, 4]
    first, second = modes[0], modes[1]
    for k in range(len(w)):
        a, b = first[k], second[k]
        first[k] = w[k] * (along * a + across * b)
        second[k] = w[k] * (across * a + along * b)
    _scale(w, shear, modes[2])
    _scale(w, bend, modes[3])
    _scale(w, bend, modes[4])


@compiled
def _scale(w, factor, out):
    for k in range(len(w)):
        out[k] *= w[k] * factor


@compiled
def _to_corners(above, below, across, along, both, right, left):
    """What elements on two sides of a row of nodes do to their right and left corners there."""
    a, b, c = above[across], above[along], above[both]
    d, e, f = below[across], below[along], below[both]
    for k in range(len(right)):
        total, twist = a[k] - d[k], b[k] + c[k] + e[k] - f[k]
        right[k] = total + twist
        left[k] = total - twist


@compiled
def _collect(right, left, u, force):
    last = len(u) - 1
    force[0] = right[last] + left[0]
    for k in range(1, last + 1):
        force[k] = right[k - 1] + left[k]
    return _product(u, force)


@compiled
def _product(a, b):
    total = a.dtype.type(0)
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@compiled
def _add_product(a, b, out):
    for k in range(len(out)):
        out[k] += a[k] * b[k]
