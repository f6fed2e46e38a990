"""Which trials a changed search keeps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from matopt.data.sources.base import SOURCES
from matopt.stages.data import prepare
from matopt.stages.records import TrialResult
from matopt.stages.simulate import simulate
from matopt.study.config.study import load_study
from matopt.study.results import search_key, simulators_of
from matopt.study.search.carrying_over import Identities, carry_over
from matopt.study.search.ledger import Ledger
from matopt.study.space import suggest

optuna = pytest.importorskip("optuna")
STUDY = """
name: tiny
seed: 3
data:
  source: {kind: "tiny_components.py:Dots"}
  window: {size: 24}
  split: {train: 4, validation: 2, test: 1}
physics: {properties: ["tiny_components.py:Solid"]}
generator: {kind: "tiny_components.py:Noise", width: 2}
predictor: {kind: "tiny_components.py:Linear"}
augmentation: {size: 4}
search:
  trials: 6
  space: {generator.width: {int: [1, 6]}}
  objectives: {r2: maximize}
"""
OUTCOME = TrialResult({"r2": 0.5, "morphology_distance": 0.1}, "g", "p", 1.0, 0.25)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    shutil.copy(Path(__file__).with_name("tiny_components.py"), tmp_path)
    (tmp_path / "tiny.yaml").write_text(STUDY)
    return tmp_path / "tiny.yaml"


def study_of(file, *changes):
    study = load_study(file, changes)
    label = lambda microstructures: simulate(microstructures, simulators_of(study))  # noqa: E731
    dataset = prepare(SOURCES.build(study.source, study.folder), study.window, study.split, study.config.seed, label)
    journal = file.with_name("trials.journal")
    return study, dataset, Ledger(journal, search_key(study, dataset), study.objectives)


def searched(file, *changes):
    """A search whose trials are complete, as the engine enters them; the widths that it chose."""
    study, dataset, ledger = study_of(file, *changes)
    for number in range(study.config.search.trials):
        trial = ledger.ask(lambda n: optuna.samplers.GridSampler({"generator.width": [1, 2, 3, 4, 5, 6]}, seed=0))
        params = suggest(study.config.search.space, trial)
        ledger.identify(number, Identities(study, dataset).of(study.with_parameters(params)))
        ledger.complete(number, OUTCOME)
    return [record.params["generator.width"] for record in ledger.records()]


def kept(file, *changes):
    study, dataset, ledger = study_of(file, *changes)
    assert ledger.records() == []
    n = carry_over(study, dataset, ledger)
    records = ledger.records()
    assert len(records) == n and all(record.state == "complete" for record in records)
    assert all(record.outcome == OUTCOME for record in records)
    assert ledger.left(study.config.search.trials, study.most_points)[1] == study.config.search.trials - n
    return [record.params for record in records]


def test_a_narrower_space_keeps_the_trials_inside_it_and_a_wider_one_all(file):
    widths = searched(file)
    assert sorted(widths) == [1, 2, 3, 4, 5, 6]
    inside = kept(file, "search.space.generator.width={int: [2, 4]}")
    assert inside == [{"generator.width": w} for w in widths if 2 <= w <= 4]
    assert len(kept(file, "search.space.generator.width={int: [1, 9]}", "search.trials=9")) == 6
    assert kept(file, "search.space.generator.width={choice: [2, 7]}") == [{"generator.width": 2}]


@pytest.mark.parametrize(
    ("dimension", "value"),
    [
        ("augmentation.size={choice: [4, 8]}", 4),  # what the file says
        ("predictor.ridge={uniform: [0.0, 0.1]}", 1e-6),  # what it leaves to the class
    ],
)
def test_another_dimension_keeps_the_trials_at_the_value_that_the_study_had(file, dimension, value):
    widths = searched(file)
    name = dimension.partition("=")[0]
    assert kept(file, f"search.space.{dimension}") == [{"generator.width": w, name: value} for w in widths]


def test_a_dimension_that_is_given_up_keeps_the_trials_at_the_studys_own_value(file):
    searched(file)
    study, dataset, ledger = study_of(file, "search.space={predictor.ridge: {uniform: [0.0, 0.1]}}")
    assert carry_over(study, dataset, ledger) == 1  # the width of the file is 2
    assert ledger.records()[0].params == {"predictor.ridge": 1e-6}


def test_another_objective_keeps_trials_that_computed_it(file):
    searched(file)
    assert len(kept(file, "search.objectives={r2: maximize, morphology_distance: minimize}")) == 6
    assert kept(file, "search.objectives={response_skill: maximize}") == []


@pytest.mark.parametrize(
    "change",
    [
        "seed=4",
        "generator.seconds=0.1",
        "predictor.floor=0.0",
        "augmentation.size=5",
        "data.split.train=5",
        "search.space.augmentation.size={choice: [6, 8]}",  # does not hold what the trials had
    ],
)
def test_trials_that_would_come_out_otherwise_are_not_kept(file, change):
    searched(file)
    assert kept(file, change) == []


def test_trials_whose_code_was_edited_are_not_kept(file):
    searched(file)
    code = file.with_name("tiny_components.py")
    code.write_text(code.read_text().replace("self.width // 2)", "0)"))
    assert kept(file, "search.space.generator.width={int: [2, 4]}") == []
