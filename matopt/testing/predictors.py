"""What every predictor must do, as tests to inherit."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch

from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.predictors.base import Predictor
from matopt.properties import NON_PERCOLATING, OK, Property, PropertyTable
from matopt.testing.images import random_microstructures
from matopt.testing.modes import side_by_side
from matopt.traits.base import PropertyModel, Trait

STIFFNESS = Property("youngs_modulus", "E", "Pa", "GPa", 1e-9)
FLOW = Property("permeability", "k", "m^2", "mD", 1e15, scale="log")


def porosity_labels(microstructures: Microstructures) -> PropertyTable:
    """Label microstructures with two functions of their porosity: a linear one in Pa, an exponential one in m^2."""
    porosity = microstructures.porosity
    values = np.stack([9e10 * (1 - 1.5 * porosity), 1e-13 * np.exp(8 * porosity)], 1)
    return PropertyTable((STIFFNESS, FLOW), values, np.full(values.shape, OK), np.zeros(values.shape))


class PredictorConformance:
    """The contract of :class:`matopt.predictors.base.Predictor`.

    Inherit it, and say with a fixture how a predictor is made, with settings of a training of seconds::

        class TestMine(PredictorConformance):
            @pytest.fixture(scope="class")
            def make(self):
                return lambda: Mine(steps=40)

    Override ``train`` as well where the predictor cannot learn from images of 16 x 16.
    """

    @pytest.fixture(scope="class")
    def make(self) -> Callable[[], Predictor]:
        """A function that returns a new predictor, not fitted yet."""
        raise NotImplementedError("override the fixture 'make'")

    @pytest.fixture(scope="class")
    def train(self) -> Microstructures:
        """Few images to learn from; their labels are :func:`porosity_labels`."""
        return random_microstructures(16, (16, 16), seed=0)

    @pytest.fixture(scope="class")
    def fitted(self, make: Callable[[], Predictor], train: Microstructures) -> Predictor:
        """The predictor that most tests look at."""
        return make().fit(train, porosity_labels(train), seed=3)

    def test_predictions_are_values_in_si_units(self, fitted: Predictor, train: Microstructures) -> None:
        """A column for each property in the labels' order, of the labels' magnitude; densities are left as they are."""
        labels, density = porosity_labels(train), train.density()
        predicted = fitted.predict(density)
        assert fitted.properties == labels.properties
        assert predicted.shape == labels.values.shape and predicted.is_floating_point()
        assert predicted.isfinite().all()
        magnitude = np.median(predicted.detach().cpu().numpy(), 0) / np.median(labels.values, 0)
        assert (magnitude > 0.1).all() and (magnitude < 10).all()
        assert torch.equal(density, train.density())

    def test_microstructures_are_predicted_one_by_one_as_in_a_batch(
        self, fitted: Predictor, train: Microstructures
    ) -> None:
        """Up to rounding."""
        batch = fitted.predict(train.density())
        torch.testing.assert_close(fitted.predict(train[2:3].density()), batch[2:3], rtol=1e-3, atol=0)

    def test_the_same_seed_fits_the_same_predictor(
        self, make: Callable[[], Predictor], fitted: Predictor, train: Microstructures
    ) -> None:
        """Whatever modes PyTorch is in and what goes on in other threads; the caller's random state is left alone."""
        torch.rand(3)
        before, density = torch.random.get_rng_state(), train.density()
        told = side_by_side([lambda: make().fit(train, porosity_labels(train), seed=3).predict(density)] * 2)
        assert torch.equal(torch.random.get_rng_state(), before)
        assert all(torch.equal(predicted, fitted.predict(density)) for predicted in told)

    def test_a_saved_state_makes_the_same_predictor_anew(
        self, make: Callable[[], Predictor], fitted: Predictor, train: Microstructures
    ) -> None:
        """By way of a file that runs no code when it is read."""
        file = io.BytesIO()
        torch.save(fitted.state_dict(), file)
        file.seek(0)
        copy = make()
        copy.load_state_dict(torch.load(file, weights_only=True))
        assert copy.properties == fitted.properties
        assert torch.equal(copy.predict(train.density()), fitted.predict(train.density()))

    def test_predictions_are_differentiable_twice(self, fitted: Predictor, train: Microstructures) -> None:
        """First and second derivatives along a line of densities are those of finite differences."""
        scale = torch.from_numpy(porosity_labels(train).values.std(0)).float()
        direction = torch.rand(train.density().shape, generator=torch.Generator().manual_seed(0)) - 0.5
        step = 0.02

        def slopes(shift: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            """Values and first and second derivatives along the line, of grey densities, each ``(P,)``."""
            t = torch.tensor(shift, requires_grad=True)
            density = 0.25 + 0.5 * train.density() + t * direction
            values = (fitted.predict(density) / scale.to(density)).mean(0)
            first = [torch.autograd.grad(v, t, create_graph=True)[0] for v in values]
            second = [torch.autograd.grad(f, t, retain_graph=True)[0] for f in first]
            return values.detach(), torch.stack(first).detach(), torch.stack(second)

        behind, here, ahead = slopes(-step), slopes(0.0), slopes(step)
        for order in (0, 1):
            difference = (ahead[order] - behind[order]) / (2 * step)
            size = float(here[order + 1].abs().max())
            torch.testing.assert_close(difference, here[order + 1], rtol=0.05, atol=0.05 * size + 1e-3)

    @pytest.mark.parametrize("value", [0.0, 1e12])
    def test_values_that_are_not_ok_are_not_learnt(
        self, make: Callable[[], Predictor], train: Microstructures, value: float
    ) -> None:
        """Neither in training nor in validation."""

        def fit(unusable: float) -> torch.Tensor:
            labels = _with_status(porosity_labels(train), [0, 3, 7], unusable)
            return make().fit(train, labels, (train, labels)).predict(train.density())

        assert torch.equal(fit(value), fit(5e10))

    def test_a_property_without_usable_values_is_refused(
        self, make: Callable[[], Predictor], train: Microstructures
    ) -> None:
        """There is nothing to learn it from; the error names it."""
        labels = _with_status(porosity_labels(train), list(range(len(train))), 0.0)
        with pytest.raises(InputError, match=STIFFNESS.name):
            make().fit(train, labels)

    def test_labels_that_do_not_belong_to_the_microstructures_are_refused(
        self, make: Callable[[], Predictor], train: Microstructures
    ) -> None:
        """Rows are missing, or the validation's properties are others; the error speaks of microstructures."""
        labels = porosity_labels(train)
        with pytest.raises(InputError, match="microstructure"):
            make().fit(train, labels[:4])
        flow = PropertyTable(labels.properties[1:], labels.values[:, 1:], labels.status[:, 1:], labels.residual[:, 1:])
        with pytest.raises(InputError, match="microstructure"):
            make().fit(train, labels, (train, flow))

    def test_densities_of_another_shape_are_refused(self, fitted: Predictor, train: Microstructures) -> None:
        """The properties of a smaller window are others; the error says which shape was learnt."""
        with pytest.raises(InputError, match=str(train.shape[0])):
            fitted.predict(torch.ones(1, 1, *[edge // 2 for edge in train.shape]))

    def test_nothing_is_predicted_before_something_was_learnt(
        self, make: Callable[[], Predictor], train: Microstructures
    ) -> None:
        """The error says what to do: to fit it."""
        with pytest.raises(InputError, match="fit"):
            make().predict(train.density())

    def test_a_report_hears_of_the_training_and_stops_it(
        self, make: Callable[[], Predictor], train: Microstructures
    ) -> None:
        """A training that was told to stop reports no more, and what it has learnt so far predicts."""
        heard: list[int] = []

        def stop(step: int, /, **scalars: float) -> bool:
            heard.append(step)
            return True

        labels = porosity_labels(train)
        predictor = make()
        assert predictor.fit(train, labels, (train, labels), report=stop) is predictor
        assert len(heard) == 1
        assert predictor.predict(train.density()).isfinite().all()

    def test_what_its_training_foretells_is_reported(
        self, make: Callable[[], Predictor], train: Microstructures
    ) -> None:
        """Each metric of :attr:`Predictor.foretold`, of all properties and of each, with the progress."""
        heard: list[dict[str, float]] = []
        labels = porosity_labels(train)
        if not make().foretold:
            return
        make().fit(train, labels, (train, labels), report=lambda step, **scalars: bool(heard.append(scalars)))
        parts = ["", *(f"/{p.name}" for p in labels.properties)]
        names = {f"validation_{metric}{part}" for metric in make().foretold for part in parts}
        assert heard and all(names <= scalars.keys() for scalars in heard)
        assert all(0 < scalars["progress"] <= 1 for scalars in heard) and heard[-1]["progress"] == 1

    def test_a_trait_is_trained_for_by_its_weight(self, make: Callable[[], Predictor], train: Microstructures) -> None:
        """A heavy one is better satisfied than without it; one of no weight changes nothing."""
        labels = porosity_labels(train)

        def predicted(*traits: Trait) -> torch.Tensor:
            return make().fit(train, labels, traits=traits).predict(train.density()).detach()

        without = predicted()
        assert torch.equal(predicted(Stiff(0.0)), without)
        assert predicted(Stiff(10.0))[:, 0].mean() > without[:, 0].mean()


class Stiff(Trait):
    """A trait that no labels show: everything is stiffer than 200 GPa."""

    name = "stiff"

    def residual(self, model: PropertyModel, density: torch.Tensor) -> torch.Tensor:
        """How much of 200 GPa is missing."""
        return (1 - model.predict(density)[:, 0] / 2e11).relu()


def _with_status(labels: PropertyTable, rows: list[int], value: float) -> PropertyTable:
    """The labels with some values of the first property not usable."""
    values, status = labels.values.copy(), labels.status.astype("<U15")
    values[rows, 0], status[rows, 0] = value, NON_PERCOLATING
    return PropertyTable(labels.properties, values, status, labels.residual)
