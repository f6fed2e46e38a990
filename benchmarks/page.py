"""The page of results, benchmarks/README.md, written anew from what has been measured."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

NOTES = Path(__file__).with_name("physics_notes.md")
PACKAGES = ("torch", "numpy", "scipy", "scikit-fem", "taufactor", "porespy", "lbmpy", "pyamg", "muSpectre")

Results = dict[str, list[dict]]
"""Rows by the name of their case."""


@dataclass(frozen=True)
class Target:
    """Something to be reached, and where it was measured.

    Attributes:
        work: what is done.
        against: whom, as the rows' peer begins; empty where there is none.
        case: the name of the case.
        rows: how the first column of its rows begins.
        column: the measured figure.
        limit: that it had to reach.
        is_least: whether larger is better.
    """

    work: str
    against: str
    case: str
    rows: str
    column: str
    limit: float
    is_least: bool = True

    def row(self, results: Results) -> dict:
        """What came of it; of several rows, as of several solvers of one peer, the worst counts."""
        found = [
            row[self.column]
            for row in results.get(self.case, [])
            if str(next(iter(row.values()))).startswith(self.rows) and row.get("peer", "").startswith(self.against)
        ]
        said = {
            "work, one CPU thread": f"{self.work}, against {self.against}" if self.against else self.work,
            "target": f"{'at least' if self.is_least else 'at most'} {self.limit:g}",
        }
        if not found:
            return {**said, "measured": "not yet", "of the target": "", "met": "?"}
        value = min(found) if self.is_least else max(found)
        is_met = value >= self.limit if self.is_least else value <= self.limit
        return {
            **said,
            "measured": float(value),
            "of the target": f"{100 * value / self.limit:.0f} %",
            "met": "yes" if is_met else "no",
        }


FASTER = "times as fast"
ADDED = "gradient over solve [%]"
TARGETS = (
    Target("times as fast in diffusivity, Berea 100^3", "taufactor", "diffusion", "", FASTER, 8),
    Target("same, batch of 128^2", "taufactor", "diffusion_batches", "diffusivity in grain", FASTER, 10),
    Target("same, batch of 64^3", "taufactor", "diffusion_batches", "diffusivity, 4", FASTER, 10),
    Target("same, Berea 100^3", "porespy", "diffusion", "", FASTER, 6),
    Target("times as fast in elasticity, Berea 128^2, 3 loads", "scipy", "elasticity", "", FASTER, 5),
    Target("same, Berea 64^3, 6 loads", "scikit-fem", "elasticity_64", "", FASTER, 20),
    Target("times as fast in Stokes flow, spheres 32^3", "lbmpy", "stokes", "permeability, spheres 32", FASTER, 10),
    Target("same, spheres 64^3", "lbmpy", "stokes", "permeability, spheres 64", FASTER, 10),
    Target("memory of the largest solver, in fields of the sample", "", "memory", "", "peak, fields", 40, False),
    Target("time of an iteration over the memory-bandwidth bound", "", "bandwidth", "", "ratio", 2.5, False),
    Target("gradient of Young's modulus, % of a solve", "", "gradients", "youngs_modulus", ADDED, 5, False),
    Target("gradient of diffusivity, % of a solve", "", "gradients", "diffusivity", ADDED, 5, False),
    Target("gradient of permeability, % of a solve", "", "gradients", "permeability", ADDED, 100, False),
)


def write(path: Path, results: Results, headings: dict[str, str]) -> None:
    """Write the page.

    Args:
        path: where.
        results: what has been measured.
        headings: of the cases, in the order of the page; cases under one heading share a table where columns agree.
    """
    versions = ", ".join(f"{p} {version(p)}" for p in PACKAGES)
    parts = [
        "# The physics, measured",
        f"Python {platform.python_version()}, {versions}; {platform.processor() or platform.machine()}, one thread.",
        f"## Targets\n\n{table([target.row(results) for target in TARGETS])}",
    ]
    for heading in dict.fromkeys(headings.values()):
        tables: dict[tuple[str, ...], list[dict]] = {}
        for row in (row for name in headings if headings[name] == heading for row in results.get(name, [])):
            tables.setdefault(tuple(row), []).append(row)
        if tables:
            parts.append(f"## {heading}")
            parts += map(table, tables.values())
    path.write_text("\n\n".join([*parts, NOTES.read_text()]))


def table(rows: Sequence[dict]) -> str:
    """Rows as a Markdown table."""
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_text(row[c]) for c in columns) + " |" for row in rows]
    return "\n".join(lines)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1e}" if 0 < abs(value) < 1e-2 or abs(value) >= 1e5 else f"{value:.4g}"
    return str(value)
