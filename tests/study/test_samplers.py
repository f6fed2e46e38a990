"""Samplers choose points of the space, on and on through launches, and refuse what they cannot search."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import optuna
import pytest

from matopt.errors import InputError
from matopt.registry import Component
from matopt.stages.records import TrialResult
from matopt.study.config.study import load_study
from matopt.study.samplers.base import SAMPLERS, SearchSpec, sampler_seed
from matopt.study.search.ledger import Ledger
from matopt.study.search.rungs import Rungs
from matopt.study.space import Choice, Int, Log, Uniform, suggest

HERE = Path(__file__).parent
NUMBERS = {"a": Log(1e-2, 1e2), "b": Int(1, 9), "c": Uniform(0.0, 1.0)}
FINITE = {"a": Int(1, 3), "b": Choice((0, 50, True, None))}
MIXED = {**NUMBERS, "d": Choice(("x", "y"))}
ONE, TWO = {"r2": "maximize"}, {"r2": "maximize", "s2_error": "minimize"}
MINE = """
import optuna
from matopt.study.samplers.base import Sampler

class Always(Sampler):
    def __init__(self, seed: int = 7):
        self.seed = seed

    def build(self, search, n_started):
        return optuna.samplers.RandomSampler(self.seed)
"""


def spec(space: dict, objectives: dict[str, str], trials: int = 8) -> SearchSpec:
    return SearchSpec(space, tuple(objectives), trials, startup=3, concurrent=2, seed=5)


def searched(
    journal: Path, kind: str, search: SearchSpec, objectives: dict[str, str], launches: list[int]
) -> list[tuple]:
    """The points of a search of several launches, of so many trials each; every third trial fails once."""
    sampler = SAMPLERS.build(Component(kind))
    points: dict[int, tuple] = {}
    for count in launches:
        ledger = Ledger(journal, "search", objectives)
        ledger.recover()
        chooser = sampler.build(search, ledger.n_started)
        study = optuna.load_study(study_name="search", storage=ledger.storage, sampler=chooser)
        for _ in range(count):
            trial = study.ask()
            point = suggest(search.space, trial)
            points[trial.number] = tuple(point.values())
            if trial.number % 3 == 2:
                ledger.fail(trial.number, "it failed")
                continue
            number = sum(float(v or 0) for v in point.values() if not isinstance(v, str))
            ledger.complete(trial.number, TrialResult({"r2": number, "s2_error": -number}, "", "", 1.0, 0.0))
    return [tuple(record.params.values()) for record in Ledger(journal, "search", objectives).records()]


def asked(journal: Path, kind: str, search: SearchSpec, interrupted: set[int]) -> list[dict]:
    """The points of a search of twelve trials, one at a time; the launch is killed in the middle of some of them."""
    choose = partial(SAMPLERS.build(Component(kind)).build, search)
    ledger, n_complete, attempts = Ledger(journal, "search", ONE), 0, 0
    while n_complete < 12:
        trial = ledger.ask(choose)
        point = suggest(search.space, trial)
        attempts += 1
        if attempts in interrupted:
            ledger = Ledger(journal, "search", ONE)
            ledger.recover()
            continue
        r2 = sum(float(v or 0) for v in point.values() if not isinstance(v, str))
        ledger.complete(trial.number, TrialResult({"r2": r2}, "", "", 1.0, 0.0))
        n_complete += 1
    return [record.params for record in ledger.records()]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("kind", ["tpe", "random", "gp", "qmc", "nsga2", "nsga3", "brute_force"])
def test_an_interrupted_search_finds_what_an_undisturbed_one_finds(tmp_path, kind):
    search = replace(spec(FINITE if kind == "brute_force" else MIXED, ONE, 12), concurrent=1, seed=2**40)
    undisturbed = asked(tmp_path / "a", kind, search, set())
    assert asked(tmp_path / "b", kind, search, {1, 5, 6, 11}) == undisturbed
    assert len({tuple(point.values()) for point in undisturbed}) > 6


def types(space: dict) -> set[tuple]:
    """The types that the values of a point may have."""
    values = [{type(v) for v in d.values} if isinstance(d, Choice) else {type(d.low)} for d in space.values()]
    return set(itertools.product(*values))


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("objectives", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("space", [NUMBERS, MIXED, FINITE, {}], ids=["numbers", "mixed", "finite", "empty"])
@pytest.mark.parametrize("kind", SAMPLERS.names())
def test_a_sampler_searches_through_launches_what_it_does_not_refuse(tmp_path, kind, space, objectives):
    search = spec(space, objectives, trials=1 if not space else 8)
    if SAMPLERS.build(Component(kind)).refusal(search):
        pytest.skip("refused; see below")
    points = searched(tmp_path / "journal", kind, search, objectives, [1, 1] if not space else [5, 4])
    assert all(tuple(type(value) for value in point) in types(space) for point in points)
    if space and kind not in ("tpe", "gp"):  # which may take a good point of a finite space twice
        assert len(set(map(str, points))) >= min(5, len(points))


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("kind", ["grid", "brute_force"])
def test_a_finite_space_is_gone_through_once(tmp_path, kind):
    points = searched(tmp_path / "journal", kind, spec(FINITE, ONE, trials=12), ONE, [5, 4, 3])
    assert len(points) == len(set(map(str, points))) == 12


def test_a_random_sampler_goes_on_with_other_points():
    sampler = SAMPLERS.build(Component("random"))
    first, again, later = (sampler.build(spec(NUMBERS, ONE), n_started) for n_started in (0, 0, 4))
    draws = [suggest(NUMBERS, optuna.create_study(sampler=chooser).ask()) for chooser in (first, again, later)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("concurrent", [1, 3])
@pytest.mark.parametrize("objectives", [ONE, TWO], ids=["one", "two"])
def test_tpe_chooses_the_points_that_optunas_own_does(tmp_path, objectives, concurrent):
    search = replace(spec(MIXED, objectives), concurrent=concurrent)
    ours = SAMPLERS.build(Component("tpe"))

    def optunas(n_started):
        settings = {"n_startup_trials": search.startup, "constant_liar": concurrent > 1}
        return optuna.samplers.TPESampler(**settings, seed=sampler_seed(search, n_started))

    def points(journal, sampler):
        ledger, running, chosen = Ledger(journal, "search", objectives), [], []
        for _ in range(40):
            trial = ledger.ask(sampler)
            chosen.append(suggest(search.space, trial))
            running.append((trial.number, chosen[-1]))
            if len(running) < concurrent:
                continue
            number, point = running.pop(len(chosen) % concurrent)
            if number % 7 == 3:
                ledger.fail(number, "it failed")
                continue
            found = {"r2": -((point["b"] - 4) ** 2) - point["c"], "s2_error": point["a"] * (1 + (point["d"] == "x"))}
            ledger.complete(number, TrialResult(found, "", "", 1.0, 0.0))
        return chosen

    assert points(tmp_path / "ours", partial(ours.build, search)) == points(tmp_path / "optunas", optunas)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("objectives", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("kind", ["tpe", "nsga2"])
def test_a_sampler_goes_on_where_trials_are_pruned(tmp_path, kind, objectives):
    search, rungs = spec(MIXED, objectives, trials=12), Rungs({"r2": "maximize"}, 0.5, 2, startup=1)
    sampler = partial(SAMPLERS.build(Component(kind)).build, search)
    ledger = Ledger(tmp_path / "journal", "search", objectives)
    for _ in range(12):
        trial = ledger.ask(sampler)
        r2 = -((suggest(search.space, trial)["b"] - 4) ** 2)
        if reason := ledger.judge(trial.number, {"progress": [0.5], "r2": [r2]}, rungs):
            ledger.prune(trial.number, reason, 1.0)
        else:
            ledger.complete(trial.number, TrialResult({"r2": r2, "s2_error": 1.0}, "", "", 1.0, 0.0))
    assert {"complete", "pruned"} == {record.state for record in ledger.records()}


REFUSED = [
    ("cmaes", MIXED, ONE, 8, "cmaes searches numbers alone, and d is a choice; take tpe, gp or nsga2"),
    ("cmaes", NUMBERS, TWO, 8, "cmaes takes one objective, and there are 2; take tpe, gp, nsga2 or nsga3"),
    ("grid", MIXED, ONE, 8, "grid goes through all points, and a has endlessly many; search it by int or choice"),
    ("brute_force", NUMBERS, ONE, 8, "brute_force goes through all points, and a has endlessly many"),
    ("grid", FINITE, TWO, 13, "grid goes through all points, and there are 12 for 13 trials; ask for fewer"),
    ("brute_force", {}, ONE, 2, "brute_force goes through all points, and there are 1 for 2 trials; ask for fewer"),
]


@pytest.mark.parametrize(("kind", "space", "objectives", "trials", "said"), REFUSED)
def test_what_a_sampler_cannot_search_it_refuses(kind, space, objectives, trials, said):
    assert SAMPLERS.build(Component(kind)).refusal(spec(space, objectives, trials)).startswith(said)


# ------------------------------------------------------------------------------------------------- in a study file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("parts.py", "radii.csv", "example.yaml"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


@pytest.mark.parametrize(
    ("sampler", "component"),
    [
        ("random", Component("random")),
        ("tpe", Component("tpe", {"multivariate": None, "n_ei_candidates": 24})),
        ("{kind: nsga3, population_size: 8}", Component("nsga3", {"population_size": 8})),
        ("mine.py:Always", Component("mine.py:Always", {"seed": 7})),
        ("{kind: mine.py:Always, seed: 3}", Component("mine.py:Always", {"seed": 3})),
    ],
)
def test_a_sampler_is_named_with_or_without_settings(folder, sampler, component):
    study = load_study(folder / "example.yaml", [f"search.sampler={sampler}", "search.startup=3"])
    assert study.sampler == component
    chooser = SAMPLERS.build(study.sampler, study.folder).build(study.config.search_spec, 0)
    assert isinstance(chooser, optuna.samplers.BaseSampler)


def test_the_sampler_of_a_study_that_names_none_is_tpe(folder):
    study = load_study(folder / "example.yaml")
    assert study.sampler == load_study(folder / "example.yaml", ["search.sampler=tpe"]).sampler
    assert study.config.search_spec == SearchSpec(study.config.search.space, ("r2", "morphology_distance"), 3, 10, 2, 7)


@pytest.mark.parametrize(
    ("sampler", "said"),
    [
        ("tpee", "search.sampler.kind: no samplers called 'tpee'; did you mean 'tpe'?"),
        ("{kind: nsga2, population_size: 1}", "search.sampler.population_size: must be at least 2, got 1"),
        (
            "{kind: qmc, sequence: sobl}",
            "search.sampler.sequence: must be 'sobol' or 'halton', got \"sobl\"; did you mean",
        ),
        ("grid", "search.sampler: grid goes through all points, and generator.morphology_weight has endlessly many"),
        ("[tpe]", "search.sampler: must be a section with keys of its own, like {kind: ...}"),
    ],
)
def test_a_sampler_that_cannot_be_is_refused_when_the_file_is_checked(folder, sampler, said):
    with pytest.raises(InputError) as caught:
        load_study(folder / "example.yaml", [f"search.sampler={sampler}"])
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"--set search.sampler={sampler}: {said}")
