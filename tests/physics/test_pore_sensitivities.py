"""What opening or shutting a voxel, a block or a layer does to flow and diffusion, against differences and solves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from moves import as_density, blocks, correlation, flipped, layers, places

from matopt.errors import InputError
from matopt.physics.base import Simulator
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability

TIGHT = {
    "diffusivity, grain 0, fixed": Diffusivity(0.0, "fixed", tolerance=1e-11),
    "diffusivity, grain 0, periodic": Diffusivity(0.0, "periodic", tolerance=1e-11),
    "diffusivity, grain .01": Diffusivity(0.01, tolerance=1e-11),
    "duct, mirror": Permeability(boundary="mirror", tolerance=1e-11),
    "duct, periodic": Permeability(boundary="periodic", tolerance=1e-11),
    "across": Permeability(section="transverse", boundary="periodic", tolerance=1e-9, max_iterations=5000),
    "across, sealed": Permeability(section="transverse", tolerance=1e-9, max_iterations=5000),
    "duct, sealed": Permeability(boundary="sealed", tolerance=1e-11),
    "across, mirror": Permeability(section="transverse", boundary="mirror", tolerance=1e-9, max_iterations=5000),
}


def pores(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A smooth made-up rock ``(*S)`` bool, True in grains, 60 % pores that reach across."""
    from scipy import ndimage

    field = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.2, mode="wrap")
    return field > np.quantile(field, 0.6)


@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, (12, 11)) for name in TIGHT] + [("diffusivity, grain 0, fixed", (7, 6, 8)), ("across", (7, 6, 8))],
)
def test_the_gradient_of_a_binary_sample_is_its_one_sided_derivative_wherever_the_voxel_is(name, shape):
    simulator: Simulator = TIGHT[name]
    sample = pores(shape, 5)
    density = as_density(sample[None]).requires_grad_()
    solution = simulator.solve(density, 1.0)
    assert solution.is_ok.all()
    (gradient,) = torch.autograd.grad(solution.values.sum(), density)
    for place_name, place in places(sample).items():
        at, _ = flipped(sample, place, 3, 0)
        moved = density.detach().repeat(len(at), 1, *[1] * len(shape))
        step = -1e-6 if place_name.startswith("grain") else 1e-6
        moved[(torch.arange(len(at)), 0, *torch.from_numpy(at.T))] += step
        slopes = (simulator.solve(moved, 1.0).values - solution.values.detach()) / step
        found = gradient[0, 0].detach()[tuple(at.T)]
        scale = solution.values.item() / sample.size
        assert torch.allclose(found, slopes, rtol=5e-3, atol=1e-3 * scale), (place_name, found, slopes)


@pytest.mark.parametrize(
    ("simulator", "is_turned"),
    [
        (Diffusivity(tolerance=1e-6), False),
        (Diffusivity(boundary="periodic", tolerance=1e-6), False),
        (Diffusivity(0.0, tolerance=1e-6), True),
        (Permeability(tolerance=1e-6), False),
    ],
    ids=lambda x: "" if isinstance(x, bool) else type(x).__name__,
)
def test_flips_blocks_and_layers_of_real_sections_are_estimated(berea, simulator, is_turned):
    found: dict[str, list[float]] = {}
    for seed, (z, y, x) in enumerate(((230, 200, 150), (300, 100, 60), (370, 100, 60))):
        sample = berea[z, y : y + 36, x : x + 36] ^ is_turned
        density = as_density(sample[None])
        told = simulator.sensitivity(density, 1.0)
        if not told.solution.is_ok.all():
            continue
        changes: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        for name, place in places(sample).items():
            at, moved = flipped(sample, place, 8, seed)
            changes[name] = as_density(moved), told.flip[0, 0][tuple(at.T)]
        for name, make in (("blocks", blocks), ("layers", layers)):
            for to in (True, False):
                moved = as_density(make(sample, to, 8, seed))
                zeros = torch.zeros(len(moved), dtype=torch.int64)
                changes[f"{name} {to}"] = moved, simulator.estimated_changes(density, moved, zeros, 1.0)
        for name, (moved, estimate) in changes.items():
            change = simulator.solve(moved, 1.0).values - told.solution.values
            # What is enclosed by its own kind changes all alike, or nothing.
            if change.std() > 1e-6 * change.abs().mean() + 1e-9 * told.solution.values.item():
                found.setdefault(name, []).append(correlation(estimate, change))
    medians = {name: float(np.median(values)) for name, values in found.items()}
    assert all(m >= (0.9 if name.startswith(("blocks", "layers")) else 0.95) for name, m in medians.items()), medians


def test_flips_of_slow_flow_through_a_real_volume_are_estimated(berea):
    simulator = Permeability(tolerance=1e-5)
    sample = berea[310:328, 100:118, 260:278]
    density = as_density(sample[None])
    told = simulator.sensitivity(density, 1.0)
    assert told.solution.is_ok.all()
    for name, place in places(sample).items():
        if name == "grain inside":
            continue
        at, moved = flipped(sample, place, 16, 0)
        change = simulator.solve(as_density(moved), 1.0).values - told.solution.values
        assert correlation(told.flip[0, 0][tuple(at.T)], change) >= 0.95, name


def test_a_change_whose_patch_is_the_whole_sample_is_solved_for():
    sample = pores((6, 7), 2)
    moved = as_density(np.repeat(sample[None], 2, 0))
    moved[0, 0, 2:4, 3:5] = 0
    moved[1, 0, 2:4, 3:5] = 1
    zeros = torch.zeros(2, dtype=torch.int64)
    for simulator in (Diffusivity(0.05, tolerance=1e-10), Permeability(tolerance=1e-10)):
        change = simulator.solve(moved, 1.0).values - simulator.solve(as_density(sample[None]), 1.0).values
        told = simulator.estimated_changes(as_density(sample[None]), moved, zeros, 1.0)
        assert told.tolist() == pytest.approx(change.tolist(), rel=0.05), simulator


def test_a_single_voxel_is_the_same_as_a_flip_and_as_a_change_of_a_batch():
    samples = np.stack([pores((10, 11), seed) for seed in (5, 6)])
    density = as_density(samples)
    moved = density.clone()
    moved[:, 0, 4, 5] = 1 - moved[:, 0, 4, 5]
    for simulator in (Diffusivity(), Permeability()):
        told = simulator.sensitivity(density, 1.0)
        order = torch.tensor([1, 0])
        changes = simulator.estimated_changes(density, moved[order], order, 1.0)
        assert (changes[order] / told.flip[:, 0, 4, 5]).log().abs().max() < 0.7


def test_what_has_no_estimates_says_so():
    density = as_density(pores((6, 7), 2)[None])
    with pytest.raises(InputError, match="impermeable grain"):
        Permeability(section="transverse", grain_permeability=1e-15).sensitivity(density, 1e-6)
    with pytest.raises(ValueError, match="must have shapes"):
        Diffusivity().estimated_changes(density, density, torch.zeros(2, dtype=torch.int64), 1.0)
