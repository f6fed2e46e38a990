"""The fields behind properties, as the physics has them and as a network foretells them of windows it has not seen.

Usage: python benchmarks/fields.py berea.zip [--quick] [--figure FILE] [--keep FOLDER]

A full-field predictor learns from 100 windows of 64^2 voxels of Berea sandstone, and is asked for the fields of 648
windows of another part of the scan. R2 is over all their voxels, of the roots of the fields, as it learns them; beside
it that of a field that knows the value of each window and spreads it evenly over the phase that carries, and of one
that knows of each voxel how it looks within two voxels on all sides (the mean field of the training voxels that look as
like). --quick trains for a tenth of the steps. The last line of the output is JSON; there are no goals.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import page
import torch
from predictors import HERE, SIMULATORS, Rock
from sklearn.ensemble import HistGradientBoostingRegressor
from specimens import berea
from torch.nn import functional

from matopt.data.labels.store import LabelStore
from matopt.predictors.full_field import FullField
from matopt.properties import Property
from matopt.stages.data import LabelledSet

COUNT = 100
SHOWN = 5
"""Windows of the figure: the first ones of the test."""

NEAR = 2
"""Voxels on all sides of one, that the local baseline sees."""

TITLES = {"youngs_modulus": "strain energy", "diffusivity": "dissipation", "permeability": "velocity"}


def solved(p: Property, part: LabelledSet) -> torch.Tensor:
    """``(N, 1, *S)`` fields by the physics."""
    assert p.contributions is not None
    parts = part.microstructures.density().split(64)
    found = [p.contributions(density, part.microstructures.voxel_size) for density in parts]
    return torch.cat([field for field in found if field is not None])


def usable(part: LabelledSet) -> LabelledSet:
    """The windows that have a value: in others the field is zero."""
    return part[np.flatnonzero(part.labels.is_usable[:, 0])]


def neighbourhoods(density: torch.Tensor, is_periodic: bool) -> np.ndarray:
    """``(voxels, neighbours)`` densities around each voxel, and that of its whole window."""
    around = functional.pad(density, [NEAR] * 4, mode="circular" if is_periodic else "replicate")
    near = functional.unfold(around, 2 * NEAR + 1).movedim(1, 2)
    whole = density.mean((1, 2, 3)).view(-1, 1, 1).expand(-1, near.shape[1], 1)
    return torch.cat([near, whole], 2).flatten(0, 1).numpy()


def unit(p: Property, field: torch.Tensor) -> torch.Tensor:
    """What fields are compared over, as they are learnt: the mean of each window's, or of all where values are."""
    return field.mean((1, 2, 3), keepdim=True) if p.scale == "log" else field.mean()


def r2(p: Property, foretold: torch.Tensor, true: torch.Tensor) -> float:
    """Of roots of fields."""
    foretold, true = ((field / unit(p, true)).sqrt() for field in (foretold, true))
    return float(1 - (foretold - true).square().sum() / (true - true.mean()).square().sum())


def measure(rock: Rock, name: str, steps: int) -> tuple[dict, torch.Tensor, torch.Tensor]:
    """R2 of a property's fields, and the fields of the first windows: solved and foretold."""
    train, validation, test = (
        usable(part) for part in (rock.train(name, COUNT, 0), rock.validation(name), rock.test(name))
    )
    chosen_by = (validation.microstructures, validation.labels)
    model = FullField(steps=steps).fit(train.microstructures, train.labels, chosen_by)
    p = train.labels.properties[0]
    with torch.no_grad():
        told = torch.cat([model.field(part, name) for part in test.microstructures.density().split(64)])
    true, density = solved(p, test), test.microstructures.density()
    value = true.mean((1, 2, 3), keepdim=True)
    carries = density if p.increases_with_solid else 1 - density
    even = carries * value / carries.mean((1, 2, 3), keepdim=True)
    is_periodic = p.symmetry(2).shifts
    taught = solved(p, train)
    local = HistGradientBoostingRegressor(max_iter=300, random_state=0).fit(
        neighbourhoods(train.microstructures.density(), is_periodic),
        (taught / unit(p, taught)).sqrt().flatten().numpy(),
    )
    near = torch.from_numpy(local.predict(neighbourhoods(density, is_periodic))).view_as(true).clamp_min(
        0
    ).square() * unit(p, true)
    found = {
        "field": f"{TITLES[name]} ({name})",
        "full_field": r2(p, told, true),
        "value, evenly over what carries": r2(p, even, true),
        "value, and how it looks nearby": r2(p, near, true),
    }
    return found, true[:SHOWN], told[:SHOWN]


def draw(path: Path, windows: torch.Tensor, fields: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
    """A column a window; below it pairs of fields, on one scale each: the root, up to its 99.5th percentile."""
    matplotlib.use("Agg")
    rows = [("microstructure", windows, None)]
    for name, (true, told) in fields.items():
        top = true.sqrt().flatten(1).quantile(0.995, dim=1)
        rows += [(f"{TITLES[name]}\nsolved", true.sqrt(), top), (f"{TITLES[name]}\nforetold", told.sqrt(), top)]
    figure, axes = plt.subplots(len(rows), SHOWN, figsize=(1.5 * SHOWN, 1.5 * len(rows)), layout="constrained")
    for line, (label, images, top) in zip(axes, rows, strict=True):
        for column, ax in enumerate(line):
            scale = {"cmap": "gray", "vmax": 1.0} if top is None else {"cmap": "magma", "vmax": float(top[column])}
            ax.imshow(images[column, 0], vmin=0, interpolation="nearest", **scale)
            ax.set(xticks=[], yticks=[])
        line[0].set_ylabel(label, fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="a tenth of the training")
    parser.add_argument("--figure", type=Path, help="where a figure goes")
    parser.add_argument("--keep", type=Path, default=HERE / "kept", help="where labels are kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rock = Rock(berea(arguments.scan), LabelStore(arguments.keep / "labels"))
    rows, fields = [], {}
    for name in SIMULATORS:
        row, true, told = measure(rock, name, 60 if arguments.quick else 600)
        rows.append(row)
        fields[name] = true, told
    if arguments.figure:
        windows = usable(rock.test("youngs_modulus")).microstructures.density()[:SHOWN]
        draw(arguments.figure, windows, fields)
    print(page.table([{c: round(v, 3) if isinstance(v, float) else v for c, v in row.items()} for row in rows]))
    print(json.dumps({"goals": {}, "rows": rows}))


if __name__ == "__main__":
    main()
