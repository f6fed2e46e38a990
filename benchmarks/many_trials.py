"""Searches of thousands of trials: what one takes of the driver, beside Ray and the trials themselves.

Five dimensions and two objectives; each trial is chosen, identified, told as complete and counted, as a launch does.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import optuna

from matopt.registry import Component
from matopt.stages.records import TrialResult
from matopt.study.samplers.base import SAMPLERS, SearchSpec, sampler_seed
from matopt.study.search.ledger import Identity, Ledger
from matopt.study.space import Choice, Int, Log, Uniform, suggest

OBJECTIVES = {"r2": "maximize", "s2_error": "minimize"}
SPACE = {
    "generator.morphology_weight": Log(1e-2, 1e3),
    "generator.latent_dim": Int(1, 64),
    "augmentation.size": Choice((0, 50, 100, 200)),
    "predictor.learning_rate": Uniform(0.0, 1.0),
    "traits.monotonicity.weight": Choice((0.0, 0.1)),
}
AT_ONCE = 2
LAST = 100
"""So many trials are timed at each mark."""
PEERS = 10
"""And so many of Optuna's own sampler."""

MakeSampler = Callable[[int], optuna.samplers.BaseSampler]


def measure(folder: Path, marks: list[int]) -> list[dict[str, float]]:
    """Milliseconds a trial at the ends of searches of so many trials, and with Optuna's own TPE in its place."""
    spec = SearchSpec(SPACE, tuple(OBJECTIVES), marks[-1], 10, AT_ONCE, 0)
    ours = partial(SAMPLERS.build(Component("tpe")).build, spec)

    def optunas(n_started: int) -> optuna.samplers.BaseSampler:
        return optuna.samplers.TPESampler(seed=sampler_seed(spec, n_started))

    ledger = Ledger(folder / "trials.journal", "search", OBJECTIVES)
    rows, searched, begun = [], _search(ledger, ours), time.perf_counter()
    for before, mark in zip([0, *marks], marks, strict=False):
        _take(searched, mark - before - LAST)
        processor = time.process_time()
        ms = _take(searched, LAST)
        processor = (time.process_time() - processor) / LAST * 1e3
        total = time.perf_counter() - begun
        copy = folder / f"{mark}.journal"
        shutil.copy(folder / "trials.journal", copy)
        opening = time.perf_counter()
        peer = Ledger(copy, "search", OBJECTIVES)
        opening = time.perf_counter() - opening
        peer.recover()
        optunas_own = _take(_search(peer, optunas), PEERS)
        row = {
            "trials": mark,
            "a trial [ms]": ms,
            "of the processor [ms]": processor,
            "with Optuna's TPE [ms]": optunas_own,
        }
        rows.append({**row, "opening the ledger [s]": opening, "the whole search [s]": total})
        print(rows[-1], flush=True)
    return rows


def _search(ledger: Ledger, sampler: MakeSampler) -> Iterator[None]:
    """Run trials for ever; their figures take no time."""
    running: list[tuple[int, dict]] = []
    while True:
        ledger.left(10**6, 10**6)
        with ledger.together():
            trial = ledger.ask(sampler)
            point = suggest(SPACE, trial)
            ledger.identify(trial.number, Identity("0" * 40, {"r2": {"version": 1}}))
        running.append((trial.number, point))
        if len(running) == AT_ONCE:
            number, point = running.pop(0)
            ledger.complete(number, TrialResult(_figures(point), "g" * 40, "p" * 40, 1.0, 0.2))
            ledger.records()
        yield


def _figures(point: dict) -> dict[str, float]:
    weight, size = math.log10(point["generator.morphology_weight"]) / 3, point["augmentation.size"] / 200
    rate, latent = point["predictor.learning_rate"], point["generator.latent_dim"] / 64
    return {
        "r2": -((weight - 0.3) ** 2) - (rate - 0.5) ** 2 - 0.1 * size,
        "s2_error": (weight + 0.2) ** 2 + (latent - 0.4) ** 2 + 0.05 * point["traits.monotonicity.weight"],
    }


def _take(searched: Iterator[None], count: int) -> float:
    """Run so many trials; returns milliseconds each."""
    start = time.perf_counter()
    for _ in range(count):
        next(searched)
    return (time.perf_counter() - start) / max(count, 1) * 1e3
