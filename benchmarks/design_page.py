"""The tables and goals of designs, made of the cases that were run."""

from __future__ import annotations

import numpy as np
from page import table

BOTH = "draw, screen and move by the predictor"
SCREEN = "draw and screen by the predictor"
CLIMB = "moves by the predictor, from the start"
ANNEAL = "draw, screen and anneal by the predictor"
LEARNT = "draw, screen and move by a predictor of three times the training"
LONGER = "draw, screen and move by the predictor, four times the moves"
AVERAGED = "draw, screen and move by a predictor of windows averaged down"
VALUES = "draw, screen and move by a predictor of values alone"
COPIES = "draw, screen and move by a predictor of values, of perturbed copies too"
PIXEL = "voxel by voxel by the predictor"
NOTHING = "draw, screen and move by nothing"
SOLID_HELD = "draw, screen and move by the solid fraction"
PHYSICS = "draw, screen and move by the physics"
PHYSICS_LONGER = "draw, screen and move by the physics, four times the moves"
SOLVED = "the best of as many solved samples"
FREE = "porosity free: by the predictor"
SOLID = "porosity free: by the solid fraction"
PHYSICS_FREE = "porosity free: by the physics"
ORDER = (
    NOTHING,
    SOLID_HELD,
    PIXEL,
    CLIMB,
    SCREEN,
    VALUES,
    COPIES,
    ANNEAL,
    AVERAGED,
    BOTH,
    LEARNT,
    LONGER,
    SOLVED,
    PHYSICS,
    PHYSICS_LONGER,
    SOLID,
    FREE,
    PHYSICS_FREE,
)
BASELINES = (NOTHING, SOLID_HELD, PIXEL, CLIMB, SCREEN, VALUES, COPIES, AVERAGED)
"""What uses no solve either, and is to be beaten."""

RESAMPLINGS = 2000
TOLD = 0.1
"""By how much a classifier may tell ends from rock better than rock from rock."""


def of_case(kept: dict, name: str) -> list[dict]:
    """The rows of a case, one for each predictor."""
    return [row for row in kept["rows"] if row["case"] == name]


def gains(kept: dict, name: str, of: str = "true") -> np.ndarray | None:
    """``(N,)`` gains of the seeds in GPa, the mean over the predictors; None where the case was not run."""
    rows = of_case(kept, name)
    if not rows:
        return None
    n = min(row["seeds"] for row in rows)
    return np.mean([[path[-1] - path[0] for path in row[of][:n]] for row in rows], axis=0)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the mean, by resampling the seeds."""
    random = np.random.default_rng(0)
    means = values[random.integers(0, len(values), (RESAMPLINGS, len(values)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def difference(kept: dict, name: str, other: str) -> tuple[float, float, float] | None:
    """The mean difference of the true gains of the same seeds, and its 95 % interval."""
    mine, theirs = gains(kept, name), gains(kept, other)
    if mine is None or theirs is None:
        return None
    n = min(len(mine), len(theirs))
    paired = mine[:n] - theirs[:n]
    return float(paired.mean()), *interval(paired)


def ratio(kept: dict, name: str, other: str) -> float | None:
    """The mean true gain over that of another case, of the same seeds."""
    mine, theirs = gains(kept, name), gains(kept, other)
    if mine is None or theirs is None:
        return None
    n = min(len(mine), len(theirs))
    gained = theirs[:n].mean()
    return float(mine[:n].mean() / gained) if gained else None


def slope(rows: list[dict], of: str) -> float:
    """The least-squares slope of the change of porosity over that of the modulus, per GPa, along all paths."""
    values, porosity = (np.concatenate([np.array(row[name]) for row in rows]) for name in (of, "porosity"))
    change, lost = values - values[:, :1], porosity - porosity[:, :1]
    return float((change * lost).sum() / (change**2).sum())


def told(kept: dict, name: str) -> float | None:
    """By how much a classifier tells the ends of a case from rock better than rock from rock, the mean over the
    predictors; None where it was not asked."""
    return _mean(kept, name, "told")


def _mean(kept: dict, name: str, of: str) -> float | None:
    found = [row[of] for row in of_case(kept, name) if row.get(of) is not None]
    return float(np.mean(found)) if found else None


def goals(kept: dict) -> dict:
    """Each goal's value, what it shall be, and whether it is met; None where it was not measured."""
    found: dict[str, list] = {}

    def set_(name: str, value: float | None, goal: float, is_least: bool = True) -> None:
        is_met = None if value is None else bool(value >= goal if is_least else value <= goal)
        found[name] = [None if value is None else round(float(value), 3), goal, is_met]

    set_("true gain over that of the physics, constant porosity", ratio(kept, BOTH, PHYSICS), 0.9)
    over = [d for d in (difference(kept, BOTH, other) for other in BASELINES) if d]
    set_("least lower end over a baseline without solves, GPa", min(d[1] for d in over) if over else None, 0.0)
    solved = difference(kept, BOTH, SOLVED)
    set_("lower end over as many solved samples, GPa", solved and solved[1], 0.0)
    set_("true gain over that of the physics, porosity free", ratio(kept, FREE, PHYSICS_FREE), 0.8)
    blind = difference(kept, FREE, SOLID)
    set_("lower end over the solid fraction, porosity free, GPa", blind and blind[1], 0.0)
    promised, true = gains(kept, BOTH, "predicted"), gains(kept, BOTH)
    gap = None if promised is None else abs(promised.mean() / true.mean() - 1)
    set_("gap between promise and truth", gap, 0.1, False)
    rows = of_case(kept, FREE)
    off = abs(slope(rows, "predicted") / slope(rows, "true") - 1) if rows else None
    set_("slope of porosity along E, off the physics'", off, 0.1, False)
    ends = [end for row in of_case(kept, BOTH) for end in row["inside"]]
    set_("share of ends inside the region", float(np.mean(ends)) if ends else None, 0.95)
    set_("classifier on the ends against rock of their porosity, over its null", told(kept, BOTH), TOLD, False)
    return found


def markdown(kept: dict) -> str:
    """The page."""
    against = [row for row in (_against(kept, name) for name in ORDER) if row]
    learnt = [{"predictor of": kind, "R2 of test windows": r2} for kind, r2 in kept.get("r2", {}).items()]
    lines = [
        f"# Designs of Berea, {kept['size']}^2 voxels",
        "Young's modulus is raised; gains in GPa are by the physics, from start to end. Cases of fewer seeds have the "
        "first of them, and differences are of the same seeds. Brackets: 95 % interval of a mean, seeds resampled. A "
        "case of several predictors is their mean. Told "
        "from rock: the accuracy of a classifier of the ends and as many test windows of their porosity, less that of "
        "two sets of such windows; by modulus and porosity: the same of a bound on the modulus beyond the mean of rock "
        "of the porosity.",
        table([_row(kept, name) for name in ORDER if of_case(kept, name)]),
        "## Beside the designs by the predictor, seed by seed",
        table(against) if against else "Nothing yet.",
        "## Goals",
        table([_goal(name, *values) for name, values in goals(kept).items()]),
        "## What a classifier tells from rock of the same porosity",
        table([_told(name, excess) for name, excess in kept.get("told", {}).items() if name != "seeds"]),
        _most(kept),
        "## The predictors",
        table(learnt) if learnt else "Nothing yet.",
        "## What the trust region admits",
        table([{"windows": name, "share inside": share} for name, share in kept.get("admitted", {}).items()]),
    ]
    return "\n\n".join(lines) + "\n"


def _row(kept: dict, name: str) -> dict:
    rows = of_case(kept, name)
    true, promised = gains(kept, name), gains(kept, name, "predicted")
    assert true is not None and promised is not None
    low, high = interval(true)
    porosity = np.concatenate([np.array(row["porosity"]) for row in rows])
    return {
        "designs": name,
        "seeds x predictors": f"{len(true)} x {len(rows)}",
        "promised": float(promised.mean()),
        "true": f"{true.mean():.1f} [{low:.1f}, {high:.1f}]",
        "median": float(np.median(true)),
        "gained": f"{100 * (true > 0).mean():.0f} %",
        "porosity": f"{porosity[:, 0].mean():.3f} to {porosity[:, -1].mean():.3f}",
        "inside": f"{100 * np.mean([end for row in rows for end in row['inside']]):.0f} %",
        "told from rock": "" if (excess := told(kept, name)) is None else excess,
        "by modulus and porosity": "" if (excess := _mean(kept, name, "told by modulus")) is None else excess,
        "judged, each": float(np.mean([row["solves"] for row in rows])),
        "by": "the physics" if name in (PHYSICS, PHYSICS_LONGER, PHYSICS_FREE, SOLVED) else "no solve",
        "CPU s": float(np.mean([row["seconds"] for row in rows])),
    }


def _most(kept: dict) -> str:
    if "largest gain" not in kept:
        return "How much can be gained untold is said once the physics has designed."
    return (
        f"A population that nobody tells from rock of its porosity by more than {TOLD} can gain "
        f"{kept['largest gain']:.1f} GPa in the mean: {2 * TOLD:.0%} of it may be designs as the physics makes them, "
        "in place of the softest windows, and the rest is rock. Of any that gains more, modulus and porosity alone "
        "tell more."
    )


def _told(name: str, excess: float | None) -> dict:
    return {"what": name, "accuracy over its null": "not asked of so few" if excess is None else excess}


def _against(kept: dict, name: str) -> dict | None:
    held = FREE if name in (SOLID, FREE, PHYSICS_FREE) else BOTH
    found = difference(kept, held, name)
    theirs = gains(kept, name)
    if name == held or found is None:
        return None
    return {
        "against": name,
        "difference of true gains, GPa": f"{found[0]:.1f} [{found[1]:.1f}, {found[2]:.1f}]",
        "ratio": "" if theirs is None or interval(theirs)[0] <= 0 else ratio(kept, held, name),
    }


def _goal(name: str, value: float | None, goal: float, is_met: bool | None) -> dict:
    shown = "not measured" if value is None else float(value)
    return {"goal": name, "value": shown, "wanted": float(goal), "met": {True: "yes", False: "no", None: "?"}[is_met]}
