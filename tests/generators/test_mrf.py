"""The Markov random field, against fields whose probabilities are known, scikit-learn and rock."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from matopt.descriptors.correlation import two_point_correlation
from matopt.descriptors.surface import specific_surface
from matopt.errors import InputError
from matopt.generators.markov.canvas import sample
from matopt.generators.markov.learning import boosted_trees, single_tree
from matopt.generators.markov.neighbourhood import causal_offsets, examples
from matopt.generators.mrf import MarkovRandomField
from matopt.microstructures import Microstructures
from matopt.testing.images import random_microstructures

ACROSS, DOWN = 0.3, 0.5


def markov_mesh(n: int, size: int, seed: int) -> Microstructures:
    """Binary fields of which a voxel's mean, as -1 or 1, is linear in its neighbours above, before and above-before.

    Such a field has the correlation ``ACROSS**|x| * DOWN**|y|`` (Pickard 1980, J. Appl. Probab. 17, 58-73).
    """
    random, burn_in = np.random.default_rng(seed), 20
    field = random.choice([-1, 1], (n, size + burn_in, size + burn_in))
    for y in range(1, size + burn_in):
        for x in range(1, size + burn_in):
            mean = ACROSS * field[:, y, x - 1] + DOWN * field[:, y - 1, x] - ACROSS * DOWN * field[:, y - 1, x - 1]
            field[:, y, x] = np.where(2 * random.random(n) - 1 < mean, 1, -1)
    return Microstructures((field[:, burn_in:, burn_in:] > 0).astype(np.uint8), 1e-6)


@pytest.mark.parametrize("model", ["boosted", "tree"])
def test_a_known_field_is_drawn_with_its_closed_form_correlation(model: str) -> None:
    settings = {"radius": 1, "reach": 1, "trees": 30, "leaves": 8, "smallest_leaf": 50, "examples": 60_000}
    learnt = MarkovRandomField(model, **settings, flips=False).fit(markov_mesh(100, 32, seed=0))
    drawn = learnt.sample(600, seed=0)
    found = 4 * two_point_correlation(drawn, radius=3).mean(0) - 4 * (1 - drawn.mean()) + 1
    steps = np.abs(np.arange(-3, 4))
    np.testing.assert_allclose(found, DOWN ** steps[:, None] * ACROSS**steps, atol=0.03)


@pytest.mark.parametrize(
    "learn", [lambda seen: single_tree(seen, 8, 0), lambda seen: boosted_trees(seen, 20, 31, 0.1, 0)]
)
def test_the_trees_are_those_of_scikit_learn(learn, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the thousandth of a leaf's range that their arrays keep."""
    import sklearn.ensemble
    import sklearn.tree

    made = []
    for module, name in (
        (sklearn.tree, "DecisionTreeClassifier"),
        (sklearn.ensemble, "HistGradientBoostingClassifier"),
    ):
        kind = getattr(module, name)
        monkeypatch.setattr(module, name, lambda kind=kind, **settings: made.append(kind(**settings)) or made[-1])
    seen = examples(random_microstructures(8, (40, 40), seed=0).phases, causal_offsets(2, 3, 8, 4), 8000, True, seed=0)
    forest = learn(seen)
    probability = torch.sigmoid(forest.logits(torch.from_numpy(seen.neighbours.T.copy())))
    error = len(forest.roots) * forest.step / 2
    np.testing.assert_allclose(probability, made[0].predict_proba(seen.neighbours)[:, 1], atol=max(error / 4, 1e-5))


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("shape", [(12, 9), (5, 6, 7)])
def test_compiled_loops_draw_what_tensors_draw(
    shape: tuple[int, ...], is_held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = random_microstructures(20, tuple(2 * edge for edge in shape), seed=0)
    offsets = causal_offsets(len(shape), 1, 3, 3)
    forest = boosted_trees(examples(train.phases, offsets, 5000, True, seed=0), 12, 8, 0.3, seed=0)

    def drawn() -> torch.Tensor:
        generator = torch.Generator().manual_seed(1)
        return sample(forest, torch.from_numpy(offsets), shape, 70, 0.7, is_held, generator)

    compiled = drawn()
    monkeypatch.setattr("matopt.generators.markov.canvas.implementation", lambda function, device: function)
    assert torch.equal(drawn(), compiled)
    assert compiled.float().std() > 0.3


def test_examples_are_voxels_and_their_neighbours_in_the_images_or_their_mirror_images() -> None:
    numbers = np.arange(2 * 5 * 6).reshape(2, 5, 6)
    seen = examples(numbers, np.array([[-1, 1], [0, -1]]), 1000, False, seed=0)
    assert len(seen.phase) == 2 * 4 * 4
    assert set(map(tuple, np.stack([seen.phase, *seen.neighbours.T], 1).tolist())) == {
        (n, n - 5, n - 1) for n in numbers[:, 1:, 1:-1].ravel().tolist()
    }
    mirrored = examples(numbers, np.array([[-1, 1], [0, -1]]), 1000, True, seed=0)
    steps = np.abs(mirrored.neighbours.astype(int) - mirrored.phase[:, None]).tolist()
    assert len(mirrored.phase) == 4 * 2 * 4 * 4
    assert {tuple(pair) for pair in steps} == {(5, 1), (7, 1)}


def test_what_cannot_be_learnt_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="one alone"):
        MarkovRandomField().fit(Microstructures(np.ones((3, 16, 16), np.uint8), 1e-6))
    with pytest.raises(InputError, match="at least 8 voxels; got 4 x 16"):
        MarkovRandomField().fit(Microstructures(np.ones((3, 4, 16), np.uint8), 1e-6))
    with pytest.raises(InputError, match="got 'forest' and 'free'"):
        MarkovRandomField(model="forest")  # ty: ignore[invalid-argument-type]
    with pytest.raises(InputError, match="leaves >= 2"):
        MarkovRandomField(leaves=1)
    with pytest.raises(InputError, match="at least one voxel"):
        MarkovRandomField(reach=0)


@pytest.fixture(scope="module")
def rock(berea: np.ndarray) -> dict[str, Microstructures]:
    """Windows of 64^2, to learn from and from another part of the scan."""

    def windows(first: int, last: int) -> Microstructures:
        cuts = [
            berea[z, y : y + 64, x : x + 64]
            for z in range(first, last, 20)
            for y in range(0, 330, 64)
            for x in range(0, 330, 64)
        ]
        return Microstructures(np.stack(cuts).astype(np.uint8), 5.345e-6)

    return {"train": windows(10, 190), "held_out": windows(220, 400)}


def levelled_gaussian_fields(like: Microstructures, seed: int) -> Microstructures:
    """Gaussian fields of the microstructures' own spectra, levelled at their porosities: what S2 alone says of them."""
    random = np.random.default_rng(seed)
    power = np.mean(np.abs(np.fft.fft2(like.phases - like.phases.mean((1, 2), keepdims=True))) ** 2, 0)
    noise = np.fft.fft2(random.standard_normal(like.phases.shape))
    fields = np.fft.ifft2(noise * np.sqrt(power)).real
    levels = [np.quantile(field, porosity) for field, porosity in zip(fields, like.porosity, strict=True)]
    return Microstructures((fields > np.array(levels)[:, None, None]).astype(np.uint8), like.voxel_size)


def test_rock_is_drawn_with_its_porosities_and_nearer_to_its_surface_than_by_a_gaussian_field(
    rock: dict[str, Microstructures],
) -> None:
    train, held_out = rock["train"], rock["held_out"]
    learnt = MarkovRandomField(examples=60_000, trees=60).fit(train)
    samples = learnt.sample(300, seed=0)
    drawn = Microstructures.from_density(samples, train.voxel_size)
    assert set(samples.unique().tolist()) == {0.0, 1.0}
    assert abs(drawn.porosity.mean() - train.porosity.mean()) < 0.02
    assert 0.7 < drawn.porosity.std() / train.porosity.std() < 1.3

    def surface_distance(of: Microstructures) -> float:
        a, b = (specific_surface(m.density(), 1.0).numpy() for m in (of, held_out))
        return wasserstein_distance(a, b) / b.std()

    fields = levelled_gaussian_fields(train, seed=0)
    assert surface_distance(drawn) < 0.6 * surface_distance(fields)
    s2 = {name: two_point_correlation(m.density(), 16).mean(0) for name, m in [("rock", held_out), ("drawn", drawn)]}
    independent = train.porosity.mean() ** 2
    assert (s2["drawn"] - s2["rock"]).norm() < 0.4 * (independent - s2["rock"]).norm()

    # Stationary: the first rows are as the last, though the raster begins with noise.
    first, last = samples[:, 0, :16].mean((1, 2)), samples[:, 0, -16:].mean((1, 2))
    assert abs(first.mean() - last.mean()) < 4 * ((first.var() + last.var()) / 300) ** 0.5

    held = MarkovRandomField(fraction="fixed")
    held.load_state_dict(learnt.state_dict())
    porosity = held.draw(100, seed=0).porosity
    assert porosity.std() < 0.3 * drawn.porosity.std() and abs(porosity.mean() - train.porosity.mean()) < 0.01


def test_volumes_are_drawn_by_the_same_code() -> None:
    train = random_microstructures(12, (24, 24, 24), seed=0)
    learnt = MarkovRandomField(examples=40_000, trees=40, leaves=16, learning_rate=0.3, reach=6).fit(train)
    drawn = learnt.draw(60, seed=0)
    assert drawn.shape == (24, 24, 24)
    assert abs(drawn.porosity.mean() - train.porosity.mean()) < 0.05
    faces = specific_surface(drawn.density(), 1.0).mean(), specific_surface(train.density(), 1.0).mean()
    assert 0.7 < faces[0] / faces[1] < 1.4  # of independent voxels: three times as much
