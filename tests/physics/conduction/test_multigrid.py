"""Multigrid on the cells that conduct, against dense matrices."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from matopt.physics.conduction.cells import Cells, by_colour, by_sample
from matopt.physics.conduction.system import Conduction
from matopt.physics.diffusivity import Diffusivity


def network(local: torch.Tensor, dirichlet: torch.Tensor, periodic: bool) -> tuple[Cells, Conduction]:
    """Neighbours are linked by the product of their values ``(B, *S)``; what holds them is given for all."""
    cells = Cells.of(local > 0, periodic)
    own = cells.gather(local)
    ahead = [own * cells.of_neighbours(own, axis) for axis in range(local.ndim - 1)]
    return cells, Conduction.of(cells, ahead, cells.gather(dirichlet))


def dense(local: np.ndarray, dirichlet: np.ndarray, periodic: bool) -> np.ndarray:
    """The same system of one sample, written cell by cell."""
    number = np.arange(local.size).reshape(local.shape)
    matrix = np.diag(dirichlet.ravel())
    for axis, place in itertools.product(range(local.ndim), np.ndindex(local.shape)):
        other = list(place)
        other[axis] += 1
        if other[axis] == local.shape[axis]:
            if not periodic:
                continue
            other[axis] = 0
        link = local[place] * local[tuple(other)]
        i, j = number[place], number[tuple(other)]
        for a, b in ((i, j), (j, i)):
            matrix[a, a] += link
            matrix[a, b] -= link
    return matrix


@st.composite
def media(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """Two samples of cells that conduct very differently or not at all, and of what holds them."""
    periodic = draw(st.booleans())
    sides = st.integers(2 if periodic else 1, 12)
    shape = draw(st.one_of(st.tuples(sides, sides), st.tuples(*[st.integers(2, 6)] * 3)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    local = 10.0 ** random.uniform(-draw(st.sampled_from([0, 1, 3])), 0, (2, *shape))
    local *= random.random((2, *shape)) < draw(st.sampled_from([0.3, 0.7, 1.0]))
    dirichlet = (local > 0) * 10.0 ** random.uniform(-2, 0, (2, *shape))
    return torch.from_numpy(local), torch.from_numpy(dirichlet), periodic


@given(media())
@settings(max_examples=60, deadline=None)
def test_the_solution_is_that_of_the_dense_matrix(medium):
    local, dirichlet, periodic = medium
    cells, systems = network(local, dirichlet, periodic)
    rhs = torch.randn(local.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * (local > 0)
    solved = systems.solve(cells.gather(rhs), 1e-11, 500)
    assert (solved.residual <= 1e-11).all()
    for sample in range(2):
        conducts = (local[sample] > 0).numpy().ravel()
        matrix = dense(local[sample].numpy(), dirichlet[sample].numpy(), periodic)[np.ix_(conducts, conducts)]
        expected = np.zeros(conducts.size)
        expected[conducts] = np.linalg.solve(matrix, rhs[sample].numpy().ravel()[conducts])
        line = solved.x.new_zeros(len(cells.number))
        line[cells.place] = solved.x
        found = cells.inner(line)[sample].numpy().ravel()
        assert np.allclose(found, expected, rtol=1e-7, atol=1e-8 * np.abs(expected).max(initial=1e-300))


def blobs(shape: tuple[int, ...], grain: float) -> torch.Tensor:
    """Conducting islands just as large and just where blocks of two levels are, and noise, in a grain."""
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    islands = sum(torch.arange(n).view(-1, *[1] * (len(shape) - 1 - axis)) // 4 % 2 for axis, n in enumerate(shape))
    return torch.where((islands == 0) | (noise < 0.1), 1.0, grain).double()


@pytest.mark.parametrize("grain", [0.0, 1e-6, 1e-2, 1.0])
@pytest.mark.parametrize(
    ("shape", "periodic"), [((24, 20), False), ((24, 16), True), ((19, 21), True), ((8, 7, 9), False)]
)
def test_the_preconditioner_is_symmetric_and_its_spectrum_is_between_0_and_2(shape, periodic, grain):
    local = blobs(shape, grain)
    dirichlet = torch.where(torch.arange(shape[-1]) == 0, local, 0.0)
    n = sum(Cells.of(local[None] > 0, periodic).counts[1:])
    # A sample for each unit vector.
    _, systems = network(local.expand(n, *shape), dirichlet.expand(n, *shape), periodic)
    unit = torch.eye(n, dtype=torch.float64)
    inverse, matrix = systems.precondition(unit), systems.apply(unit)
    assert torch.allclose(matrix, matrix.T, atol=1e-12) and torch.allclose(inverse, inverse.T, atol=1e-9)
    is_cell = inverse.diagonal() > 0  # the rest is spare
    inverse, matrix = inverse[is_cell][:, is_cell], matrix[is_cell][:, is_cell]
    root = torch.linalg.cholesky(inverse)
    spectrum = torch.linalg.eigvalsh(root.T @ matrix @ root)
    assert spectrum.min() > -1e-9 and spectrum.max() < 2 + 1e-9


@pytest.mark.parametrize("shape", [(20, 11), (19, 11), (7, 6, 5)])
@pytest.mark.parametrize("periodic", [False, True])
def test_the_samples_that_are_left_are_as_they_were(shape, periodic):
    generator = torch.Generator().manual_seed(2)
    shares = torch.tensor([0.9, 0.2, 0.6, 1.0, 0.0]).view(-1, *[1] * len(shape))
    local = torch.rand(5, *shape, dtype=torch.float64, generator=generator)
    local *= torch.rand(local.shape, generator=generator) < shares
    cells, systems = network(local, 0.1 * local, periodic)
    noise = torch.rand(local.shape, dtype=torch.float64, generator=generator) * (local > 0)
    x = by_sample(cells.gather(noise), cells.counts)[:, cells.counts[0] :]
    for rows in ([0, 2, 3], [4], [1, 4]):
        left = systems.select(torch.tensor(rows))
        assert torch.allclose(left.apply(x[rows]), systems.apply(x)[rows], atol=1e-14)
        assert torch.allclose(left.precondition(x[rows]), systems.precondition(x)[rows], atol=1e-14)
        again = left.select(torch.tensor([len(rows) - 1]))
        assert torch.allclose(again.precondition(x[rows[-1:]]), systems.precondition(x)[rows[-1:]], atol=1e-14)


def test_machines_without_sparse_products_find_the_same(monkeypatch):
    local = blobs((19, 21), 1e-2)[None]
    cells, systems = network(local, 0.1 * local, periodic=True)
    rhs = torch.randn(cells.place.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = systems.solve(rhs, 1e-11, 100).x
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert torch.allclose(systems.solve(rhs, 1e-11, 100).x, found, rtol=1e-8, atol=1e-10)


def test_values_by_colour_and_by_sample_are_the_same_values():
    rows = torch.arange(12).view(3, 4)
    line = by_colour(rows, (1, 3))
    assert line.tolist() == [0, 4, 8, 1, 2, 3, 5, 6, 7, 9, 10, 11]
    assert torch.equal(by_sample(line, (1, 3)), rows)


def smooth_noise(size: int, dimensions: int, wave: float) -> torch.Tensor:
    """Between 0 and 1, with features of about ``wave`` voxels whatever the size is."""
    random = np.random.default_rng(0).normal(size=(size,) * dimensions)
    frequencies = np.meshgrid(*[np.fft.fftfreq(size)] * dimensions, indexing="ij")
    spectrum = np.fft.fftn(random) * np.exp(-((wave / 2) ** 2) * sum(f**2 for f in frequencies) * np.pi**2)
    field = np.fft.ifftn(spectrum).real
    return torch.from_numpy(field.argsort(axis=None).argsort().reshape(field.shape) / field.size)[None, None].float()


@pytest.mark.parametrize("boundary", ["fixed", "periodic"])
@pytest.mark.parametrize(
    ("dimensions", "sizes", "grain", "grey", "most"),
    [(2, (64, 256, 512), 0.01, False, 12), (2, (64, 256, 512), 0.0, True, 9), (3, (16, 32, 64), 0.0, False, 9)],
)
def test_iterations_hardly_grow_with_size(boundary, dimensions, sizes, grain, grey, most):
    for size in sizes:
        noise = smooth_noise(size, dimensions, wave=6)
        solution = Diffusivity(grain, boundary).solve(noise if grey else (noise > 0.4).float(), 1.0)
        assert list(solution.status) == ["ok"] and solution.iterations[0] <= most


def test_iterations_in_rock_hardly_grow_with_size(berea):
    for size, most in ((32, 8), (64, 10), (96, 12)):
        cut = slice(100, 100 + size)
        density = torch.from_numpy(berea[None, None, cut, cut, cut].astype(np.float32))
        solution = Diffusivity().solve(density, 1.0)
        assert list(solution.status) == ["ok"] and solution.iterations[0] <= most


@pytest.mark.parametrize("boundary", ["fixed", "periodic"])
@pytest.mark.parametrize("apart", [False, True])
def test_single_precision_reaches_its_smallest_tolerance(boundary, apart):
    noise = smooth_noise(256, 2, wave=6)
    if apart:  # clusters that have nothing to do with each other
        density, simulator = torch.where(torch.arange(256) % 16 > 11, 1.0, 0.95 * noise), Diffusivity(0.0, boundary)
    else:
        density, simulator = (noise > 0.4).float(), Diffusivity(0.01, boundary)
    single = replace(simulator, tolerance=1e-5).solve(density, 1.0)
    double = replace(simulator, tolerance=1e-9).solve(density.double(), 1.0)
    assert list(single.status) == list(double.status) == ["ok"] and single.iterations[0] <= 30
    assert single.values.item() == pytest.approx(double.values.item(), rel=1e-6)
