"""The search space: what it suggests is what the study file allows."""

from __future__ import annotations

import json
import math
import pickle

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matopt.study.space import Choice, Int, Log, Uniform, read_dimension, suggest

SPACE = {
    "generator.morphology_weight": Log(1e-2, 1e3),
    "generator.latent_dim": Int(8, 32),
    "traits.mine.py:Mine.weight": Uniform(0.0, 0.5),
    "augmentation.size": Choice((0, 50, 100)),
}


def points(n: int, seed: int) -> list[dict]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [suggest(SPACE, study.ask()) for _ in range(n)]


def test_suggestions_fill_each_dimension_and_leave_none():
    drawn = points(400, seed=0)
    weights = [math.log10(p["generator.morphology_weight"]) for p in drawn]
    assert -2 <= min(weights) < -1.8 and 2.8 < max(weights) <= 3
    assert abs(sum(weights) / 400 - 0.5) < 0.25  # uniform in orders of magnitude
    assert {p["generator.latent_dim"] for p in drawn} == set(range(8, 33))
    assert all(isinstance(p["generator.latent_dim"], int) for p in drawn)
    assert {p["augmentation.size"] for p in drawn} == {0, 50, 100}
    assert abs(sum(p["traits.mine.py:Mine.weight"] for p in drawn) / 400 - 0.25) < 0.03


def test_the_samplers_seed_is_all_that_a_point_follows_from():
    assert points(5, seed=3) == points(5, seed=3) != points(5, seed=4)


def test_the_model_based_sampler_learns_from_a_define_by_run_space():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=10))
    study.optimize(lambda trial: abs(math.log10(suggest(SPACE, trial)["generator.morphology_weight"]) - 2), n_trials=50)
    assert study.best_value < 0.1
    assert set(study.best_params) == set(SPACE)


@given(
    st.one_of(
        st.tuples(st.sampled_from(["uniform"]), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2, unique=True)),
        st.tuples(st.sampled_from(["log"]), st.lists(st.floats(1e-9, 1e9), min_size=2, max_size=2, unique=True)),
        st.tuples(st.sampled_from(["int"]), st.lists(st.integers(-99, 99), min_size=2, max_size=2, unique=True)),
    )
)
def test_a_range_reads_back_as_it_was_written_and_its_probes_lie_in_it(entry):
    word, ends = entry[0], sorted(entry[1])
    dimension = read_dimension({word: ends})
    assert json.loads(json.dumps({dimension.word: list(dimension.items)})) == {word: ends}
    assert all(ends[0] <= probe <= ends[1] for probe in dimension.probes)
    assert pickle.loads(pickle.dumps(dimension)) == dimension
    with pytest.raises(ValueError, match="smaller"):
        read_dimension({word: ends[::-1]})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"log": [0, 1]}, "above 0"),
        ({"int": [1.0, 2]}, "whole numbers"),
        ({"uniform": [1]}, "two numbers"),
        ({"uniform": [True, 2]}, "two numbers"),
        ({"choice": [1]}, "two or more"),
        ({"choice": [1, 1]}, "different"),
        ({"choice": [[1], [2]]}, "no lists"),
        ({"log": 3}, "takes a list"),
        ({"log": [1, 2], "int": [1, 2]}, "must be one of"),
        ([1, 2], "must be one of"),
    ],
)
def test_what_is_no_dimension_is_refused_with_what_would_be(entry, message):
    with pytest.raises(ValueError, match=message):
        read_dimension(entry)


def test_one_and_true_are_two_choices():
    assert read_dimension({"choice": [1, True]}).items == (1, True)
