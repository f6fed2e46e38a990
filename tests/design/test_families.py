"""Every space and every optimiser keeps the promises of its family."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from scipy.stats import chi2

from matopt.design.optimisers.base import OPTIMISERS, Optimiser
from matopt.design.problem import Candidates, DesignProblem
from matopt.design.spaces.base import SPACES, Material, Space
from matopt.design.spaces.latent import Latent, prior_radius
from matopt.design.spaces.pixel import Pixel
from matopt.errors import InputError
from matopt.generators.base import Generator
from matopt.testing.designs import CosineGenerator, check_optimiser, check_space

HERE = Path(__file__).parent
"""Where the space and the optimiser of a user's own are."""


@pytest.mark.parametrize("name", [*SPACES.names(), "dilation.py:Dilation"])
def test_a_space_conforms(name: str) -> None:
    check_space(SPACES.find(name, HERE)())


@pytest.mark.parametrize("name", [*OPTIMISERS.names(), "random_steps.py:RandomSteps"])
def test_an_optimiser_conforms(name: str) -> None:
    check_optimiser(OPTIMISERS.find(name, HERE)())


@pytest.mark.parametrize("latent_dim", [2, 8, 24, 100])
def test_the_ball_holds_95_percent_of_the_prior(latent_dim: int) -> None:
    radius = prior_radius(latent_dim)
    assert radius == pytest.approx(chi2.ppf(0.95, latent_dim) ** 0.5, rel=0.01)


def test_all_spaces_start_from_the_same_microstructures() -> None:
    material = Material(CosineGenerator())
    rows = torch.arange(5)
    latent, pixel = Latent(), Pixel()
    codes, voxels = latent.start(material, 5, seed=2), pixel.start(material, 5, seed=2)
    assert torch.equal((latent.density(codes, rows) >= 0.5).float(), pixel.density(voxels, rows))


def test_the_latent_space_is_missing_from_a_generator_without_one() -> None:
    assert Latent.missing_from(Generator) == "latent space"
    assert Latent.missing_from(CosineGenerator) is None
    assert Pixel.missing_from(Generator) is None
    with pytest.raises(InputError, match="no latent space"):
        Latent().start(Material(), 5, seed=0)


def test_a_wider_quantile_makes_a_wider_trust_region() -> None:
    generator = CosineGenerator()
    material = Material(generator, authentic=generator.draw(40, seed=1))
    narrow, wide = (Latent(quantile).trust_region(material, seed=0).limit for quantile in (0.5, 0.95))
    assert narrow < wide


class Unbounded(Pixel):
    def project(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return x


class Coupled(Pixel):
    def density(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return super().density(x * x.mean(), rows)


class Still(Optimiser):
    def run(self, problem: DesignProblem, steps: int, seed: int) -> Iterator[Candidates]:
        yield problem.start


class Blind(Optimiser):
    """Follows the gradient wherever it leads."""

    def run(self, problem: DesignProblem, steps: int, seed: int) -> Iterator[Candidates]:
        designs = problem.evaluate(problem.start.x, with_gradient=True)
        yield designs
        for _ in range(steps):
            designs = problem.evaluate(designs.x + 0.2 * designs.gradient, with_gradient=True)
            yield designs


class Fickle(Optimiser):
    """Draws without a seed."""

    def run(self, problem: DesignProblem, steps: int, seed: int) -> Iterator[Candidates]:
        designs = problem.start
        yield designs
        for _ in range(steps):
            others = problem.evaluate(designs.x + 0.1 * torch.randn_like(designs.x))
            designs = designs.updated(others, others.is_inside & (others.value > designs.value))
            yield designs


@pytest.mark.parametrize(("space", "promise"), [(Unbounded, r"in \[0, 1\]"), (Coupled, "depends on other designs")])
def test_a_space_that_breaks_a_promise_is_found_out(space: type[Space], promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_space(space())


@pytest.mark.parametrize(
    ("optimiser", "promise"),
    [(Still, "designs rise"), (Blind, "inside the trust region"), (Fickle, "the same seed")],
)
def test_an_optimiser_that_breaks_a_promise_is_found_out(optimiser: type[Optimiser], promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_optimiser(optimiser())
