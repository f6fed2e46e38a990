"""Diffusion against other people's codes, which come with ``pip install .[benchmark]``."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from matopt.physics.diffusivity import Diffusivity

ABSENT = "install the peers with: pip install .[benchmark]"


def blobs(size: int, seed: int) -> np.ndarray:
    """A made-up porous volume, 1 in grains, about half of it pores that percolate."""
    noise = np.random.default_rng(seed).normal(size=(size,) * 3)
    waves = np.fft.fftfreq(size)
    radius = sum(w**2 for w in np.meshgrid(waves, waves, waves, indexing="ij"))
    smooth = np.fft.ifftn(np.fft.fftn(noise) * np.exp(-200 * radius)).real
    return (smooth > np.quantile(smooth, 0.55)).astype(np.uint8)


def diffusivity(solid: np.ndarray) -> float:
    density = torch.from_numpy(solid.astype(np.float64))[None, None]
    return Diffusivity(0.0, tolerance=1e-7).solve(density, 1.0).values.item()


@pytest.mark.parametrize("seed", [0, 1])
def test_taufactor_has_the_same_diffusivity_to_a_few_thousandths(seed):
    taufactor = pytest.importorskip("taufactor", reason=ABSENT)
    solid = blobs(32, seed)
    solver = taufactor.Solver(1 - solid, device="cpu")
    solver.solve(verbose=False, conv_crit=1e-4)
    assert float(np.squeeze(solver.D_eff)) == pytest.approx(diffusivity(solid), rel=0.002)


def test_porespy_has_the_same_diffusivity_but_for_its_length():
    porespy = pytest.importorskip("porespy", reason=ABSENT)
    solid = blobs(48, 2)
    pores = solid == 0
    found = porespy.simulations.tortuosity_fd(im=pores, axis=0)
    # Its concentrations are held at the centres of the end voxels, so its sample is one voxel shorter.
    assert found.effective_porosity / found.tortuosity == pytest.approx(diffusivity(solid), rel=0.01)
