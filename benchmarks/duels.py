"""Cases against other codes: the same work to the same error, in turns, one thread each."""

from __future__ import annotations

import elastic_peers
import numpy as np
import peers
from contest import Contender, duel
from specimens import ball, cube, density

from matopt.physics.base import Simulator
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.numerics.percolation import wrapping
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus

TOLERANCES = (1e-1, 5e-2, 3e-2, 2e-2, 1e-2, 5e-3, 3e-3, 1e-3)
POISSON_RATIO = 0.074


def ours(solid: np.ndarray, kind: type[Simulator], **settings) -> Contender:
    """Our solver of ``(N, *S)`` images in single precision; the reference is in double precision."""
    single = density(solid)
    reference = kind(tolerance=1e-6, **settings).solve(single.double(), 1.0).values.numpy()

    def solve(tolerance: float) -> np.ndarray:
        return kind(tolerance=tolerance, **settings).solve(single, 1.0).values.double().numpy()

    return Contender("matopt", solve, TOLERANCES, reference)


def diffusion(rock: np.ndarray) -> list[dict]:
    whole = cube(rock, 100, 0)
    mine = ours(whole[None], Diffusivity, grain_diffusivity=0.0)
    case = "diffusivity, Berea 100^3"
    return [duel(case, mine, peers.taufactor(whole[None], mine.reference)), duel(case, mine, peers.porespy(whole))]


def diffusion_batches(rock: np.ndarray) -> list[dict]:
    cubes = np.stack([rock[i : i + 64, i : i + 64, :64] for i in (0, 80, 160, 240)])
    # The grain conducts, for it percolates in most slices; the peer has no value of those where it does not.
    slices = 1 - np.stack([rock[z, 100:228, 100:228] for z in range(0, 400, 25)])
    slices = slices[Diffusivity(0.0).solve(density(slices), 1.0).is_ok]
    rows = []
    for case, solid in (("diffusivity, 4 of Berea 64^3", cubes), ("diffusivity in grain, Berea 128^2", slices)):
        mine = ours(solid, Diffusivity, grain_diffusivity=0.0)
        rows.append(duel(case, mine, peers.taufactor(solid, mine.reference)))
    return rows


def elasticity(rock: np.ndarray) -> list[dict]:
    section = rock[20, 100:228, 100:228]
    mine, lattice = elastic(section)
    case = "elasticity, Berea 128^2"
    return [
        duel(case, mine, elastic_peers.direct(lattice)),
        duel(case, mine, elastic_peers.muspectre(section, POISSON_RATIO, mine.reference)),
    ]


def elasticity_32(rock: np.ndarray) -> list[dict]:
    volume = cube(rock, 32, 0)
    mine, lattice = elastic(volume)
    case = "elasticity, Berea 32^3"
    return [
        duel(case, mine, elastic_peers.conjugate_gradients(lattice, mine.reference)),
        duel(case, mine, elastic_peers.multigrid(lattice, mine.reference)),
        duel(case, mine, elastic_peers.muspectre(volume, POISSON_RATIO), peer_repeats=1),
    ]


def elasticity_64(rock: np.ndarray) -> list[dict]:
    volume = cube(rock, 64, 100)
    mine, lattice = elastic(volume)
    case = "elasticity, Berea 64^3"
    return [
        duel(case, mine, elastic_peers.conjugate_gradients(lattice, mine.reference)),
        duel(case, mine, elastic_peers.multigrid(lattice, mine.reference), peer_repeats=3),
    ]


def elastic(solid: np.ndarray) -> tuple[Contender, elastic_peers.ElasticCellProblem]:
    """Our solver of one image, and the peers' matrix of the grain that carries: direct ones can do with no other."""
    mine = ours(solid[None], YoungsModulus, youngs_modulus=1.0, poisson_ratio=POISSON_RATIO)
    return mine, elastic_peers.ElasticCellProblem(wrapping(solid[None] > 0, corners=True).carrying[0], POISSON_RATIO)


def stokes(rock: np.ndarray) -> list[dict]:
    rows = []
    for size in (32, 64):
        solid = ball(size, 0.343, 3)
        mine = ours(solid[None], Permeability, boundary="periodic")
        scale = (size // 32) ** 2
        steps = tuple(
            scale * n for n in (20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 135, 150, 175, 200, 250, 300, 400)
        )
        rows.append(duel(f"permeability, spheres {size}^3", mine, peers.lbmpy(solid, steps, 800 * scale)))
    return rows
