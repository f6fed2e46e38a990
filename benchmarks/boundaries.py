"""What is beyond a sample's outer faces, and what that does to labels of samples cut from a scan."""

from __future__ import annotations

import time

import numpy as np
import torch
from specimens import VOXEL, density

from matopt.microstructures import Microstructures
from matopt.physics.base import Simulator
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.predictors.cnn import CNN
from matopt.properties import PropertyTable
from matopt.stages.simulate import simulate

SIMULATORS: dict[str, tuple[int, dict[str, Simulator]]] = {
    "permeability across 32^3": (32, {b: Permeability(boundary=b) for b in ("periodic", "sealed", "mirror")}),
    "permeability across 48^3": (48, {b: Permeability(boundary=b) for b in ("periodic", "sealed")}),
    "diffusivity 32^3": (32, {b: Diffusivity(boundary=b) for b in ("periodic", "sealed")}),
    "permeability along 64^2": (64, {b: Permeability(boundary=b) for b in ("periodic", "sealed", "mirror")}),
    "diffusivity 64^2": (64, {b: Diffusivity(boundary=b) for b in ("periodic", "sealed")}),
    "youngs_modulus 64^2": (64, {b: YoungsModulus(boundary=b) for b in ("periodic", "mirror")}),
}


def scatter(rock: np.ndarray, quick: bool) -> list[dict]:
    """Deviation of labels, and of what porosity leaves of them; of logarithms where the property has a log scale."""
    rows = []
    for name, (size, simulators) in SIMULATORS.items():
        count = (40 if size == 32 else 20) if quick else (300 if size != 48 else 120)
        cuts = _cuts(rock, size, 3 if name.endswith("^3") else 2, count, 5)
        rows += _compared(name, cuts, simulators)
    return rows


def _compared(name: str, cuts: np.ndarray, simulators: dict[str, Simulator]) -> list[dict]:
    found, seconds = {}, {}
    for boundary, simulator in simulators.items():
        start = time.process_time()
        found[boundary] = simulate(Microstructures(cuts, VOXEL), [simulator])
        seconds[boundary] = (time.process_time() - start) / len(cuts)
    # The same samples for all: those that every boundary has a value of.
    common = np.logical_and.reduce([table.is_usable[:, 0] for table in found.values()])
    porosity, rows = 1 - cuts[common].reshape(common.sum(), -1).mean(1), []
    for boundary, table in found.items():
        scale = table.properties[0]
        y = scale.on_scale(table.values[common, 0])
        x = scale.on_scale(porosity)
        left = y - np.polyval(np.polyfit(x, y, 1), x)
        unit = 1.0 if scale.scale == "log" else scale.display_factor
        rows.append(
            {
                "labels": f"{name}, {len(cuts)} of Berea",
                "boundary": boundary,
                "with a value": f"{table.is_usable[:, 0].mean():.0%}",
                "deviation": float(unit * y.std()),
                "at equal porosity": float(unit * left.std()),
                "R2 of porosity": float(1 - left.var() / y.var()),
                "CPU s a sample": seconds[boundary],
            }
        )
    return rows


def against_whole(rock: np.ndarray, quick: bool) -> list[dict]:
    """Mean permeability along sections, of windows that tile slices, over that of the slices."""
    slices, rows = rock[20:400:80] if quick else rock[20:400:40], []
    for size in (64, 128):
        count = rock.shape[1] // size
        tiled = slices[:, : count * size, : count * size]
        cuts = tiled.reshape(len(tiled), count, size, count, size).swapaxes(2, 3).reshape(-1, size, size)
        whole = {b: _mean(tiled, s) for b, s in SIMULATORS["permeability along 64^2"][1].items()}
        for boundary, simulator in SIMULATORS["permeability along 64^2"][1].items():
            parts = _mean(cuts, simulator)
            rows.append(
                {
                    "windows": f"{len(cuts)} of {size}^2",
                    "boundary": boundary,
                    "over the same slices whole, same boundary": parts / whole[boundary],
                    "over them periodic": parts / whole["periodic"],
                }
            )
    return rows


def _mean(cuts: np.ndarray, simulator: Simulator) -> float:
    return simulator.solve(density(cuts), VOXEL).values.double().mean().item()


def learnt(dimensions: int, rock: np.ndarray, quick: bool) -> list[dict]:
    """R2 of the default network on held-out windows, without symmetries that one boundary has and another has not."""
    rows, (train_count, test_count, steps, seeds) = [], (60, 60, 60, 1) if quick else (200, 200, 300, 2)
    for name, (size, simulators) in SIMULATORS.items():
        if size == 48 or not name.endswith(f"^{dimensions}"):
            continue
        train = _cuts(rock[:200], size, dimensions, train_count, 7)
        test = _cuts(rock[220:], size, dimensions, test_count, 8)
        tables = {
            boundary: [simulate(Microstructures(cuts, VOXEL), [simulator]) for cuts in (train, test)]
            for boundary, simulator in simulators.items()
        }
        common = [np.logical_and.reduce([pair[i].is_usable[:, 0] for pair in tables.values()]) for i in (0, 1)]
        for boundary, (labels, truth) in tables.items():
            scores = []
            for seed in range(seeds):
                model = CNN(steps=steps, symmetries=False).fit(
                    Microstructures(train[common[0]], VOXEL), labels[common[0]], seed=seed
                )
                scores.append(_r2(model, test[common[1]], truth[common[1]]))
            rows.append(
                {
                    "labels": f"{name}, {common[0].sum()} learnt, {common[1].sum()} tested",
                    "boundary": boundary,
                    "R2, mean": float(np.mean(scores)),
                    "of seeds": ", ".join(f"{score:.3f}" for score in scores),
                }
            )
    return rows


def _r2(model: CNN, cuts: np.ndarray, truth: PropertyTable) -> float:
    """R2 of predictions on the property's scale."""
    scale = truth.properties[0]
    with torch.no_grad():
        told = scale.on_scale(model.predict(density(cuts)).double().numpy()[:, 0])
    y = scale.on_scale(truth.values[:, 0])
    return float(1 - ((told - y) ** 2).mean() / y.var())


def _cuts(rock: np.ndarray, size: int, dimensions: int, count: int, seed: int) -> np.ndarray:
    """``(count, *S)`` blocks, or windows of slices, at random places."""
    random = np.random.default_rng(seed)
    room = np.array(rock.shape) - (size if dimensions == 3 else np.array([1, size, size])) + 1
    corners = random.integers(0, room, (count, 3))
    depth = size if dimensions == 3 else 1
    cuts = [rock[z : z + depth, y : y + size, x : x + size] for z, y, x in corners]
    return np.stack(cuts if dimensions == 3 else [cut[0] for cut in cuts])
