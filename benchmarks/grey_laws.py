"""What grey designs become: stiffness sought on grey pixels at constant porosity, made binary, and solved again."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from matopt.physics.elastic.grey import LAWS
from matopt.physics.youngs_modulus import YoungsModulus

ROUNDS = 60
STEP = 0.05


def rows(windows: np.ndarray) -> list[dict]:
    """Climb from windows ``(N, *S)`` by each law's own gradient, and in binary steps by estimates of flips."""
    start = torch.from_numpy(windows[:, None].astype(np.float32))
    simulator = YoungsModulus()
    before = simulator.solve(start, 1.0).values
    found = []
    for law in LAWS:
        grey = _climb_grey(start, YoungsModulus(grey=law))
        promised = YoungsModulus(grey=law).solve(grey, 1.0).values
        found.append(_row(f"grey, {law}", start, before, _binary(grey, start), promised, _greyness(grey)))
    found.append(_row("binary, by flips", start, before, _climb_binary(start), None, 0.0))
    return found


def _row(
    name: str, start: torch.Tensor, before: torch.Tensor, end: torch.Tensor, promised: torch.Tensor | None, grey: float
) -> dict:
    gain = (YoungsModulus().solve(end, 1.0).values - before) / 1e9
    low, middle, high = gain.quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
    return {
        "climbed on": name,
        "solves": ROUNDS,
        "promised gain, GPa": "" if promised is None else float(((promised - before) / 1e9).median()),
        "true gain once binary, GPa": middle,
        "quartiles": f"{low:.1f} to {high:.1f}",
        "grey voxels at the end, %": 100 * grey,
        "change of porosity, largest": float((end.mean((1, 2, 3)) - start.mean((1, 2, 3))).abs().max()),
    }


def _climb_grey(start: torch.Tensor, simulator: YoungsModulus) -> torch.Tensor:
    """Projected steps of one length along the gradient, from the windows blurred, at their solid fractions."""
    blurred = np.stack([ndimage.gaussian_filter(w[0], 1.0, mode="wrap") for w in start.numpy()])
    density = _at_fraction(torch.from_numpy(blurred[:, None]).clamp(0.02, 1), start.mean((1, 2, 3)))
    for _ in range(ROUNDS):
        density.requires_grad_()
        (slope,) = torch.autograd.grad(simulator.solve(density, 1.0).values.sum(), density)
        slope = slope - slope.mean((2, 3), keepdim=True)
        slope = (slope / slope.square().mean((2, 3), keepdim=True).sqrt()).clamp(-3, 3)
        density = _at_fraction(density.detach() + STEP * slope, start.mean((1, 2, 3)))
    return density


def _at_fraction(density: torch.Tensor, fraction: torch.Tensor) -> torch.Tensor:
    """Shift densities, clipped to [0.001, 1], to their solid fractions."""
    low, high = -torch.ones_like(fraction), torch.ones_like(fraction)
    for _ in range(30):
        middle = (low + high) / 2
        is_less = (density + middle.view(-1, 1, 1, 1)).clamp(1e-3, 1).mean((1, 2, 3)) < fraction
        low, high = torch.where(is_less, middle, low), torch.where(is_less, high, middle)
    return (density + high.view(-1, 1, 1, 1)).clamp(1e-3, 1)


def _binary(grey: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """As many of the densest voxels full as the window had grain."""
    order = grey.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return (order < start.flatten(1).sum(1, keepdim=True)).to(start).view_as(start)


def _greyness(grey: torch.Tensor) -> float:
    return float(((grey > 0.05) & (grey < 0.95)).double().mean())


def _climb_binary(start: torch.Tensor) -> torch.Tensor:
    """Fill the pores that gain most and cut as much grain that loses least, fewer by half whenever it did not help."""
    simulator, best = YoungsModulus(), start.clone()
    told = simulator.sensitivity(best, 1.0)
    value, flip = told.solution.values, told.flip
    count = torch.full((len(best),), 32)
    for _ in range(ROUNDS - 1):
        moved = best.clone()
        for image, old, estimate, n in zip(moved, best, flip, count.tolist(), strict=True):
            for phase in (0, 1):
                candidates = torch.where(old == phase, estimate, -torch.inf).flatten()
                image.view(-1)[candidates.topk(n).indices] = 1 - phase
        told = simulator.sensitivity(moved, 1.0)
        gains = told.solution.values > value
        keep = gains.view(-1, 1, 1, 1)
        best, flip = torch.where(keep, moved, best), torch.where(keep, told.flip, flip)
        value = torch.where(gains, told.solution.values, value)
        count = torch.where(gains, count, (count // 2).clamp_min(1))
    return best
