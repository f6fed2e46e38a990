"""Which trials go on from a rung."""

from __future__ import annotations

import numpy as np
import optuna
import pytest

from matopt.study.search.rungs import Rungs

SHARES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def curve(**values):
    """A curve of so many values as are given."""
    return {"progress": SHARES[: len(next(iter(values.values())))], **{k: list(v) for k, v in values.items()}}


def judged(rungs, curves):
    """How many values each trial told before it was pruned, one trial after the other."""
    done, told = [], []
    for whole in curves:
        count = before = 0
        for count in range(1, len(SHARES) + 1):
            so_far = {name: values[:count] for name, values in whole.items()}
            if count < len(SHARES) and rungs.verdict(so_far, before, done):
                break
            before = rungs.passed(so_far)
        done.append(so_far)
        told.append(count)
    return told


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_one_objective_is_pruned_as_optunas_successive_halving_prunes_it(direction, factor):
    random = np.random.default_rng(factor)
    sign = 1 if direction == "maximize" else -1
    # That get better and better: Optuna goes by the last value, and a rung by the best one so far.
    curves = [sign * np.cumsum(random.exponential(size=len(SHARES))) for _ in range(60)]
    rungs = Rungs({"r2": direction}, 0.1, factor, startup=1)
    assert rungs.shares == {2: (0.1, 0.2, 0.4, 0.8), 3: (0.1, 0.3, 0.9), 4: (0.1, 0.4)}[factor]

    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=factor)
    study = optuna.create_study(direction=direction, pruner=pruner)
    told = []
    for values in curves:
        trial, count = study.ask(), 0
        for count, value in enumerate(values, 1):
            trial.report(value, count)
            if count < len(SHARES) and trial.should_prune():
                break
        told.append(count)
        study.tell(trial, values[count - 1])
    assert judged(rungs, [curve(r2=values) for values in curves]) == told
    assert len(set(told)) == len(rungs.shares) + 1  # at each rung some were pruned, and some never


def test_with_several_objectives_only_what_others_dominate_is_pruned():
    rungs = Rungs({"r2": "maximize", "error": "minimize"}, 0.5, 2, startup=1)
    first = curve(r2=[0.5] * 10, error=[0.5] * 10)
    worse = curve(r2=[0.4] * 5, error=[0.6] * 5)
    assert rungs.verdict(worse, 0, [first]) == (
        "pruned after 50% of its predictor's training (r2 0.4, error 0.6): 1 of the 1 other trials that came to 50%"
        " were better there"
    )
    for better in (curve(r2=[0.6] * 5, error=[0.9] * 5), curve(r2=[0.1] * 5, error=[0.4] * 5), first):
        assert rungs.verdict(better, 0, [first]) == ""
    assert rungs.verdict(worse, 1, [first]) == ""  # it was judged there before
    assert rungs.verdict(curve(r2=[0.4] * 4, error=[0.6] * 4), 0, [first]) == ""  # it has not come there


def test_the_first_trials_at_a_rung_go_on_and_the_best_value_so_far_counts():
    rungs = Rungs({"r2": "maximize"}, 0.2, 2, startup=3)
    good, poor = curve(r2=[0.2, 0.9] * 5), curve(r2=[0.2, 0.3])
    assert rungs.verdict(poor, 0, [good, good]) == ""
    assert rungs.verdict(poor, 0, [good, good, good]).startswith("pruned after 20%")
    assert rungs.verdict(curve(r2=[0.95, 0.1]), 0, [good, good, good]) == ""
    assert rungs.verdict(poor, 0, [{}, good, good, curve(other=[1.0] * 10)]) == ""  # which have no such curve
