"""What pruning saves and what it costs: trials of a study that were run to their ends, searched again and again.

Each trial is run once, alone, and its curve kept with the seconds of every report. Searches that prune, prune as many
at random, or prune none are then played through over these trials, which are drawn again and again, one at a time: what
a search has found when its seconds are spent follows from the draw alone. That leaves a sampler's learning out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import torch
from scipy.stats import spearmanr

from matopt.data.labels.store import LabelStore
from matopt.data.sources.base import SOURCES
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.data import Dataset, LabelFunction, prepare
from matopt.stages.models import ModelContext
from matopt.stages.simulate import simulate
from matopt.stages.trial import run_trial
from matopt.study.config.study import Study, load_study
from matopt.study.results import physics_of, simulators_of
from matopt.study.search.rungs import Rungs
from matopt.study.space import suggest

STUDY = Path(__file__).parents[1] / "studies" / "quickstart.yaml"
TINY = (
    "data.window.size=32", "data.split={train: 40, validation: 40, test: 2}", "generator.steps=40",
    "generator.latent_dim=8", "predictor.steps=80", "search.space.augmentation.size={choice: [20, 40]}",
)  # fmt: skip
WIDER = (
    *TINY,
    "search.space.predictor.learning_rate={log: [2e-3, 0.5]}",
    "search.space.predictor.width={choice: [4, 8, 16]}",
)
QUICKSTART, SETTINGS = "quickstart", "with two settings of the predictor"
BEREA = f"Berea 64^2, {SETTINGS}"
ORDERS, DRAWN = 200, 60
BUDGETS = (5, 10, 20)
"""Seconds that a search has, in those of a whole trial."""

PRUNED, AT_RANDOM = "pruned", "as many at random"


RUNGS = Rungs({"r2": "maximize"}, 0.5, 2, 4)
"""Those of a study that says no more than ``pruning: {objectives: [r2]}``."""


@dataclass(frozen=True)
class Played:
    """A trial that was run to its end.

    Attributes:
        curve: what its training foretold.
        at: seconds of the trial until each point of the curve.
        seconds: of the whole trial.
        scores: objective -> what it found.
    """

    curve: dict[str, list[float]]
    at: list[float]
    seconds: float
    scores: dict[str, float]

    def until(self, count: int) -> dict[str, list[float]]:
        """Its curve as it was after so many points."""
        return {name: values[:count] for name, values in self.curve.items()}


def measure(folder: Path, n_trials: int, scan: Path | None) -> list[dict[str, float | str]]:
    """Play searches through over trials of the quickstart's space, and of one with settings of the predictor.

    Args:
        folder: where trials are kept.
        n_trials: of each space.
        scan: of Berea, of whose windows the second space is searched too.
    """
    spaces = {QUICKSTART: TINY, SETTINGS: WIDER}
    if scan is not None:
        source = f"data.source={{kind: files, path: {scan.resolve()}, voxel_size: 5.345 um}}"
        spaces[BEREA] = (*WIDER, source, "data.window.size=64")
    return [row for name, changes in spaces.items() for row in _rows(name, _trials(folder, changes, n_trials))]


def _rows(space: str, trials: Sequence[Played]) -> list[dict[str, float | str]]:
    final = [trial.scores["r2"] for trial in trials]
    for rung in RUNGS.shares:
        count = sum(share < rung for share in trials[0].curve["progress"]) + 1
        told = [max(trial.curve["r2"][:count]) for trial in trials]
        print(f"{space}: at {rung:.0%} of the training rank correlation with the end {spearmanr(told, final)[0]:.2f}")
    random = np.random.default_rng(0)
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in (PRUNED, AT_RANDOM, "none pruned")}
    for _ in range(ORDERS):
        order = [trials[index] for index in random.integers(len(trials), size=DRAWN)]
        by_rungs = _pruned(order)
        found[PRUNED].append(_outcome(trials, order, by_rungs))
        found[AT_RANDOM].append(_outcome(trials, order, list(random.permutation(by_rungs))))
        found["none pruned"].append(_outcome(trials, order, [0] * len(order)))
    return [
        {"space": space, "search": kind} | {name: float(np.mean([o[name] for o in outcomes])) for name in outcomes[0]}
        for kind, outcomes in found.items()
    ]


def _pruned(order: Sequence[Played]) -> list[int]:
    """After how many points of its curve each trial is pruned; 0 where it is not."""
    curves, counts = [], []
    for trial in order:
        before = count = 0
        for count in range(1, len(trial.at) + 1):
            so_far = trial.until(count)
            if RUNGS.verdict(so_far, before, curves):
                break
            before = RUNGS.passed(so_far)
        else:
            count = 0
        curves.append(trial.until(count or len(trial.at)))
        counts.append(count)
    return counts


def _outcome(trials: Sequence[Played], order: Sequence[Played], counts: Sequence[int]) -> dict[str, float]:
    """What a search in this order has found when the seconds of so many whole trials are spent."""
    spent = np.cumsum([t.at[n - 1] if n else t.seconds for t, n in zip(order, counts, strict=True)])
    is_complete, mean = np.array(counts) == 0, float(np.mean([trial.seconds for trial in trials]))
    row = {"pruned [%]": 100 * float((~is_complete).mean()), "seconds a trial [%]": 100 * spent[-1] / len(order) / mean}
    for name in ("r2", "response_skill"):
        scores = np.array([trial.scores[name] for trial in order])
        best, worst = (pick(trial.scores[name] for trial in trials) for pick in (max, min))
        for budget in BUDGETS:
            done = scores[is_complete & (spent <= budget * mean)]
            # A search without a complete trial has found the worst.
            row[f"{name} missed, {budget} trials' time"] = best - (float(done.max()) if len(done) else worst)
    return row


def _trials(folder: Path, changes: Sequence[str], n_trials: int) -> list[Played]:
    """Run random trials of the study; those of an earlier run are used again."""
    kept = folder / f"{len(changes)}.json"
    trials = [Played(**row) for row in json.loads(kept.read_text())] if kept.exists() else []
    if len(trials) >= n_trials:
        return trials[:n_trials]
    torch.set_num_threads(1)
    study = load_study(STUDY, changes)
    store = LabelStore(folder / "labels")

    def label(microstructures):
        return simulate(microstructures, simulators_of(study), store)

    source = SOURCES.build(study.source, study.folder)
    dataset = prepare(source, study.window, study.split, study.config.seed, label)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    chooser = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    for number in range(-1, n_trials):  # the first one compiles, and is left out
        chosen = study.with_parameters(suggest(study.config.search.space, chooser.ask()))
        if 0 <= number < len(trials):
            continue
        context = ModelContext(ArtifactStore(folder / f"artifacts-{len(changes)}-{number}"), study.folder)
        played = _play(chosen, dataset, label, context)
        if number >= 0:
            trials.append(played)
            kept.write_text(json.dumps([vars(trial) for trial in trials]))
            print(f"trial {number}: {played.seconds:.1f} s, r2 {played.scores['r2']:.3f}", flush=True)
    return trials


def _play(study: Study, dataset: Dataset, label: LabelFunction, context: ModelContext) -> Played:
    """Run a trial; its seconds are the processor's, as others may use it too."""
    curve: dict[str, list[float]] = {"progress": [], "r2": []}
    at: list[float] = []
    start = time.process_time()

    def report(step: int, /, **scalars: float) -> bool:
        if "predictor/validation_r2" in scalars:
            at.append(time.process_time() - start)
            curve["progress"].append(scalars["predictor/progress"])
            curve["r2"].append(scalars["predictor/validation_r2"])
        return False

    outcome = run_trial(study.trial, dataset, physics_of(study, dataset), label, context, report)
    seconds = time.process_time() - start
    return Played(curve, at, seconds, {name: outcome.metrics[name] for name in study.objectives})
