"""Designs for two properties, and for one within limits on another, whose optima are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from matopt.design.ascent import ascend
from matopt.design.objective import Scale
from matopt.errors import InputError
from matopt.properties import Property
from matopt.testing.designs import DIFFUSIVITY, SIZE, STIFFNESS, CosineGenerator, FormulaPredictor

GENERATOR = CosineGenerator()
SETTINGS = {"within": GENERATOR, "region": None}
FRONT = {**SETTINGS, "against": DIFFUSIVITY.name, "seeds": 24, "steps": 40, "start_porosity": 0.6}


def left(density: torch.Tensor) -> torch.Tensor:
    share = density[:, 0, :, : SIZE // 2].mean((1, 2))
    return 1e10 * (share + share**2)


def top(density: torch.Tensor) -> torch.Tensor:
    return density[:, 0, : SIZE // 2].mean((1, 2))


def middle(density: torch.Tensor) -> torch.Tensor:
    return density[:, 0, :, 4:8].mean((1, 2))


class Both(FormulaPredictor):
    """Stiffness is grain on the left; the other property is what is given."""

    def __init__(self, other: Callable[[torch.Tensor], torch.Tensor], property_: Property = DIFFUSIVITY) -> None:
        self.properties = (property_, STIFFNESS)
        self._other = other

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        return torch.stack([self._other(density).double(), left(density).double()], 1)


def test_other_properties_keep_to_their_limits() -> None:
    """More on the left, where no more than so much is allowed in the middle."""
    most = 0.5
    settings = {**SETTINGS, "seeds": 12, "steps": 25}
    held = ascend(Both(middle), STIFFNESS.name, **settings, limits={DIFFUSIVITY.name: (None, most)})
    found = held.snapshots[:, :, :, 4:8].double().mean((2, 3))
    assert (found[:, -1] <= np.maximum(found[:, 0], most)).all()
    free = ascend(Both(middle), STIFFNESS.name, **settings)
    assert (free.snapshots[:, -1, :, 4:8].double().mean((1, 2)) > most).any()
    assert held.predicted[:, -1].mean() > held.predicted[:, 0].mean()


def test_designs_for_two_properties_share_out_between_them() -> None:
    """Grain on the left or at the top: at one porosity, more of the one is less of the other."""
    model = Both(lambda density: 1e-12 * top(density))
    found = ascend(model, STIFFNESS.name, **FRONT)
    assert np.ptp(found.volume_fraction) < 0.1 and abs(found.volume_fraction.mean() - 0.4) < 0.05
    assert found.predicted_against is not None
    gained = [v[:, -1] - v[:, 0] for v in (found.predicted, found.predicted_against)]
    share = np.linspace(0, 1, 24)
    assert np.corrcoef(share, gained[0])[0, 1] < -0.5 and np.corrcoef(share, gained[1])[0, 1] > 0.5
    # Those that weigh both are better at their sum than designs for one alone, in deviations of the starts.
    alone = ascend(model, STIFFNESS.name, **{**FRONT, "against": None})
    assert alone.predicted_against is None
    other = model.predict(alone.microstructures(-1).density())[:, 0].numpy()
    scales = [v[:, 0].std() for v in (found.predicted, found.predicted_against)]
    both = (found.predicted[:, -1] / scales[0] + found.predicted_against[:, -1] / scales[1])[8:16]
    assert both.mean() > (alone.predicted[:, -1] / scales[0] + other / scales[1])[8:16].mean()


def test_a_property_on_a_logarithmic_scale_is_weighed_by_its_logarithm() -> None:
    """Powers of ten make the same designs as their exponents do, and others where they are weighed as they are."""

    def powers(density: torch.Tensor) -> torch.Tensor:
        return 10 ** (20 * top(density).double())

    expected = ascend(Both(top), STIFFNESS.name, **FRONT).snapshots
    same = {}
    for scale in ("log", "linear"):
        found = ascend(Both(powers, replace(DIFFUSIVITY, scale=scale)), STIFFNESS.name, **FRONT).snapshots
        same[scale] = float((found == expected).flatten(1).all(1).float().mean())
    # Where two candidates are equally good, rounding decides.
    assert same["log"] > 0.9 and same["linear"] < 0.5


def test_what_does_not_percolate_is_worst_and_no_deviation() -> None:
    values = torch.tensor([0.0, 1e-3, 1e-1, torch.nan])
    scale = Scale.of(replace(DIFFUSIVITY, scale="log"), values)
    assert scale.deviation == pytest.approx(np.log(10))
    merits = scale.towards("maximize", values[:3])
    assert merits.isfinite().all() and (merits.diff() > 0).all()
    assert scale.towards(1e-2, values[1:3]).tolist() == pytest.approx([-1, -1])
    with pytest.raises(InputError, match="goals must be above 0 where a property on a log scale"):
        scale.towards(0.0, values)
