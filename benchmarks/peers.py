"""Other people's codes, as contenders. They come with ``pip install .[benchmark]``."""

from __future__ import annotations

import itertools
from importlib.metadata import version

import numpy as np
from contest import Contender


def named(package: str) -> str:
    """A package with its version."""
    return f"{package} {version(package)}"


def taufactor(solid: np.ndarray, reference: np.ndarray) -> Contender:
    """D/D0 of ``(N, *S)`` with empty grains, between fixed concentrations; the same discretisation as ours."""
    import taufactor as package

    pores = (1 - solid).astype(np.uint8)
    pores = pores[..., None] if pores.ndim == 3 else pores

    def solve(tolerance: float) -> np.ndarray:
        solver = package.Solver(pores, device="cpu")
        solver.solve(verbose=False, conv_crit=tolerance, iter_limit=10000)
        return np.atleast_1d(solver.D_eff)

    return Contender(named("taufactor"), solve, (1e-2, 5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4), reference)


def porespy(solid: np.ndarray) -> Contender:
    """D/D0 of ``S``; its concentrations are held in the end voxels, so its own tight solution is its reference."""
    import porespy as package

    pores = solid == 0

    def solve(tolerance: float) -> np.ndarray:
        found = package.simulations.tortuosity_fd(im=pores, axis=0, ftol=tolerance)
        return np.array([1 / found.formation_factor])

    return Contender(named("porespy"), solve, (1e-1, 3e-2, 1e-2, 3e-3, 1e-3), solve(1e-7))


class Lattice:
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

    def modulus(self, fluctuation: np.ndarray) -> np.ndarray:
        """``1/S11`` over the grain's modulus, to the second order in the fluctuations' error."""
        linear = self.rhs.T @ fluctuation
        quadratic = fluctuation.T @ (self.matrix @ fluctuation)
        stiffness = (self.macroscopic - linear - linear.T + quadratic) / self.size
        return np.array([1 / np.linalg.inv(stiffness)[0, 0]])


def direct(lattice: Lattice) -> Contender:
    """SciPy's sparse direct solver; assembly is not counted."""
    from scipy.sparse.linalg import splu

    def solve(_: float) -> np.ndarray:
        factors = splu(lattice.matrix, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        return lattice.modulus(factors.solve(lattice.rhs))

    return Contender(f"{named('scipy')} splu", solve, (0.0,), solve(0.0))


def conjugate_gradients(lattice: Lattice, reference: np.ndarray) -> Contender:
    """scikit-fem's iterative solver with its diagonal preconditioner; assembly is not counted."""
    from skfem.utils import build_pc_diag, solver_iter_pcg

    matrix = lattice.matrix.tocsr()

    def solve(tolerance: float) -> np.ndarray:
        run = solver_iter_pcg(rtol=tolerance, M=build_pc_diag(matrix))
        return lattice.modulus(np.stack([run(matrix, b) for b in lattice.rhs.T], 1))

    return Contender(f"{named('scikit-fem')} PCG", solve, (1e-1, 3e-2, 1e-2, 3e-3, 1e-3), reference)


def multigrid(lattice: Lattice, reference: np.ndarray) -> Contender:
    """pyamg's smoothed aggregation on scikit-fem's matrix, as in its examples; assembly is not counted."""
    import pyamg

    matrix = lattice.matrix.tocsr()

    def solve(tolerance: float) -> np.ndarray:
        levels = pyamg.smoothed_aggregation_solver(matrix)
        found = [levels.solve(b, tol=tolerance, accel="cg") for b in lattice.rhs.T]
        return lattice.modulus(np.stack(found, 1))

    return Contender(f"scikit-fem + {named('pyamg')}", solve, (1e-1, 3e-2, 1e-2, 3e-3, 1e-3), reference)


def lbmpy(solid: np.ndarray, steps: tuple[int, ...], settled: int) -> Contender:
    """Permeability in voxel units by D3Q19 with two relaxation times, where its kernels are made beforehand.

    The tolerance is one over the number of steps. Its own solution after ``settled`` steps is its reference:
    bounce-back walls are not where ours are.
    """
    import pystencils
    from lbmpy import LBMConfig, Method, Stencil
    from lbmpy.boundaries import NoSlip
    from lbmpy.lbstep import LatticeBoltzmannStep

    # The slower relaxation, the larger the viscosity and the fewer the steps; the walls stay where they are.
    rate, push = 0.5, 1e-6
    viscosity = (1 / rate - 0.5) / 3
    config = LBMConfig(
        stencil=Stencil.D3Q19, method=Method.TRT, relaxation_rate=rate, force=(push, 0, 0), compressible=False
    )
    processor = pystencils.CreateKernelConfig(target=pystencils.Target.CurrentCPU)
    flow = LatticeBoltzmannStep(solid.shape, periodicity=(True,) * 3, lbm_config=config, config=processor)

    def is_wall(*centres: np.ndarray) -> np.ndarray:
        return solid[tuple(np.floor(c).astype(int) % n for c, n in zip(centres, solid.shape, strict=True))]

    flow.boundary_handling.set_boundary(NoSlip("wall"), mask_callback=is_wall)
    flow.run(1)

    def solve(tolerance: float) -> np.ndarray:
        flow.set_pdf_fields_from_macroscopic_values()
        flow.run(round(1 / tolerance))
        velocity = np.where(solid, 0, np.asarray(flow.velocity[:, :, :, 0]))
        return np.array([velocity.mean() * viscosity / push])

    return Contender(named("lbmpy"), solve, tuple(1 / n for n in steps), solve(1 / settled))
