"""Conformance of design spaces and optimisers, and a generator and predictors of known answers to try them on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Self

import torch

from matopt.design.draws import porosities
from matopt.design.objective import Objective
from matopt.design.optimisers.base import Optimiser
from matopt.design.problem import DesignProblem
from matopt.design.spaces.base import Material, Space
from matopt.design.spaces.latent import Latent
from matopt.generators.base import LatentGenerator, ResamplingGenerator
from matopt.predictors.base import Predictor
from matopt.properties import Property

SIZE = 12
"""Voxels along each axis of a :class:`CosineGenerator`'s microstructures."""

STIFFNESS = Property("youngs_modulus", "E", "Pa", "GPa", 1e-9)
DIFFUSIVITY = Property("diffusivity", "D", "1", "1")


class CosineGenerator(LatentGenerator, ResamplingGenerator):
    """Densities that are the logistic function of a sum of orthonormal cosines: code and image determine each other.

    A part is drawn anew from a mixture of the code and another.

    Args:
        latent_dim: how many cosines, 9 at most where codes are to be decoded.
    """

    voxel_size = 2e-6

    def __init__(self, latent_dim: int = 9) -> None:
        self.latent_dim = latent_dim
        x = (torch.arange(SIZE) + 0.5) / SIZE
        modes = [torch.cos(torch.pi * k * x) / (SIZE * (0.5 if k else 1.0)) ** 0.5 for k in range(3)]
        self._modes = torch.stack([torch.outer(a, b).flatten() for a in modes for b in modes])[:latent_dim]

    def fit(self, *data: Any, **settings: Any) -> Self:
        """Learn nothing."""
        return self

    def sample(self, n: int, seed: int) -> torch.Tensor:
        """Decode ``n`` codes of the prior."""
        return self.decode(torch.randn(n, self.latent_dim, generator=torch.Generator().manual_seed(seed)))

    def encode(self, density: torch.Tensor) -> torch.Tensor:
        """Project the logits of densities, cut to those of 0.01 and 0.99, onto the cosines."""
        return torch.logit(density.flatten(1), 1e-2) @ self._modes.T

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Take the logistic function of the cosines' sum."""
        return torch.sigmoid(z @ self._modes).view(len(z), 1, SIZE, SIZE)

    def resample(self, density: torch.Tensor, region: torch.Tensor, strength: float, seed: int) -> torch.Tensor:
        """Decode a mixture of the code and one of the prior, and put its part in place."""
        code = self.encode(density)
        other = torch.randn(code.shape, generator=torch.Generator().manual_seed(seed))
        return torch.where(region, self.decode((1 - strength) * code + strength * other), density)

    def to(self, device: Any) -> Self:
        """Stay on the processor."""
        return self

    def state_dict(self) -> dict[str, Any]:
        """Nothing was learnt."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing was learnt."""


class FormulaPredictor(Predictor):
    """A Young's modulus given by a formula, after a diffusivity that is its negative.

    Args:
        formula: densities ``(N, V)`` of V voxels to ``(N,)`` moduli, Pa; differentiable.
    """

    properties = (DIFFUSIVITY, STIFFNESS)

    def __init__(self, formula: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._formula = formula

    def fit(self, *data: Any, **settings: Any) -> Self:
        """Learn nothing."""
        return self

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """Evaluate the formula."""
        value = self._formula(density.flatten(1))
        return torch.stack([-value, value], 1)

    def to(self, device: Any) -> Self:
        """Stay on the processor."""
        return self

    def state_dict(self) -> dict[str, Any]:
        """Nothing was learnt."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing was learnt."""


def solid_fraction(density: torch.Tensor) -> torch.Tensor:
    """A modulus, Pa, in proportion to the solid fraction of densities ``(N, V)``."""
    return 5e10 * density.mean(1)


def check_space(space: Space, material: Material | None = None) -> None:
    """Assert what every design space promises.

    Args:
        space: with its settings, not yet started.
        material: what designs are made of; by default of a :class:`CosineGenerator`.

    Raises:
        AssertionError: a promise is broken; the message says which.
    """
    if material is None:
        generator = CosineGenerator()
        material = Material(generator, authentic=generator.draw(40, seed=1), held_out=generator.draw(40, seed=2))
    x = space.start(material, 6, seed=3)
    rows = torch.arange(len(x))
    assert x.ndim == 2 and torch.isfinite(x).all(), "coordinates are numbers (N, D)"
    assert torch.equal(space.start(material, 6, seed=3), x), "the same seed starts from the same coordinates"
    assert space.step_size > 0, "a usual step has a length"

    far = x + 1e3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    given = far.clone()
    for coordinates in (x, far):
        allowed = space.project(coordinates, rows)
        again = space.project(allowed, rows)
        assert torch.allclose(again, allowed, rtol=1e-5, atol=1e-6), "allowed coordinates stay where they are"
        density = space.density(allowed, rows)
        assert density.shape[:2] == (len(x), 1) and density.ndim in (4, 5), "densities are (N, 1, *S)"
        assert density.min() >= 0 and density.max() <= 1, "densities lie in [0, 1], wherever coordinates came from"
        alone = torch.cat([space.density(allowed[[row]], rows[[row]]) for row in rows.tolist()])
        assert torch.allclose(alone, density, rtol=1e-4, atol=1e-5), "no density depends on other designs"
    assert torch.equal(far, given), "coordinates are not changed in place"

    free = space.project(x, rows).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(space.density(free, rows).sum(), free)
    assert torch.isfinite(gradient).all() and gradient.any(), "densities can be differentiated"
    given = x.clone()
    moved = space.move(x, rows, seed=4)
    assert moved.shape == x.shape and not torch.equal(moved, x), "a move changes coordinates"
    assert torch.equal(x, given), "coordinates are not changed in place"
    assert torch.equal(space.move(x, rows, seed=4), moved), "the same seed makes the same move"
    if space.knows_material:
        _check_knowledge(space, material)


def _check_knowledge(space: Space, material: Material) -> None:
    """Assert what spaces promise that know the material."""
    rows = torch.arange(6)
    wanted = torch.full((6,), float(material.microstructures(40, seed=5).porosity.mean()))
    drawn = space.draw(wanted, 6, seed=6)
    assert torch.equal(space.draw(wanted, 6, seed=6), drawn), "the same seed draws the same microstructures"
    porosity = porosities(space.density(space.project(drawn, rows), rows))
    anyhow = porosities(space.density(space.project(space.draw(None, 6, seed=6), rows), rows))
    is_nearer = (porosity - wanted).abs().mean() < (anyhow - wanted).abs().mean()
    assert is_nearer, "draws come near to the porosity that they are asked for"
    region = space.trust_region(material, seed=3)
    assert region is not None, "a space that knows the material keeps designs to it"
    distance = region.distance(space.density(space.project(drawn, rows), rows))
    has_distance = distance.shape == (len(drawn),) and torch.isfinite(distance).all()
    assert has_distance, "each design has a distance from the material"


def check_optimiser(optimiser: Optimiser) -> None:
    """Assert what every optimiser of designs promises, by raising the solid fraction in a latent space.

    Args:
        optimiser: with its settings.

    Raises:
        AssertionError: a promise is broken; the message says which.
    """
    n, steps = 8, 12
    material = Material(CosineGenerator())
    space = Latent()
    objective = Objective(property="youngs_modulus", porosity_tolerance=None)
    model, region = FormulaPredictor(solid_fraction), space.trust_region(material, seed=3)
    problem = DesignProblem(model, objective, space, space.start(material, n, seed=3), region, batch_size=64)

    iterates, again = (list(islice(optimiser.run(problem, steps, seed=3), steps + 1)) for _ in range(2))
    first, last = iterates[0], iterates[-1]
    start = problem.start
    assert torch.equal(first.x, start.x), "designs begin at the start"
    for designs in iterates:
        assert len(designs.x) == n, "all designs are yielded, each in its place"
        expected = problem.evaluate(designs.x)
        is_true = torch.allclose(designs.value, expected.value, rtol=1e-4, atol=0)
        assert is_true, "values are those of the designs"
        assert (expected.violation <= start.violation + 1e-6).all(), "designs stay inside the trust region"
    assert last.value.mean() > first.value.mean(), "designs rise"
    assert torch.equal(again[-1].x, last.x), "the same seed gives the same designs"
