"""The evaluation compares generators on the test split; the design's ends are checked by the physics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from small_study import GENERATOR, PREDICTOR, PROPERTIES, TRAITS, CountingLabel

from matopt.design.settings import DesignSettings
from matopt.microstructures import Microstructures
from matopt.physics.base import Physics
from matopt.registry import Component
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.ascent import DesignPlan, seed_of_round
from matopt.stages.data import Dataset
from matopt.stages.design import design
from matopt.stages.evaluation import EvaluationSettings, evaluate
from matopt.stages.models import ModelContext, PredictorTask, load_generator
from matopt.stages.records import TrialResult
from matopt.stages.simulate import simulate
from matopt.stages.trial import TrialSettings, run_trial
from matopt.stages.workers import LocalWorkers

TRIAL = TrialSettings(GENERATOR, PREDICTOR, TRAITS, 10, 0)


@pytest.fixture(scope="module")
def shop(shared_artifacts: ArtifactStore, tmp_path_factory: pytest.TempPathFactory) -> ModelContext:
    return ModelContext(shared_artifacts, tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def trial(dataset: Dataset, physics: Physics, shop: ModelContext) -> TrialResult:
    return run_trial(TRIAL, dataset, physics, CountingLabel(), shop)


class Recording(LocalWorkers):
    """Keeps what it was asked to fit."""

    def fit_predictors(self, tasks: Sequence[PredictorTask]) -> list[str]:
        self.tasks = list(tasks)
        return super().fit_predictors(tasks)


def test_the_evaluation_compares_generators_over_sizes_and_draws(
    dataset: Dataset, physics: Physics, shop: ModelContext, trial: TrialResult
) -> None:
    vae = Component("vae", {"latent_dim": 4, "steps": 30})
    settings = EvaluationSettings(
        {"morphology_vae": GENERATOR, "vae": vae}, PREDICTOR, TRAITS, (5, 10), 2, trial.predictor_key, 0
    )
    workers = Recording(CountingLabel(), shop)
    found = evaluate(settings, dataset, physics, workers, shop)

    points = {(p.generator, p.size, p.draw) for p in found.curve}
    assert points == {("authentic", 0, d) for d in range(2)} | {
        (g, s, d) for g in ("morphology_vae", "vae") for s in (5, 10) for d in range(2)
    }
    for point, task in zip(found.curve, workers.tasks, strict=True):
        assert len(task.train) == len(dataset.train) + point.size
        assert set(point.r2) == set(PROPERTIES)
        # Nothing is learnt from, or chosen by, what is tested on.
        learnt = {*task.train.microstructures.hashes, *task.validation.microstructures.hashes}
        assert not learnt & set(dataset.test.microstructures.hashes)
    assert found.properties == PROPERTIES
    assert found.predicted.shape == found.authentic.values.shape
    assert [row.trait for row in found.audit] == ["hashin_shtrikman", "monotonicity"]
    assert {row.kind for row in found.skills} == {"blocks", "boundary", "constant_porosity"}
    assert [g.name for g in found.generators] == ["morphology_vae", "vae"]
    assert len(found.generators[1].samples.porosity) == 10


def test_designs_are_checked_by_the_physics_as_binarised(
    dataset: Dataset, physics: Physics, shop: ModelContext, trial: TrialResult
) -> None:
    optimiser = Component("moves", {"draws": 4})
    settings = DesignSettings(
        property="youngs_modulus", seeds=6, steps=4, n_checked=3, physics_seeds=2, optimiser=optimiser
    )
    plan = DesignPlan(settings, trial.generator_key, trial.predictor_key, TRIAL, tuple(map(Component, PROPERTIES)))
    found = design(plan, dataset, LocalWorkers(CountingLabel(), shop), shop)
    assert found.property == "youngs_modulus"
    assert [space.space for space in found.spaces] == ["latent", "pixel"]
    for space in found.spaces:
        assert space.predicted.shape == (6, 3)
        assert space.checked == (0, 2, 4)
        assert (space.predicted[:, -1] >= space.predicted[:, 0]).all()
        assert (space.volume_fraction - space.volume_fraction[:, :1]).abs().max() < 0.0101
        end = Microstructures(space.snapshots[:, -1].numpy(), physics.voxel_size)
        expected = simulate(end, ["youngs_modulus"]).column("youngs_modulus")
        assert np.allclose(space.true[:, -1], expected)
        assert np.allclose(space.volume_fraction[:, -1], 1 - end.porosity)
    # Both spaces begin with the same microstructures.
    assert torch.equal(found.spaces[0].snapshots[:, 0], found.spaces[1].snapshots[:, 0])

    roles = {baseline.role: baseline for baseline in found.baselines}
    assert list(roles) == ["free", "solid_fraction", "nothing", "physics", "best_of_solved"]
    assert {baseline.space for baseline in found.baselines} == {"latent"}, "nothing is held against solid grain"
    for role in ("nothing", "physics", "best_of_solved"):
        fraction = roles[role].volume_fraction
        assert (fraction - fraction[:, :1]).abs().max() < 0.0101
    # The solid fraction rises blindly where it may, and the physics never loses by its own judgement.
    assert (roles["solid_fraction"].volume_fraction.diff(dim=1) >= 0).all()
    for role in ("physics", "best_of_solved"):
        assert (roles[role].true.diff(dim=1) >= -1e-3 * roles[role].true[:, :1]).all()
        assert len(roles[role].true) == 2
    assert roles["best_of_solved"].solves.max() <= roles["physics"].solves.double().mean() + 1


def test_designs_for_two_properties_have_both_of_the_physics(
    dataset: Dataset, physics: Physics, shop: ModelContext, trial: TrialResult
) -> None:
    settings = DesignSettings(
        property="youngs_modulus", against="permeability", start_porosity=0.3, seeds=4, steps=2, n_checked=2,
        physics_seeds=2, spaces=(Component("latent"),), optimiser=Component("moves", {"draws": 2}),
        baselines=("nothing", "physics"),
    )  # fmt: skip
    plan = DesignPlan(settings, trial.generator_key, trial.predictor_key, TRIAL, tuple(map(Component, PROPERTIES)))
    found = design(plan, dataset, LocalWorkers(CountingLabel(), shop), shop)
    assert (found.against, found.against_goal) == ("permeability", "maximize")
    for run in (*found.spaces, *found.baselines):
        assert run.against is not None
        expected = simulate(run.ends(physics.voxel_size), ["permeability"]).column("permeability")
        assert np.allclose(run.against.true[:, -1], expected)
        assert (run.against.predicted is None) == (run.role == "nothing"), "it knows nothing of two properties"


def test_a_closed_loop_learns_from_its_designs_beside_one_that_learns_from_samples(
    dataset: Dataset, shop: ModelContext, trial: TrialResult
) -> None:
    settings = DesignSettings(
        property="youngs_modulus", seeds=4, spaces=(Component("pixel"), Component("latent")), steps=2, n_checked=2,
        optimiser=Component("moves", {"draws": 2}), baselines=(), rounds=2,
    )  # fmt: skip
    plan = DesignPlan(settings, trial.generator_key, trial.predictor_key, TRIAL, tuple(map(Component, PROPERTIES)))
    workers = Recording(CountingLabel(), shop)
    found = design(plan, dataset, workers, shop)
    made = [(r.number, r.taught_by, r.solves) for r in found.rounds]
    assert made == [(1, "designs", 4), (1, "samples", 4), (2, "designs", 8), (2, "samples", 8)]
    first = found.spaces[1]
    for round_ in found.rounds:
        assert round_.designs.space == "latent"
        assert torch.equal(round_.designs.snapshots[:, 0], first.snapshots[:, 0]), "all rounds have the same starts"
    by_designs, by_samples = (task.train.microstructures for task in workers.tasks)
    known = len(dataset.train) + TRIAL.augmentation
    assert by_designs.hashes[:known] == by_samples.hashes[:known]
    ends = (*first.ends(1e-6).hashes, *found.rounds[0].designs.ends(1e-6).hashes)
    assert by_designs.hashes[known:] == ends
    samples = load_generator(trial.generator_key, shop).draw(8, seed_of_round(plan, 3))
    assert by_samples.hashes[known:] == samples.hashes
    assert found.rounds[2].designs.predicted.ne(found.rounds[0].designs.predicted).any()


def test_a_report_has_every_figure_and_its_data(
    dataset: Dataset, physics: Physics, shop: ModelContext, trial: TrialResult, tmp_path: Path
) -> None:
    from matopt.report.findings import Findings
    from matopt.report.page import write_report
    from matopt.study.records import TrialRecord

    workers = LocalWorkers(CountingLabel(), shop)
    evaluation = evaluate(
        EvaluationSettings({"morphology_vae": GENERATOR}, PREDICTOR, TRAITS, (5,), 2, trial.predictor_key, 0),
        dataset,
        physics,
        workers,
        shop,
    )
    settings = DesignSettings(
        property="youngs_modulus", seeds=4, spaces=(Component("latent"),), optimiser=Component("moves", {"draws": 2}),
        steps=2, n_checked=2, physics_seeds=2,
    )  # fmt: skip
    plan = DesignPlan(settings, trial.generator_key, trial.predictor_key, TRIAL, tuple(map(Component, PROPERTIES)))
    designs = design(plan, dataset, workers, shop)
    record = TrialRecord(
        0,
        "complete",
        {"augmentation.size": 10},
        trial,
    )
    page, *figures = write_report(
        tmp_path / "report",
        Findings("small <study>", "name: small", physics.properties, ("r2",), (record,), 0, evaluation, designs),
    )
    text = page.read_text()
    assert "small &lt;study&gt;" in text
    assert {path.stem for path in figures} == {
        "samples", "properties", "augmentation", "parity", "responses", "traits", "search",
        "morphing", "ascent", "designs", "film",
    }  # fmt: skip
    for path in figures:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert len(path.with_suffix(".csv").read_text().splitlines()) > 1
        assert text.count(f'href="{path.stem}.csv"') == 1
