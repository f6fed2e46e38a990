"""Elasticity against closed forms and against an independent finite-element code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from closed_forms import uniaxial_modulus

from matopt.errors import InputError
from matopt.physics.elastic.gather import NUMBERS_TOGETHER
from matopt.physics.youngs_modulus import YoungsModulus

TIGHT = YoungsModulus(1.0, 0.07, tolerance=1e-11)


def laminate(axis: int, dimensions: int) -> torch.Tensor:
    """A quarter of a tenth of the density, stacked along an axis."""
    density = torch.ones(1, 1, *[8] * dimensions, dtype=torch.float64)
    density.narrow(2 + axis, 0, 2).fill_(0.1)
    return density


@pytest.mark.parametrize("axis", [0, 1])
def test_a_laminate_meets_its_closed_form_along_and_across(axis):
    stiffness = TIGHT.solve(laminate(axis, 2), 1.0).tensor[0]
    assert stiffness[axis, axis].item() == pytest.approx(0.310969, abs=5e-7)
    assert stiffness[1 - axis, 1 - axis].item() == pytest.approx(0.780578, abs=5e-7)
    assert stiffness[2, 2].item() == pytest.approx(0.143781, abs=5e-7)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_laminate_of_bricks_meets_its_closed_form(axis):
    stiffness = TIGHT.solve(laminate(axis, 3), 1.0).tensor[0]
    others = [i for i in range(3) if i != axis]
    assert stiffness[axis, axis].item() == pytest.approx(0.310969, abs=5e-7)
    assert stiffness[others[0], others[0]].item() == pytest.approx(0.780578, abs=5e-7)
    # Shear 23, 13, 12: harmonic where the laminate's axis is one of the two, else the arithmetic mean.
    shear = 1 / (2 * 1.07)
    expected = [0.775 * shear if i == axis else shear / (0.25 / 0.1 + 0.75) for i in range(3)]
    assert stiffness.diagonal()[3:].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(9, 14), (5, 4, 6), (1, 7), (1, 1)])
@pytest.mark.parametrize("density", [1.0, 0.3, 1e-3])
def test_a_homogeneous_block_has_its_own_stiffness_without_an_iteration(shape, density):
    simulator = YoungsModulus()
    solution = simulator.solve(torch.full((2, 1, *shape), density), 1.0)
    grain = uniaxial_modulus(simulator.youngs_modulus, simulator.poisson_ratio, len(shape))
    assert solution.values.tolist() == pytest.approx([grain * density] * 2, rel=1e-6)
    assert list(solution.status) == ["ok", "ok"] and (solution.iterations == 0).all()


def test_fibres_apart_carry_along_themselves_alone():
    density = torch.zeros(2, 1, 8, 8, dtype=torch.float64)
    density[0, :, :, 2:4] = 1  # a bar along x
    density[1, :, 2:4, :] = 1  # a bar along y
    solution = YoungsModulus(1.0, 0.3).solve(density, 1.0)
    # Plane strain holds the bar along the third axis only.
    assert solution.values.tolist() == pytest.approx([0.25 / (1 - 0.09), 0.0], rel=1e-6)
    assert list(solution.status) == ["ok", "non_percolating"]
    assert solution.tensor[1, 1, 1].item() == pytest.approx(0.25 / (1 - 0.09), rel=1e-6)


def test_turning_the_image_permutes_the_tensor(rock):
    tensor = TIGHT.solve(rock, 1.0).tensor
    turned = TIGHT.solve(rock.rot90(1, (2, 3)), 1.0).tensor
    order, sign = [1, 0, 2], torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    expected = tensor[:, order][:, :, order] * sign[:, None] * sign
    assert torch.allclose(turned, expected, atol=1e-9)


@pytest.mark.parametrize("shape", [(12, 15), (5, 4, 6)])
def test_an_independent_finite_element_code_agrees_to_eight_digits(shape):
    noise = np.random.default_rng(len(shape)).random(shape)
    density = np.where(noise > 0.3, noise, 0.0) if len(shape) == 2 else (noise > 0.15).astype(float)
    solution = TIGHT.solve(torch.from_numpy(density)[None, None], 1.0)
    assert solution.tensor[0].numpy() == pytest.approx(by_scikit_fem(density, 1.0, 0.07), rel=1e-8, abs=1e-9)
    assert solution.values[0].item() == pytest.approx(1 / np.linalg.inv(solution.tensor[0].numpy())[0, 0], rel=1e-8)


def by_scikit_fem(density: np.ndarray, modulus: float, poisson: float) -> np.ndarray:
    """The periodic stiffness by scikit-fem's assembly and a direct solve."""
    import scipy.sparse as sparse
    import skfem
    from skfem.helpers import ddot, eye, sym_grad, trace

    dimensions = density.ndim
    lines = [np.arange(n + 1.0) for n in density.shape]
    if dimensions == 2:
        mesh, element = skfem.MeshQuad.init_tensor(*lines), skfem.ElementQuad1()
    else:
        mesh, element = skfem.MeshHex.init_tensor(*lines), skfem.ElementHex1()
    basis = skfem.Basis(mesh, skfem.ElementVector(element), intorder=4)
    shear, lame = modulus / 2 / (1 + poisson), modulus * poisson / (1 + poisson) / (1 - 2 * poisson)
    centres = mesh.p[:, mesh.t].mean(1).astype(int)
    local = np.repeat(density[tuple(centres)][:, None], len(basis.W), 1)

    def stress(strain, w):
        return w.local * (2 * shear * strain + lame * eye(trace(strain), dimensions))

    form = skfem.BilinearForm(lambda u, v, w: ddot(stress(sym_grad(u), w), sym_grad(v)))
    matrix = form.assemble(basis, local=local)
    # Every node is its image in the first period; one dof an axis there.
    image = (mesh.p.astype(int).T % density.shape).T
    node = np.ravel_multi_index(tuple(image), density.shape)
    column = np.empty(basis.N, int)
    for axis in range(dimensions):
        column[basis.nodal_dofs[axis]] = node * dimensions + axis
    fold = sparse.csr_matrix((np.ones(basis.N), (np.arange(basis.N), column)))
    pairs = [(i, i) for i in range(dimensions)] + ([(0, 1)] if dimensions == 2 else [(1, 2), (0, 2), (0, 1)])
    affine = np.zeros((len(pairs), basis.N))
    for load, (i, j) in enumerate(pairs):
        for a, b in {(i, j), (j, i)}:
            affine[load, basis.nodal_dofs[a]] = mesh.p[b] * (1.0 if i == j else 0.5)
    folded = (fold.T @ matrix @ fold).toarray()
    fluctuation = -np.linalg.lstsq(folded, fold.T @ (matrix @ affine.T), rcond=1e-12)[0]
    total = affine.T + fold @ fluctuation
    return total.T @ (matrix @ total) / density.size


def test_gradients_match_finite_differences():
    generator = torch.Generator().manual_seed(0)
    density = torch.rand(2, 1, 7, 6, dtype=torch.float64, generator=generator) * 0.9 + 0.1
    simulator = YoungsModulus(1.0, 0.2, tolerance=1e-12)
    assert torch.autograd.gradcheck(lambda d: simulator.solve(d, 1.0).values, density.requires_grad_(), atol=1e-7)


def test_gradients_in_single_precision_are_those_in_double(berea_windows):
    simulator = YoungsModulus()
    gradients = []
    for window in (berea_windows[:3], berea_windows[:3].double()):
        density = window.clone().requires_grad_()
        gradients.append(torch.autograd.grad(simulator.solve(density, 1.0).values.sum(), density)[0].double())
    assert gradients[0].isfinite().all()
    assert (gradients[0] - gradients[1]).norm() <= 0.01 * gradients[1].norm()


def test_grains_that_float_or_are_missing_or_touch_at_a_corner_have_a_value_and_a_status():
    density = torch.zeros(5, 1, 9, 7)
    density[0, :, :, 2] = 1  # a bar with a floating grain beside it
    density[0, :, 4, 5] = 1
    density[1, :, 3:5, 3:5] = 1  # a floating grain alone
    density[2] = 1  # full, and 3 is empty
    density[4] = (torch.arange(9)[:, None] // 3 + torch.arange(7) // 3) % 2  # blocks that meet at corners
    solution = YoungsModulus(1.0).solve(density.requires_grad_(), 1.0)
    assert list(solution.status[:4]) == ["ok", "non_percolating", "ok", "non_percolating"]
    assert solution.values[[1, 3]].tolist() == [0, 0]
    assert solution.values.isfinite().all() and solution.tensor.isfinite().all()
    (gradient,) = torch.autograd.grad(solution.values.sum(), density)
    assert gradient.isfinite().all() and (gradient >= 0).all()
    assert gradient[0, 0, 4, 5] == 0  # a floating grain has no part in it


@pytest.mark.parametrize("shape", [(7, 6), (5, 4, 6), (1, 4, 3)])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_slabs_and_turns_of_large_samples_change_nothing(monkeypatch, shape, layers):
    generator = torch.Generator().manual_seed(4)
    density = (torch.rand(2, 1, *shape, dtype=torch.float64, generator=generator) > 0.2).double()
    density[1] *= 0.7

    def solve() -> tuple[torch.Tensor, torch.Tensor]:
        solution = TIGHT.solve(density.requires_grad_(), 1.0)
        return solution.tensor, torch.autograd.grad(solution.values.sum(), density)[0]

    whole = solve()
    dimensions = len(shape)
    corners = (shape[-1] + 1) * (shape[1] + 1 if dimensions == 3 else 1) * dimensions * 2**dimensions
    monkeypatch.setitem(NUMBERS_TOGETHER, "cpu", (layers + 1) * corners)
    monkeypatch.setattr("matopt.physics.elastic.cell_problem.SOLVED_TOGETHER", 1)
    for part, expected in zip(solve(), whole, strict=True):
        assert torch.allclose(part, expected, atol=1e-8)


@pytest.mark.parametrize("shape", [(5, 4), (3, 2, 4)])
def test_a_mirrored_sample_is_its_reflection_in_every_axis(shape):
    generator = torch.Generator().manual_seed(1)
    density = torch.rand(2, 1, *shape, dtype=torch.float64, generator=generator) * 0.9 + 0.1
    simulator = YoungsModulus(1.0, 0.2, "mirror", tolerance=1e-12)
    solution = simulator.solve(density, 1.0)
    reflected = density
    for axis in range(2, density.ndim):
        reflected = torch.cat([reflected.flip(axis), reflected], axis)
    assert torch.allclose(solution.values, YoungsModulus(1.0, 0.2, tolerance=1e-12).solve(reflected, 1.0).values)
    assert torch.allclose(solution.values, simulator.solve(density.flip(2, 3), 1.0).values)
    normal, shear = solution.tensor[:, : len(shape)], solution.tensor[:, len(shape) :]
    assert normal[..., len(shape) :].abs().max() < 1e-9 and shear[..., : len(shape)].abs().max() < 1e-9
    assert torch.autograd.gradcheck(
        lambda d: simulator.solve(d, 1.0).values, density.requires_grad_(), atol=1e-7, fast_mode=True
    )


def test_what_does_not_converge_says_so(rock):
    solution = YoungsModulus(max_iterations=2).solve(rock, 1.0)
    assert list(solution.status) == ["not_converged"] * 2
    assert (solution.residual > 1e-3).all() and solution.values.isfinite().all()


def test_real_windows_are_ok_and_under_the_hashin_shtrikman_bound(berea_windows):
    simulator = YoungsModulus()
    solution = simulator.solve(berea_windows, 1.0)
    upper = simulator.property.bounds(berea_windows)[1]
    assert solution.is_ok.all()
    assert (solution.values <= upper * 1.001).all()
    assert (solution.values > 0.1 * upper).all()


def test_a_batch_equals_its_singles(berea_windows):
    simulator = YoungsModulus()
    singles = torch.cat([simulator.solve(window[None], 1.0).values for window in berea_windows])
    assert torch.allclose(simulator.solve(berea_windows, 1.0).values, singles, rtol=1e-5)


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match="youngs_modulus must be positive"):
        YoungsModulus(youngs_modulus=-1.0)
    with pytest.raises(InputError, match="poisson_ratio must be between"):
        YoungsModulus(poisson_ratio=0.5)
    with pytest.raises(InputError, match="plates without friction are 'mirror'"):
        YoungsModulus(boundary="fixed")
    with pytest.raises(InputError, match="double precision"):
        YoungsModulus(tolerance=1e-9).solve(torch.rand(1, 1, 4, 4), 1.0)


def test_stiffness_that_hangs_on_a_corner_is_named_and_falls_as_voxels_get_smaller():
    phases = np.zeros((8, 8), np.uint8)
    phases[:4, :4] = phases[4:, 4:] = 1
    finer = np.kron(phases, np.ones((4, 4), np.uint8))
    values = [
        YoungsModulus().solve(torch.from_numpy(p[None, None].astype(np.float64)), 1.0).values.item()
        for p in (phases, finer)
    ]
    assert 0 < values[1] < 0.9 * values[0]
    phases_with_a_bar = np.stack([phases, phases | (np.arange(8) == 0)])
    notes = YoungsModulus().notes(phases_with_a_bar)
    assert "edges and corners of voxels alone" in notes[0] and notes[1] == ""


def test_a_real_volume_is_under_the_hashin_shtrikman_bound(berea):
    density = torch.from_numpy(berea[None, None, :20, :20, :20].astype(np.float32))
    simulator = YoungsModulus()
    solution = simulator.solve(density, 1.0)
    upper = simulator.property.bounds(density)[1]
    assert list(solution.status) == ["ok"] and 0 < solution.values.item() < upper.item()
