"""Ensembles of predictors: their mean, and what their spread says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_cnn import blobs, table

from matopt.errors import InputError
from matopt.predictors.base import PREDICTORS
from matopt.predictors.ensemble import Ensemble
from matopt.registry import Component

SMALL = {"steps": 30, "width": 4}


@pytest.fixture(scope="module")
def fitted() -> Ensemble:
    train, validation = blobs(16, (16, 16), 0), blobs(80, (16, 16), 1)
    return Ensemble(settings=SMALL, members=3).fit(train, table(train), (validation, table(validation)))


def test_the_prediction_is_the_mean_of_the_members_on_each_scale(fitted: Ensemble) -> None:
    density = blobs(10, (16, 16), 2).density()
    members = torch.stack([m.predict(density) for m in fitted._fitted])
    assert members.std(0).min() > 0
    torch.testing.assert_close(fitted.predict(density)[:, 0], members[..., 0].mean(0))
    torch.testing.assert_close(fitted.predict(density)[:, 1], members[..., 1].log().mean(0).exp())


def test_intervals_hold_the_truth_as_often_as_they_say(fitted: Ensemble) -> None:
    test = blobs(400, (16, 16), 3)
    density, truth = test.density(), torch.from_numpy(table(test).values)
    inside = {}
    for coverage in (0.5, 0.9):
        lower, upper = fitted.interval(density, coverage)
        inside[coverage] = ((lower <= truth) & (truth <= upper)).double().mean(0).numpy()
        # What 80 validation and 400 test samples leave open (three deviations).
        assert np.abs(inside[coverage] - coverage).max() < 3 * (coverage * (1 - coverage) * (1 / 80 + 1 / 400)) ** 0.5
    assert (inside[0.9] > inside[0.5]).all()


def test_every_member_reports_and_a_report_stops_all_of_them() -> None:
    train = blobs(10, (16, 16), 12)
    heard: list[int] = []

    def report(step: int, /, **scalars: float) -> bool:
        heard.append(step)
        return step == 25

    model = Ensemble(settings={"steps": 20, "width": 4}, members=3).fit(train, table(train), report=report)
    assert heard == list(range(1, 26))
    assert model.predict(train.density()).isfinite().all()
    with pytest.raises(InputError, match="need a validation set"):
        model.interval(train.density())


def test_what_a_validation_set_cannot_tell_is_refused(fitted: Ensemble) -> None:
    for coverage in (0.0, 0.999):
        with pytest.raises(InputError, match=f"not of {coverage}"):
            fitted.interval(torch.ones(1, 1, 16, 16), coverage)


@pytest.mark.parametrize("setting", [{"members": 1}, {"member": "nothing"}, {"settings": {"depth": 3}}], ids=str)
def test_bad_settings_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"members|nothing|depth"):
        PREDICTORS.build(Component("ensemble", setting))
