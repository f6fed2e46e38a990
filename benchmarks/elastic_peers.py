"""Other people's codes for elasticity, as contenders. They come with ``pip install .[benchmark]``."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
from contest import Contender
from peers import named

FINE = (3e-1, 2e-1, 1e-1, 5e-2, 3e-2, 2e-2, 1e-2, 5e-3, 3e-3, 2e-3, 1e-3, 5e-4, 3e-4, 1e-4)
"""Tolerances to choose from."""


class ElasticCellProblem:
    """The periodic stiffness matrix of an image by scikit-fem: Q1, void voxels left out, the rest held at one node."""

    def __init__(self, solid: np.ndarray, poisson_ratio: float) -> None:
        import scipy.sparse as sparse
        import skfem
        from skfem.helpers import ddot, eye, sym_grad, trace

        d = solid.ndim
        lines = [np.arange(n + 1.0) for n in solid.shape]
        mesh = (skfem.MeshQuad if d == 2 else skfem.MeshHex).init_tensor(*lines)
        element = skfem.ElementVector(skfem.ElementQuad1() if d == 2 else skfem.ElementHex1())
        centres = mesh.p[:, mesh.t].mean(1).astype(int)
        basis = skfem.Basis(mesh, element, intorder=2, elements=np.flatnonzero(solid[tuple(centres)]))
        shear, lame = 1 / 2 / (1 + poisson_ratio), poisson_ratio / (1 + poisson_ratio) / (1 - 2 * poisson_ratio)

        @skfem.BilinearForm
        def form(u, v, _):
            strain = sym_grad(u)
            return ddot(2 * shear * strain + lame * eye(trace(strain), d), sym_grad(v))

        matrix = form.assemble(basis).tocsr()
        node = np.ravel_multi_index(tuple((mesh.p.astype(int).T % solid.shape).T), solid.shape)
        column = np.empty(basis.N, int)
        pairs = list(itertools.combinations_with_replacement(range(d), 2))
        affine = np.zeros((basis.N, len(pairs)))
        for axis in range(d):
            column[basis.nodal_dofs[axis]] = node * d + axis
        for load, (i, j) in enumerate(pairs):
            for a, b in {(i, j), (j, i)}:
                affine[basis.nodal_dofs[a], load] = mesh.p[b] * (1.0 if i == j else 0.5)
        fold = sparse.csr_matrix((np.ones(basis.N), (np.arange(basis.N), column)))
        self.forces = matrix @ affine
        self.macroscopic = affine.T @ self.forces
        folded = (fold.T @ matrix @ fold).tocsc()
        held = np.flatnonzero(folded.diagonal() > 0)
        held = held[held // d != held[0] // d]
        self.matrix = folded[held][:, held].tocsc()
        self.rhs = -(fold.T @ self.forces)[held]
        self.size = solid.size
        self.dimensions = d

    def modulus(self, fluctuation: np.ndarray) -> np.ndarray:
        """``1/S11`` over the grain's modulus, to the second order in the fluctuations' error."""
        fluctuation = fluctuation.astype(np.float64)
        linear = self.rhs.T @ fluctuation
        quadratic = fluctuation.T @ (self.matrix @ fluctuation)
        stiffness = (self.macroscopic - linear - linear.T + quadratic) / self.size
        return np.array([1 / np.linalg.inv(stiffness)[0, 0]])


def direct(lattice: ElasticCellProblem) -> Contender:
    """SciPy's sparse direct solver, in single precision, where it is quicker; assembly is not counted."""
    from scipy.sparse.linalg import splu

    matrix, rhs = lattice.matrix.astype(np.float32), lattice.rhs.astype(np.float32)

    def solve(_: float) -> np.ndarray:
        factors = splu(matrix, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        return lattice.modulus(factors.solve(rhs))

    exact = splu(lattice.matrix, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return Contender(f"{named('scipy')} splu", solve, (0.0,), lattice.modulus(exact.solve(lattice.rhs)))


def conjugate_gradients(lattice: ElasticCellProblem, reference: np.ndarray) -> Contender:
    """scikit-fem's iterative solver with its diagonal preconditioner, in single precision; assembly is not counted."""
    from skfem.utils import build_pc_diag, solver_iter_pcg

    matrix, rhs = lattice.matrix.tocsr().astype(np.float32), lattice.rhs.astype(np.float32)

    def solve(tolerance: float) -> np.ndarray:
        run = solver_iter_pcg(rtol=tolerance, M=build_pc_diag(matrix).astype(np.float32))
        return lattice.modulus(np.stack([run(matrix, b) for b in rhs.T], 1))

    return Contender(f"{named('scikit-fem')} PCG", solve, FINE, reference)


def multigrid(lattice: ElasticCellProblem, reference: np.ndarray) -> Contender:
    """pyamg's smoothed aggregation on scikit-fem's matrix, accelerated by CG; assembly is not counted, set-up is.

    The matrix comes in blocks of a node, so that the near-nullspace is that of the translations. At 32^3
    rotations besides took 3.5 s instead of 2.8, smoothing by energy 3.6 s, and single precision 3.1 s.
    """
    import pyamg

    matrix = lattice.matrix.tobsr((lattice.dimensions,) * 2)

    def solve(tolerance: float) -> np.ndarray:
        levels = pyamg.smoothed_aggregation_solver(matrix)
        return lattice.modulus(np.stack([levels.solve(b, tol=tolerance, accel="cg") for b in lattice.rhs.T], 1))

    return Contender(f"{named('scikit-fem')} + {named('pyamg')}", solve, FINE, reference)


def muspectre(solid: np.ndarray, poisson_ratio: float, reference: np.ndarray | None = None) -> Contender:
    """muSpectre's Newton solver, one step of it, with void of modulus exactly 0; its set-up is not counted.

    Sections: its bilinear finite elements, preconditioned by a homogeneous grain, the same discretisation as ours.
    Volumes: its projection on five linear tetrahedra a voxel, as its Python interface has no elements of volumes; its
    own tight solution is their reference. Each load case starts from the fields of the one before.
    """
    import muSpectre as package

    d = solid.ndim

    @cache
    def made(tolerance: float) -> object:
        cell = package.cell.CellData.make(list(solid.shape), [float(n) for n in solid.shape])
        cell.nb_quad_pts, cell.nb_nodal_pts = (4 if d == 2 else 5), 1
        elastic = getattr(package.material, f"MaterialLinearElastic1_{d}d")
        pore, grain = elastic.make(cell, "pore", 0.0, poisson_ratio), elastic.make(cell, "grain", 1.0, poisson_ratio)
        for number, place in cell.pixels.enumerate():
            (grain if solid[tuple(place)] else pore).add_pixel(number)
        # The equations are linear: one Newton step, whatever it leaves.
        settings = (package.Verbosity.Silent, 1e10, 1e-14, 10000)
        if d == 2:
            elements = package.Discretisation(package.FEMStencil.bilinear_quadrangle(cell))
            krylov = package.solvers.KrylovSolverPCG(tolerance, 10000)
            solver = package.solvers.SolverFEMNewtonPCG(elements, krylov, *settings)
        else:
            gradient, weights = package.linear_finite_elements.gradient_3d_5tet
            krylov = package.solvers.KrylovSolverCG(tolerance, 10000)
            solver = package.solvers.SolverNewtonCG(cell, krylov, *settings, gradient, list(weights))
        solver.formulation = package.Formulation.small_strain
        solver.initialise_cell()
        if d == 2:
            solver.set_reference_material(np.array(grain.C, order="F"))
        return solver

    def solve(tolerance: float) -> np.ndarray:
        solver = made(tolerance)
        strains, stresses = [], []
        for i, j in itertools.combinations_with_replacement(range(d), 2):
            load = np.zeros((d, d))
            load[i, j] += 0.5
            load[j, i] += 0.5
            solver.solve_load_increment(load)
            strains.append(np.array(solver.grad.field.array()))
            stresses.append(np.array(solver.flux.field.array()))
        # Tetrahedra weigh by their volumes; the quadrature points are axis 2.
        weights = np.full(4, 1 / 4) if d == 2 else np.array([1 / 3, *[1 / 6] * 4])
        weighed = [strain * weights.reshape(-1, *[1] * d) for strain in strains]
        stiffness = [[np.vdot(strain, stress) for stress in stresses] for strain in weighed]
        return np.array([1 / np.linalg.inv(stiffness)[0, 0] / solid.size])

    return Contender(named("muSpectre"), solve, FINE[4:-3], solve(1e-5) if reference is None else reference)
