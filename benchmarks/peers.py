"""Other people's codes for diffusion and flow, as contenders. They come with ``pip install .[benchmark]``."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from contest import Contender

FINE = (1e-1, 5e-2, 3e-2, 2e-2, 1e-2, 5e-3, 3e-3, 2e-3, 1e-3, 5e-4, 3e-4, 2e-4, 1e-4)
"""Tolerances to choose from."""


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

    return Contender(named("taufactor"), solve, FINE, reference)


def porespy(solid: np.ndarray) -> Contender:
    """D/D0 of ``S``; its concentrations are held in the end voxels, so its own tight solution is its reference."""
    import porespy as package

    pores = solid == 0

    def solve(tolerance: float) -> np.ndarray:
        found = package.simulations.tortuosity_fd(im=pores, axis=0, ftol=tolerance)
        return np.array([1 / found.formation_factor])

    return Contender(named("porespy"), solve, FINE, solve(1e-7))


def lbmpy(solid: np.ndarray, steps: tuple[int, ...], settled: int) -> Contender:
    """Permeability in voxel units by D3Q19 with two relaxation times, in single precision and by vector units.

    Its kernels are made beforehand. The tolerance is one over the number of steps. Its own solution after ``settled``
    steps is its reference: bounce-back walls are not where ours are.
    """
    import pystencils
    from lbmpy import LBMConfig, Method, Stencil
    from lbmpy.boundaries import NoSlip
    from lbmpy.lbstep import LatticeBoltzmannStep

    # The slower relaxation, the larger the viscosity and the fewer the steps. At half of this rate the steps are halved
    # again, but the permeability is off by 5 %.
    rate, push = 0.5, 1e-6
    viscosity = (1 / rate - 0.5) / 3
    config = LBMConfig(
        stencil=Stencil.D3Q19, method=Method.TRT, relaxation_rate=rate, force=(push, 0, 0), compressible=False
    )
    processor = pystencils.CreateKernelConfig(target=pystencils.Target.CurrentCPU, default_dtype="float32")
    processor.cpu.vectorize.enable = True
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
