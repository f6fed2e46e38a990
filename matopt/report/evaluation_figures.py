"""The figures of the evaluation: samples, property distributions, the augmentation curve, predictions and traits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from matopt.properties import Property
from matopt.report.style import axis_label, colour, figure, title, write_table
from matopt.stages.evaluation import AUTHENTIC


def draw_samples(folder: Path, evaluation: Mapping[str, Any]) -> Path:
    """Authentic microstructures above raw samples of each generator (seed report, figure 1)."""
    rows = [(AUTHENTIC, evaluation[AUTHENTIC]), *evaluation["generators"].items()]
    columns = min(12, *(len(kind["sheet"]) for _, kind in rows))
    path = folder / "samples.png"
    with figure(path, columns, len(rows), size=(0.85, 0.85)) as axes:
        for row, (name, kind) in enumerate(rows):
            for column in range(columns):
                ax = axes[row * columns + column]
                show(ax, kind["sheet"][column])
                if column == 0:
                    ax.set_ylabel(title(name).replace(" ", "\n"), fontsize=7)
    write_table(
        folder / "samples.csv",
        ["generator", "score", "value"],
        [(n, k, v) for n, kind in evaluation["generators"].items() for k, v in kind["scores"].items()],
    )
    return path


def show(ax: Any, image: Any) -> None:
    """Draw one microstructure, grain light, pore dark; of a volume, its middle slice."""
    image = np.asarray(image, dtype=float)
    if image.ndim == 3:
        image = image[image.shape[0] // 2]
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color="0.6", linewidth=0.5)  # grain is as white as the page
    ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def draw_properties(folder: Path, evaluation: Mapping[str, Any], properties: Sequence[Property]) -> Path:
    """How porosity and properties are distributed, authentic and artificial (seed report, figure 4a)."""
    kinds = [(AUTHENTIC, evaluation[AUTHENTIC]), *evaluation["generators"].items()]
    path = folder / "properties.png"
    table: list[tuple[object, ...]] = []
    with figure(path, 1 + len(properties)) as axes:
        for panel, ax in enumerate(axes):
            data = []
            for name, kind in kinds:
                if panel == 0:
                    values = np.asarray(kind["porosity"])
                else:
                    p = properties[panel - 1]
                    column = np.asarray(kind["values"])[:, panel - 1]
                    values = column[np.asarray(kind["usable"])[:, panel - 1]] * p.display_factor
                data.append(values)
                quantity = "porosity" if panel == 0 else properties[panel - 1].name
                table += [(quantity, name, float(v)) for v in values]
            is_log = panel > 0 and properties[panel - 1].scale == "log"
            _violins(ax, data, [title(n) for n, _ in kinds], is_log)
            ax.set_title("porosity" if panel == 0 else axis_label(properties[panel - 1]))
    write_table(folder / "properties.csv", ["quantity", "generator", "value"], table)
    return path


def _violins(ax: Any, data: Sequence[np.ndarray], names: Sequence[str], is_log: bool) -> None:
    shown = [np.log10(d[d > 0]) if is_log else d for d in data]
    for place, values in enumerate(shown):
        if len(values) < 2 or np.ptp(values) == 0:
            ax.plot(np.full(len(values), place), values, "_", color=colour(place))
            continue
        body = ax.violinplot(values, positions=[place], widths=0.8, showmedians=True, showextrema=False)
        body["bodies"][0].set(facecolor=colour(place), alpha=0.35, edgecolor=colour(place))
        body["cmedians"].set_color(colour(place))
    ax.set_xticks(range(len(names)), names, rotation=25, ha="right")
    if is_log:
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_formatter(lambda v, _: f"$10^{{{v:g}}}$")


def draw_augmentation(folder: Path, evaluation: Mapping[str, Any], properties: Sequence[Property]) -> Path:
    """Test R2 against the number of artificial microstructures, mean and spread over draws (figure 4b)."""
    path = folder / "augmentation.png"
    curve = evaluation["curve"]
    with figure(path, len(properties)) as axes:
        for ax, p in zip(axes, properties, strict=True):
            for index, name in enumerate([AUTHENTIC, *evaluation["generators"]]):
                sizes = sorted({row["size"] for row in curve if row["generator"] == name})
                draws = [[r["r2"][p.name] for r in curve if r["generator"] == name and r["size"] == s] for s in sizes]
                mean = np.array([np.mean(d) for d in draws])
                spread = np.array([np.std(d, ddof=1) if len(d) > 1 else 0.0 for d in draws])
                if name == AUTHENTIC:
                    ax.axhline(mean[0], color=colour(0), lw=1, label="authentic alone")
                    ax.axhspan(mean[0] - spread[0], mean[0] + spread[0], color=colour(0), alpha=0.1, lw=0)
                else:
                    ax.errorbar(
                        sizes, mean, spread, marker="o", ms=3, capsize=2, color=colour(index), label=title(name)
                    )
            ax.set(title=p.words, xlabel="artificial microstructures added", ylabel="test $R^2$")
        axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(axes))
    rows = [(r["generator"], r["size"], r["draw"], p.name, r["r2"][p.name]) for r in curve for p in properties]
    write_table(folder / "augmentation.csv", ["generator", "size", "draw", "property", "r2"], rows)
    return path


def draw_parity(folder: Path, evaluation: Mapping[str, Any], properties: Sequence[Property]) -> Path:
    """What the best trial's predictor says of the test set against what the physics says."""
    path = folder / "parity.png"
    true = np.asarray(evaluation[AUTHENTIC]["values"])
    usable = np.asarray(evaluation[AUTHENTIC]["usable"])
    predicted = np.asarray(evaluation["parity"]["predicted"])
    rows: list[tuple[object, ...]] = []
    with figure(path, len(properties), size=(2.6, 2.6)) as axes:
        for i, (ax, p) in enumerate(zip(axes, properties, strict=True)):
            x, y = true[usable[:, i], i] * p.display_factor, predicted[usable[:, i], i] * p.display_factor
            low, high = min(x.min(), y.min()), max(x.max(), y.max())
            ax.plot([low, high], [low, high], color="0.7", lw=1)
            ax.plot(x, y, ".", color=colour(1), ms=4)
            if p.scale == "log":
                ax.set(xscale="log", yscale="log")
                # Of decades alone hardly one would be in sight, of all their tenths the labels would overlap.
                for axis in (ax.xaxis, ax.yaxis) if high < 20 * low else ():
                    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                    axis.set_major_formatter("{x:g}")
                    axis.set_minor_formatter(NullFormatter())
            ax.set(title=axis_label(p), xlabel="physics", ylabel="predictor")
            rows += [(p.name, float(a), float(b)) for a, b in zip(x, y, strict=True)]
    write_table(folder / "parity.csv", ["property", "physics", "predictor"], rows)
    return path


def draw_traits(folder: Path, evaluation: Mapping[str, Any]) -> Path:
    """Each trait's mean violation, of the predictor and of the physics, and their similarity."""
    path = folder / "traits.png"
    audit = evaluation["audit"]
    with figure(path, 1, size=(8.4, 1.0 + 0.45 * len(audit))) as (ax,):
        places = np.arange(len(audit))[::-1]
        ax.barh(places + 0.17, [r["model_residual"] for r in audit], 0.32, color=colour(1), label="predictor")
        ax.barh(places - 0.17, [r["physics_residual"] for r in audit], 0.32, color=colour(0), label="physics")
        ax.set_yticks(places, [f"{title(r['trait'])}\nsimilarity {r['similarity']:.2f}" for r in audit])
        ax.set(xlabel="mean residual (0: the trait holds)")
        ax.legend()
    header = list(audit[0])
    write_table(folder / "traits.csv", header, [[row[key] for key in header] for row in audit])
    return path
