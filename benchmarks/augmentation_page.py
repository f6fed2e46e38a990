"""The page, the figure and the goals of benchmarks/augmentation.py, of all cases that were measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from page import table
from scipy import stats

NONE, AUTHENTIC, PROCESS, PERTURBATIONS = "none", "authentic", "process_model", "perturbations"
GAUSSIAN = "gaussian_field"
"""Levelled fields of the porosity and the specific surface of the authentic windows: what knows two numbers of them."""

NOT_LEARNT = (NONE, AUTHENTIC, PROCESS, GAUSSIAN, PERTURBATIONS)
"""What is added without a generator that learns."""

FEW = (25, 50)
"""The numbers of authentic windows that the first goal speaks of."""

TITLES = {"youngs_modulus": "Young's modulus", "diffusivity": "diffusivity", "permeability": "permeability"}
DODGE = 0.02
"""By how much the places of sources differ in a figure, in logarithms."""

FIXED_MRF = "mrf_fixed"
"""The Markov random field of the report: one decision tree, every sample of the training set's porosity."""

LOCAL_DIFFUSION = ("local_diffusion", "slices_to_volume")
"""The generators of that kind, of images and of volumes."""

SEEDS = 3


@dataclass(frozen=True)
class Case:
    """A predictor that is fitted and tested.

    Attributes:
        property: what it predicts.
        authentic: how many authentic windows it learns from.
        source: of what is added to them.
        added: how many.
        draw: which windows, samples and initial weights; draws of one number share their authentic windows.
        symmetries: whether it learns by exact symmetries.
    """

    property: str
    authentic: int
    source: str
    added: int
    draw: int
    symmetries: bool

    def __str__(self) -> str:
        kind = "" if self.symmetries else ", without symmetries"
        return f"{self.property}, {self.authentic} + {self.added} {self.source}{kind}, draw {self.draw}"


Results = dict[Case, float]
"""Test R2."""


@dataclass(frozen=True)
class Figure:
    """A mean over draws with half its 95 % interval; NaN where a single draw was made.

    The standard error is the larger of that over draws and that over the means of draws with the same authentic
    windows, which are not independent of each other.
    """

    mean: float
    half: float
    n: int

    @staticmethod
    def of(values: dict[int, float]) -> Figure:
        """Of values by draw."""
        sample = np.array(list(values.values()))
        if len(sample) < 2:
            return Figure(float(sample.mean()), float("nan"), len(sample))
        groups = [np.mean([v for d, v in values.items() if d % SEEDS == s]) for s in {d % SEEDS for d in values}]
        errors = [np.std(x, ddof=1) / np.sqrt(len(x)) for x in (sample, groups) if len(x) > 1]
        return Figure(float(sample.mean()), float(stats.t.ppf(0.975, len(sample) - 1) * max(errors)), len(sample))

    @property
    def least(self) -> float:
        """The lower end of the interval."""
        return self.mean - self.half

    def __str__(self) -> str:
        return f"{self.mean:.3f}" + ("" if np.isnan(self.half) else f" ± {self.half:.3f}")


def draws(
    results: Results, property_: str, authentic: int, source: str, added: int, symmetries: bool = True
) -> dict[int, float]:
    """R2 by draw."""
    wanted = (property_, authentic, source, added, symmetries)
    return {
        c.draw: r2 for c, r2 in results.items() if (c.property, c.authentic, c.source, c.added, c.symmetries) == wanted
    }


def difference(one: dict[int, float], other: dict[int, float]) -> Figure | None:
    """The paired difference of R2 over the draws that both have."""
    both = {draw: one[draw] - other[draw] for draw in one if draw in other}
    return Figure.of(both) if both else None


def goals(results: Results) -> dict[str, list[float | str | bool | None]]:
    """The goals of the augmentation study: what was reached, what was asked for, whether it is met."""
    learnt = [s for s in _sources(results) if s not in (*NOT_LEARNT, FIXED_MRF)]
    properties, largest = _properties(results), max(_added(results), default=0)
    few = [n for n in FEW if n in _counts(results)]
    ceilings, gains = {}, {}
    for source in learnt:
        below, above = [], []
        for p, n in product(properties, few):
            with_it, none, rock = (
                draws(results, p, n, s, largest if s != NONE else 0) for s in (source, NONE, AUTHENTIC)
            )
            below.append(difference(with_it, rock))
            above.append(difference(with_it, none))
        if below and all(below) and all(above):
            ceilings[source] = min(d.mean for d in below if d)
            gains[source] = min(d.least for d in above if d)
    best = max(ceilings, key=lambda s: ceilings[s], default=None)
    against = {}
    for source in learnt:
        pairs = [
            difference(draws(results, p, 100, source, a), draws(results, p, 100, FIXED_MRF, a))
            for p, a in product(properties, (200, 300, 500, 700, 1000))
        ]
        if all(pairs):
            against[source] = min(d.least for d in pairs if d)
    first = max(against, key=lambda s: against[s], default=None)
    return {
        f"R2 with +{largest} less that with +{largest} authentic, {' and '.join(map(str, few))} authentic, "
        f"least over {', '.join(properties)}, best generator": [
            ceilings[best] if best else None,
            ">= 0, and above none with its interval",
            bool(best) and ceilings[best] >= 0 and gains[best] > 0,
        ],
        "R2 less that of the fixed-fraction MRF, lower end of the interval, least over sizes from 200 and "
        f"{', '.join(properties)}": [
            against[first] if first else None,
            "> 0",
            bool(first) and against[first] > 0,
        ],
    }


def write(path: Path, results: Results) -> None:
    """Write the page."""
    parts = ["# What artificial microstructures are worth to a predictor, measured"]
    parts.append(
        "Test R², mean over draws ± half the 95 % interval. Differences are paired: the same authentic windows, the "
        "same initial weights. Made by `python benchmarks/augmentation.py`."
    )
    for p in _properties(results):
        parts.append(f"## {p.replace('_', ' ')}")
        counts = sorted({c.authentic for c in results})
        rows = []
        for source, added, symmetries in _lines(results):
            cells = {
                f"{n} authentic": Figure.of(found) if (found := draws(results, p, n, source, added, symmetries)) else ""
                for n in counts
            }
            gain = {
                f"gain at {n}": difference(
                    draws(results, p, n, source, added, symmetries), draws(results, p, n, NONE, 0, True)
                )
                or ""
                for n in counts
            }
            if any(cells.values()):
                name = f"{added} {source}" if added else "none"
                rows.append({"added": name, "symmetries": "yes" if symmetries else "no", **cells, **gain})
        parts.append(table(rows))
    if unknown := _unknown(results):
        parts.append("## What local diffusion leaves unknown")
        parts.append(
            "1 - R2 by all symmetries, over that beside another source of as many: geometric mean over draws, with its "
            "95 % interval."
        )
        parts.append(table(unknown))
    parts.append("## Goals")
    parts.append(
        table(
            [
                {"goal": name, "measured": "not yet" if v is None else v, "asked": asked, "met": "yes" if met else "no"}
                for name, (v, asked, met) in goals(results).items()
            ]
        )
    )
    path.write_text("\n\n".join(parts) + "\n")


def draw(path: Path, results: Results) -> None:
    """Draw what R2 lacks over the number added and over the number of authentic windows.

    Each draw is a point, and lines join means. Of one number of each there is nothing to draw.
    """
    properties, counts, added = _properties(results), _counts(results), _added(results)
    if len(counts) == len(added) == 1:
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    most, largest = max(counts), max(added)
    sources = [source for source in _sources(results) if source != NONE]
    shown = {source: ({"color": f"C{i}"}, (i - len(sources) / 2) * DODGE) for i, source in enumerate(sources)}
    figure, panels = plt.subplots(
        2, len(properties), figsize=(3.6 * len(properties), 5.6), squeeze=False, layout="constrained"
    )
    for (above, below), p in zip(panels.T, properties, strict=True):
        if none := draws(results, p, most, NONE, 0):
            above.axhline(1 - np.mean(list(none.values())), color="k", lw=1)
        for source, (style, shift) in shown.items():
            _curve(above, {a: draws(results, p, most, source, a) for a in added}, source, style, shift)
            _curve(below, {n: draws(results, p, n, source, largest) for n in counts}, source, style, shift)
        for symmetries, dashes in ((True, "-"), (False, "--")):
            found = {n: draws(results, p, n, NONE, 0, symmetries) for n in counts}
            name = "nothing" if symmetries else "nothing, no symmetries"
            _curve(below, found, name, {"color": "k", "ls": dashes})
        above.set(title=TITLES[p], xlabel=f"added to {most} authentic windows")
        below.set(xlabel=f"authentic windows, {largest} added to them")
        for axes, ticks in ((above, added), (below, counts)):
            axes.set(ylabel="$1 - R^2$ of the test", xscale="log", yscale="log")
            axes.set_xticks(ticks, [str(n) for n in ticks])
            axes.xaxis.minorticks_off()
            low, high = axes.get_ylim()
            if high > 10 * low:
                axes.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("{x:g}")
            axes.tick_params(axis="y", which="both", labelsize=7)
    named = {
        label: handle for axes in panels[1] for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(named.values(), named, loc="outside lower center", ncols=max(2, 2 * len(properties)), fontsize=7)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _unknown(results: Results) -> list[dict]:
    """How much of the variance local diffusion leaves unknown, over what other sources leave, draw by draw."""
    largest = max(_added(results), default=0)
    rows = []
    ours = [source for source in LOCAL_DIFFUSION if source in _sources(results)]
    for p, n, our, other in product(_properties(results), _counts(results), ours, _sources(results)):
        mine, theirs = (draws(results, p, n, source, largest) for source in (our, other))
        paired = {d: math.log((1 - mine[d]) / (1 - theirs[d])) for d in mine if d in theirs}
        if other == our or len(paired) < 2:
            continue
        found = Figure.of(paired)
        low, ratio, high = (math.exp(found.mean + k * found.half) for k in (-1, 0, 1))
        row = {"property": TITLES[p], "authentic": n, "added": f"{largest} {our}", "over": other}
        rows.append({**row, "unknown": f"{ratio:.2f} [{low:.2f}, {high:.2f}]"})
    return rows


def _curve(axes, found: dict[int, dict], label: str, style: dict[str, str], shift: float = 0.0) -> None:
    """Draw R2 by draw over counts, beside their places by a factor, so that sources do not hide each other."""
    lacking = {n * math.exp(shift): [1 - r2 for r2 in by_draw.values()] for n, by_draw in found.items() if by_draw}
    if not lacking:
        return
    axes.plot(list(lacking), [np.mean(values) for values in lacking.values()], lw=1, marker="_", label=label, **style)
    points = [(n, value) for n, values in lacking.items() for value in values]
    axes.plot(*zip(*points, strict=True), ".", ms=3, color=style["color"])


def _lines(results: Results) -> Sequence[tuple[str, int, bool]]:
    """The rows of a table: what is added, how many, with symmetries or without."""
    order = {source: place for place, source in enumerate(_sources(results))}
    found = {(c.source, c.added, c.symmetries) for c in results}
    return sorted(found, key=lambda line: (not line[2], line[1], order[line[0]]))


def _sources(results: Results) -> list[str]:
    found = {c.source for c in results}
    return [s for s in NOT_LEARNT if s in found] + sorted(found - set(NOT_LEARNT))


def _properties(results: Results) -> list[str]:
    return list(dict.fromkeys(c.property for c in results))


def _counts(results: Results) -> list[int]:
    return sorted({c.authentic for c in results})


def _added(results: Results) -> list[int]:
    return sorted({c.added for c in results} - {0})
