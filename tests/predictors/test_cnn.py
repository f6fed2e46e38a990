"""The convolutional predictor."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from scipy import ndimage

from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.predictors.base import PREDICTORS
from matopt.predictors.cnn import CNN
from matopt.predictors.convolutional.pooling import pooled_shape
from matopt.properties import NON_PERCOLATING, OK, Property, PropertyTable
from matopt.registry import Component
from matopt.stages.audit import residuals
from matopt.stages.r2 import r2
from matopt.traits.monotonicity import Monotonicity

STIFFNESS = Property("youngs_modulus", "E", "Pa", "GPa", 1e-9, increases_with_solid=True)
FLOW = Property("permeability", "k", "m^2", "mD", 1e15, scale="log", increases_with_solid=False)


def blobs(n: int, shape: tuple[int, ...], seed: int) -> Microstructures:
    """Smoothed noise, cut at a level that varies from sample to sample."""
    rng = np.random.default_rng(seed)
    noise = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), 2, mode="wrap") for _ in range(n)])
    flat = noise.reshape(n, -1)
    noise = (noise - flat.mean(1).reshape(-1, *[1] * len(shape))) / flat.std(1).reshape(-1, *[1] * len(shape))
    return Microstructures((noise > rng.uniform(-1.5, 0, (n, *[1] * len(shape)))).astype(np.uint8), 2e-6)


def table(microstructures: Microstructures) -> PropertyTable:
    """Known functionals of the porosity: a linear one in Pa, and an exponential one in m^2."""
    porosity = microstructures.porosity
    values = np.stack([9e10 * (1 - 1.5 * porosity), 1e-13 * np.exp(8 * porosity)], 1)
    return PropertyTable((STIFFNESS, FLOW), values, np.full(values.shape, OK), np.zeros(values.shape))


def with_status(t: PropertyTable, rows: list[int], value: float) -> PropertyTable:
    values, status = t.values.copy(), t.status.astype("<U15")
    values[rows, 0], status[rows, 0] = value, NON_PERCOLATING
    return PropertyTable(t.properties, values, status, t.residual)


@pytest.fixture(scope="module")
def fitted() -> CNN:
    train, validation = blobs(60, (32, 32), 0), blobs(30, (32, 32), 1)
    return CNN(steps=150, width=8).fit(train, table(train), (validation, table(validation)))


def test_known_functionals_of_the_porosity_are_learnt_in_si_units(fitted: CNN) -> None:
    test = blobs(50, (32, 32), 2)
    scores = r2(fitted, test, table(test))
    assert scores["youngs_modulus"] > 0.95
    assert scores["permeability"] > 0.95
    predicted = fitted.predict(test.density())
    assert predicted[:, 0].median().item() == pytest.approx(np.median(table(test).column("youngs_modulus")), rel=0.1)
    assert (predicted[:, 1] > 0).all()


def test_the_r2_that_a_training_foretells_is_that_of_the_validation_set() -> None:
    train, validation = blobs(40, (24, 24), 0), blobs(30, (24, 24), 1)
    labels = with_status(table(validation), [3, 7], 1e12)  # which count in none of the two
    heard: list[dict[str, float]] = []
    cnn = CNN(steps=40, width=4).fit(
        train, table(train), (validation, labels), report=lambda step, **scalars: bool(heard.append(scalars))
    )
    best = min(heard, key=lambda scalars: scalars["validation_loss"])  # the state that is kept
    scores = r2(cnn, validation, labels)
    for name, value in scores.items():
        assert best[f"validation_r2/{name}"] == pytest.approx(value, abs=0.02)
    assert best["validation_r2"] == pytest.approx(np.mean(list(scores.values())), abs=0.02)
    assert best["validation_r2"] > heard[0]["validation_r2"]


@pytest.mark.parametrize("axes", [(2,), (3,), (2, 3)])
def test_predictions_do_not_change_when_axes_are_reversed(fitted: CNN, axes: tuple[int, ...]) -> None:
    density = blobs(5, (32, 32), 3).density()
    torch.testing.assert_close(fitted.predict(density.flip(axes)), fitted.predict(density), rtol=1e-5, atol=0)


def test_microstructures_are_predicted_like_their_densities(fitted: CNN) -> None:
    phases = (np.random.default_rng(0).random((3, *fitted.shape)) < 0.6).astype(np.uint8)
    batch = Microstructures(phases, fitted.voxel_size)
    assert torch.equal(fitted.predict(batch), fitted.predict(batch.density()))


def test_exchanging_axes_is_not_taken_for_a_symmetry(fitted: CNN) -> None:
    density = blobs(5, (32, 32), 3).density()
    change = fitted.predict(density.transpose(2, 3)) / fitted.predict(density) - 1
    assert change.abs().max() > 1e-4


def test_a_property_without_usable_values_is_refused() -> None:
    train = blobs(5, (16, 16), 4)
    with pytest.raises(InputError, match="youngs_modulus: 1 values"):
        CNN(steps=1).fit(train, with_status(table(train), [0, 1, 2, 3], 0.0))


def test_a_usable_zero_on_a_log_scale_is_refused() -> None:
    train = blobs(5, (16, 16), 4)
    labels = table(train)
    labels.values[2, 1] = 0.0
    with pytest.raises(InputError, match="permeability has a log scale"):
        CNN(steps=1).fit(train, labels)


def test_the_state_makes_the_same_predictor_anew() -> None:
    train = blobs(10, (40, 24), 6)
    one = CNN(steps=5, width=4, resolution=20).fit(train, table(train))
    buffer = io.BytesIO()
    torch.save(one.state_dict(), buffer)
    buffer.seek(0)
    other = CNN()
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert other.properties == one.properties
    assert (other.voxel_size, other.shape) == (2e-6, (40, 24))
    assert torch.equal(other.predict(train.density()), one.predict(train.density()))


def test_images_of_128_pixels_are_seen_as_they_are() -> None:
    train = blobs(4, (128, 8), 8)
    checks = torch.zeros(2, 1, 128, 8)
    checks[0, 0, :2, :2] = torch.eye(2)
    checks[1, 0, :2, :2] = 0.5  # the same in the mean of 2 x 2 pixels
    whole, averaged = (CNN(steps=2, width=4, resolution=r).fit(train, table(train)).predict(checks) for r in (None, 64))
    assert not torch.equal(whole[0], whole[1])
    assert torch.equal(averaged[0], averaged[1])


@pytest.mark.parametrize(
    ("shape", "seen"), [((256, 100), (128, 50)), ((90, 128), (90, 128)), ((128, 64, 60), (64, 32, 30))]
)
def test_what_is_larger_is_averaged_down(shape: tuple[int, ...], seen: tuple[int, ...]) -> None:
    assert pooled_shape(shape, None) == seen


def test_second_derivatives_are_right() -> None:
    train = blobs(10, (8, 8), 7)
    model = CNN(steps=3, width=4).fit(train, table(train))
    assert model._network is not None
    model._network.double()
    model._scales = type(model._scales)(
        model.properties, torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    )
    density = torch.rand(1, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    density.requires_grad_(True)
    assert torch.autograd.gradcheck(model.predict, density)
    assert torch.autograd.gradgradcheck(model.predict, density)


def test_another_seed_gives_another_predictor() -> None:
    train = blobs(10, (16, 16), 8)
    first, other = (CNN(steps=10, width=4).fit(train, table(train), seed=s).predict(train.density()) for s in (3, 4))
    assert not torch.equal(first, other)


def test_training_for_a_trait_lowers_its_violation() -> None:
    # Labels that contradict the trait: the more solid, the softer.
    train, test = blobs(40, (16, 16), 9), blobs(20, (16, 16), 10)
    labels = table(train)
    labels = PropertyTable((STIFFNESS,), -labels.values[:, :1], labels.status[:, :1], labels.residual[:, :1])
    trait = Monotonicity()

    def violation(weight: float) -> float:
        model = CNN(steps=60, width=4).fit(train, labels, traits=[Monotonicity(weight)])
        return float(residuals(model, test.density(), [trait])["monotonicity"].mean())

    assert violation(0.0) > 0.7
    assert violation(3.0) < 0.3


def test_volumes_are_predicted_like_images() -> None:
    train = blobs(12, (12, 12, 12), 11)
    model = CNN(steps=60, width=4).fit(train, table(train))
    assert r2(model, train, table(train))["youngs_modulus"] > 0.9
    density = train.density()
    torch.testing.assert_close(model.predict(density.flip(2, 4)), model.predict(density), rtol=1e-5, atol=0)


def test_what_it_was_not_fitted_to_is_refused(fitted: CNN) -> None:
    with pytest.raises(InputError, match=r"fitted to samples of \(32, 32\)"):
        fitted.predict(torch.zeros(1, 1, 16, 16))
    with pytest.raises(InputError, match="before it predicts"):
        CNN().predict(torch.zeros(1, 1, 16, 16))
    train = blobs(5, (16, 16), 4)
    with pytest.raises(InputError, match="a row"):
        CNN().fit(train, table(train)[:4])


@pytest.mark.parametrize("setting", [{"steps": 0}, {"width": 6}, {"resolution": 4}, {"channels": 3}], ids=str)
def test_bad_settings_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(setting))):
        PREDICTORS.build(Component("cnn", setting))
