"""The figures of the design: morphing (seed report, figure 5) and the way there (figure 6)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from matopt.properties import Property
from matopt.report.evaluation_figures import show
from matopt.report.style import colour, figure, write_table


def draw_morphing(folder: Path, design: Mapping[str, Any], property_: Property) -> Path:
    """A few seeds along their ascent, in each space, with the property that the physics gives them."""
    path = folder / "morphing.png"
    rows: list[tuple[object, ...]] = []
    seeds = 3
    columns = max(np.asarray(d["snapshots"]).shape[1] for d in design.values())
    with figure(path, columns, seeds * len(design), size=(1.1, 1.25)) as axes:
        for block, (space, d) in enumerate(design.items()):
            snapshots, true = np.asarray(d["snapshots"], dtype=float), np.asarray(d["true"])
            # The seeds at the quartiles of the gain, so that neither the best nor the worst is picked.
            order = np.argsort(true[:, -1] - true[:, 0])
            picked = order[np.linspace(0, len(order) - 1, seeds + 2).astype(int)[1:-1]]
            for row, seed in enumerate(picked):
                for column in range(columns):
                    ax = axes[(block * seeds + row) * columns + column]
                    show(ax, snapshots[seed, column])
                    value = true[seed, column] * property_.display_factor
                    rows.append((space, int(seed), int(d["checked"][column]), value))
                    ax.set_title(f"${property_.symbol}$ {value:.3g}", fontsize=7)
                    if row == 0 and block == 0:
                        ax.annotate(
                            f"step {int(d['checked'][column])}",
                            (0.5, 1.32),
                            xycoords="axes fraction",
                            ha="center",
                            fontsize=7,
                        )
                    if column == 0:
                        ax.set_ylabel(space, fontsize=8)
    write_table(
        folder / "morphing.csv", ["space", "seed", "step", f"{property_.name} [{property_.display_unit}]"], rows
    )
    return path


def draw_ascent(folder: Path, design: Mapping[str, Any], property_: Property) -> Path:
    """Property and solid fraction along the ascent of every seed, predicted and true."""
    path = folder / "ascent.png"
    rows: list[tuple[object, ...]] = []
    with figure(path, 3, len(design), size=(2.9, 2.4)) as axes:
        for block, (space, d) in enumerate(design.items()):
            value, fraction, change = axes[block * 3 : block * 3 + 3]
            predicted = np.asarray(d["predicted"]) * property_.display_factor
            true = np.asarray(d["true"]) * property_.display_factor
            solid, true_solid = np.asarray(d["volume_fraction"]), np.asarray(d["true_volume_fraction"])
            checked = np.asarray(d["checked"])
            steps = np.arange(predicted.shape[1])
            for ax, path_, points in ((value, predicted, true), (fraction, solid, true_solid)):
                ax.fill_between(steps, *np.percentile(path_, [10, 90], axis=0), color=colour(1), alpha=0.2, lw=0)
                ax.plot(steps, np.median(path_, axis=0), color=colour(1), label="predicted" if ax is value else "raw")
                spread = np.abs(np.percentile(points, [10, 90], axis=0) - np.median(points, axis=0))
                label = "physics" if ax is value else "binarised"
                ax.errorbar(
                    checked, np.median(points, axis=0), spread, fmt="o", ms=3, capsize=2, color=colour(0), label=label
                )
                ax.set_xlabel("step")
                ax.legend()
            value.set(ylabel=f"{space}\n${property_.symbol}$ [{property_.display_unit}]")
            fraction.set(ylabel="solid fraction")
            gain, drop = true[:, -1] - true[:, 0], (1 - true_solid[:, -1]) - (1 - true_solid[:, 0])
            change.axhline(0, color="0.8", lw=1)
            change.axvline(0, color="0.8", lw=1)
            change.plot(gain, drop, ".", ms=4, color=colour(2))
            change.set(
                xlabel=f"change of ${property_.symbol}$ [{property_.display_unit}], physics",
                ylabel="change of porosity",
            )
            for seed in range(len(predicted)):
                for column, step in enumerate(checked):
                    rows.append(
                        (space, seed, int(step), predicted[seed, step], true[seed, column], true_solid[seed, column])
                    )
    header = ["space", "seed", "step", "predicted", "physics", "solid fraction"]
    write_table(folder / "ascent.csv", header, rows)
    return path
