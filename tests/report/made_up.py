"""Findings of studies that never ran: records of every shape that a study can leave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import strategies as st

from matopt.properties import Property
from matopt.report.findings import Findings
from matopt.stages.audit import AuditRow
from matopt.stages.evaluation import AUTHENTIC
from matopt.stages.records import (
    Against,
    CurvePoint,
    DesignResult,
    Evaluation,
    GeneratorResult,
    Round,
    SampleSet,
    SpaceResult,
    TrialResult,
)
from matopt.stages.responses.skill import ResponseSkill
from matopt.study.records import TrialRecord

PROPERTIES = (
    Property("youngs_modulus", "E", "Pa", "GPa", 1e-9, title="Young's modulus"),
    Property("diffusivity", "D / D_0", "1", "1", scale="log"),
    Property("permeability", "k", "m^2", "mD", 1.01325e15, scale="log"),
)
TYPICAL = {"youngs_modulus": 3e10, "diffusivity": 0.1, "permeability": 1e-13}
Properties = tuple[Property, ...]
Shape = tuple[int, ...]
METRICS = ("r2", "response_skill", "morphology_distance", "grey_share")


@st.composite
def findings(draw: st.DrawFn) -> Findings:
    """Any findings: with and without each part, minimal or not, of values that are usable, wrong or no numbers."""
    properties = tuple(draw(st.lists(st.sampled_from(PROPERTIES), min_size=1, unique=True)))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    shape = draw(st.sampled_from([(8, 8), (6, 8, 7)]))
    objectives = tuple(draw(st.lists(st.sampled_from(METRICS), min_size=1, max_size=3, unique=True)))
    best, trials = draw(_trials(random))
    return Findings(
        name=draw(st.sampled_from(["tiny", "a_study", "<b>&amp;"])),
        config="name: tiny",
        properties=properties,
        objectives=objectives,
        trials=trials,
        best=best,
        evaluation=draw(st.none() | _evaluation(random, properties, shape)),
        design=draw(st.none() | _design(random, properties, shape)),
    )


@st.composite
def _trials(draw: st.DrawFn, random: np.random.Generator) -> tuple[int, tuple[TrialRecord, ...]]:
    states = draw(st.lists(st.sampled_from(["complete", "pruned", "failed", "running", "waiting"]), max_size=4))
    foretold = draw(st.lists(st.sampled_from(METRICS), max_size=2, unique=True))
    best = draw(st.integers(0, len(states)))
    states.insert(best, "complete")
    params = draw(st.dictionaries(st.sampled_from(["generator.kind", "x"]), st.just(1.5) | st.none()))
    trials = []
    for number, state in enumerate(states):
        metrics = dict(zip(METRICS, random.random(len(METRICS)), strict=True))
        outcome = TrialResult(metrics, "g", "p", 1.0, 0.0) if state == "complete" else None
        told = {"failed": "it <failed>", "pruned": "pruned <after> 50%"}.get(state, "")
        curve = {"progress": [0.5, 1.0], **{name: [0.1, number] for name in foretold}} if foretold else {}
        curve = {"pruned": {name: values[:1] for name, values in curve.items()}, "complete": curve}.get(state, {})
        trials.append(TrialRecord(number, state, params, outcome, told, curve, 1.5 * (state == "pruned")))
    return best, tuple(trials)


@st.composite
def _values(draw: st.DrawFn, random: np.random.Generator, n: int, properties: Properties) -> torch.Tensor:
    """``(n, P)`` SI values: spread, all the same, some zero or negative, or no numbers."""
    values = np.array([TYPICAL[p.name] for p in properties]) * random.lognormal(size=(n, len(properties)))
    kind = draw(st.sampled_from(["spread", "same", "zero", "negative", "some nan", "nan"]))
    if kind == "same":
        values[:] = values[0]
    elif kind == "zero":
        values[::2] = 0
    elif kind == "negative":
        values[::2] *= -1
    elif kind.endswith("nan"):
        values[:: 2 if kind == "some nan" else 1] = np.nan
    return torch.from_numpy(values)


@st.composite
def _samples(draw: st.DrawFn, random: np.random.Generator, properties: Properties, shape: Shape) -> SampleSet:
    n = draw(st.sampled_from([1, 2, 5]))
    usable = draw(st.sampled_from(["all", "none", "some"]))
    mask = torch.full((n, len(properties)), usable == "all")
    if usable == "some":
        mask[0, 0] = True
    sheet = torch.from_numpy(random.random((draw(st.integers(1, 3)), *shape)))
    return SampleSet(sheet.half(), torch.from_numpy(random.random(n)), draw(_values(random, n, properties)), mask)


@st.composite
def _evaluation(draw: st.DrawFn, random: np.random.Generator, properties: Properties, shape: Shape) -> Evaluation:
    authentic = draw(_samples(random, properties, shape))
    names = draw(st.lists(st.sampled_from(["vae", "morphology_vae", "mine.py:Noise"]), max_size=3, unique=True))
    scores = {"morphology_distance": 0.5, "grey_share": draw(st.just(0.1) | st.just(np.nan))}
    generators = tuple(
        GeneratorResult(name, "key", scores, draw(_samples(random, properties, shape))) for name in names
    )
    sizes, draws = draw(st.sampled_from([(5,), (5, 10, 50)])), draw(st.integers(1, 3))
    places = [(AUTHENTIC, 0), *((name, size) for name in names for size in sizes)]
    bad = draw(st.sampled_from([0.5, -1e6, np.nan]))
    curve = tuple(
        CurvePoint(name, size, d, {p.name: float(bad if d == 0 else random.random()) for p in properties})
        for name, size in places
        for d in range(draws)
    )
    residuals = st.sampled_from([0.0, 0.3, np.nan])
    audit = tuple(
        AuditRow(trait, draw(residuals), draw(residuals), 0.0, 0.0)
        for trait in draw(st.lists(st.sampled_from(["monotonicity", "mine"]), unique=True))
    )
    predicted = draw(_values(random, len(authentic.porosity), properties))
    kinds = draw(st.lists(st.sampled_from(["blocks", "constant_porosity"]), min_size=1, unique=True))
    skill = draw(st.sampled_from([0.7, -40.0]))
    skills = tuple(
        ResponseSkill(kind, 1, properties[0].name, skill, skill - 0.1, skill + 0.1, 0.5, 100) for kind in kinds
    )
    return Evaluation(tuple(p.name for p in properties), authentic, generators, curve, predicted, audit, skills)


@st.composite
def _design(draw: st.DrawFn, random: np.random.Generator, properties: Properties, shape: Shape) -> DesignResult:
    p = draw(st.sampled_from(properties))
    against = draw(st.sampled_from([None, *(other for other in properties if other != p)]))
    spaces = []
    for space in draw(st.lists(st.sampled_from(["latent", "pixel", "mine.py:Space"]), min_size=1, unique=True)):
        n, steps = draw(st.integers(1, 5)), draw(st.integers(1, 4))
        checked = tuple(sorted({0, steps, draw(st.integers(0, steps))}))
        true = torch.stack([draw(_values(random, n, (p,)))[:, 0] for _ in checked], 1)
        fraction = torch.from_numpy(random.random((n, len(checked))))
        limit = draw(st.none() | st.just(0.5))
        spaces.append(
            SpaceResult(
                space=space,
                role="design",
                checked=checked,
                predicted=torch.from_numpy(TYPICAL[p.name] * random.random((n, len(checked)))),
                true=true,
                usable=torch.isfinite(true),
                volume_fraction=fraction,
                distance=fraction if limit else torch.full_like(fraction, torch.nan),
                limit=limit,
                snapshots=torch.from_numpy(random.integers(0, 2, (n, len(checked), *shape)).astype(np.uint8)),
                solves=torch.full((n,), steps),
                morphology_distance=tuple(random.random(len(checked)).tolist()),
                against=_against(random, against, true, draw(st.booleans())) if against else None,
            )
        )
    roles = draw(
        st.lists(
            st.sampled_from(["free", "solid_fraction", "nothing", "physics", "best_of_solved"]), max_size=3, unique=True
        )
    )
    baselines = [replace(spaces[0], role=role) for role in roles]
    goal = draw(st.sampled_from(["maximize", "minimize", TYPICAL[p.name]]))
    tolerance = draw(st.none() | st.just(0.01))
    rounds = [
        Round(number, taught_by, 3 * number, spaces[0])
        for number in range(1, 1 + draw(st.integers(0, 2)))
        for taught_by in ("designs", "samples")
    ]
    wanted = {"against": against.name, "against_goal": "minimize"} if against else {}
    return DesignResult(p.name, goal, tolerance, tuple(spaces), tuple(baselines), tuple(rounds), **wanted)


def _against(random: np.random.Generator, p: Property, like: torch.Tensor, is_foretold: bool) -> Against:
    foretold, true = (torch.from_numpy(TYPICAL[p.name] * random.random(tuple(like.shape))) for _ in range(2))
    return Against(foretold if is_foretold else None, true, torch.isfinite(like))
