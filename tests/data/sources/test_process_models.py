"""What holds of every process model of a material."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matopt.data.sources.base import SOURCES, ProcessModel, Specimen
from matopt.data.windows.window import Window
from matopt.errors import FailureError, InputError
from matopt.registry import Component
from matopt.study.config.components import check_component

MATERIALS = ["alloy", "fibres", "foam", "spheres", "spinodal"]
VOXELS = 16
"""Voxels to a model's unit of length, where a test looks at specimens."""


def build(kind: str, **settings: Any) -> ProcessModel:
    source = SOURCES.build(Component(kind, settings))
    assert isinstance(source, ProcessModel)
    return source


def specimen(kind: str, edge: float = 5.0, seed: int = 0, **settings: Any) -> Specimen:
    return build(kind, **settings).specimen(np.random.default_rng(seed), edge)


@pytest.mark.parametrize("kind", MATERIALS)
@pytest.mark.parametrize("porosity", [0.2, 0.45])
def test_the_porosity_is_the_one_asked_for(kind: str, porosity: float) -> None:
    settings: dict[str, Any] = {"porosity": porosity}
    drawn = build(kind, **settings).split(Window(64), {"train": 80}, seed=1)["train"].porosity
    # Windows of a specimen are not quite independent, hence 5 deviations of the mean where 3 would do.
    assert abs(drawn.mean() - porosity) < 5 * drawn.std() / np.sqrt(len(drawn))
    assert drawn.std() / np.sqrt(len(drawn)) < 0.02  # or nothing is said


@pytest.mark.parametrize("kind", MATERIALS)
def test_windows_differ_in_density_as_windows_of_a_material_do(kind: str) -> None:
    small, large = (build(kind).split(Window(size), {"train": n}, 0)["train"] for size, n in ((32, 50), (96, 20)))
    assert small.porosity.std() > 1.3 * large.porosity.std() > 0.01
    assert len(set(small.hashes)) == len(small)


@pytest.mark.parametrize("kind", MATERIALS)
def test_asking_for_more_only_adds(kind: str) -> None:
    window = Window(64, slice_step=400, stride=100)  # few windows to a specimen: the last come from a second one
    few = build(kind).split(window, {"train": 3, "test": 2}, 4)
    more = build(kind).split(window, {"test": 2, "train": 10}, 4)
    assert more["train"].hashes[:3] == few["train"].hashes
    assert more["test"].hashes == few["test"].hashes
    assert len(set(more["train"].hashes + more["test"].hashes)) == 12


@pytest.mark.parametrize("kind", MATERIALS)
def test_a_slice_is_the_same_alone_and_in_its_volume(kind: str) -> None:
    drawn, voxel = specimen(kind), 1 / VOXELS
    corner = np.array([0.7, 4.0, -1.0])
    volume = drawn.phases(corner, (5, 40, 36), voxel)
    alone = drawn.phases(corner + voxel * np.array([2, 5, 0]), (1, 30, 36), voxel)
    # But for places on the very interface, which rounding decides.
    assert np.count_nonzero(volume[2:3, 5:35] != alone) <= 3


@pytest.mark.parametrize("kind", ["alloy", "fibres", "foam", "spheres"])
def test_a_specimen_repeats_without_a_seam(kind: str) -> None:
    drawn = specimen(kind)
    first, second = (drawn.phases(np.array([shift, shift - 1, 0.3]), (2, 48, 48), 1 / VOXELS) for shift in (0.0, 5.0))
    assert np.count_nonzero(first != second) <= 5


@pytest.mark.parametrize("kind", MATERIALS)
def test_a_material_is_the_same_at_any_resolution(kind: str) -> None:
    drawn = specimen(kind)
    coarse = drawn.phases(np.array([0, 0.05, 0.05]), (1, 50, 50), 0.1)[0]
    fine = drawn.phases(np.array([0, 0.025, 0.025]), (1, 100, 100), 0.05)[0].reshape(50, 2, 50, 2).mean((1, 3))
    assert abs(fine.mean() - coarse.mean()) < 0.02
    assert (np.abs(fine - coarse) > 0.6).mean() < 0.03


@pytest.mark.parametrize("kind", MATERIALS)
def test_slices_a_step_apart_are_uncorrelated_and_near_ones_are_not(kind: str) -> None:
    source = build(kind)
    drawn = source.specimen(np.random.default_rng(0), source.EDGE)
    side = round(source.EDGE * 6)

    def correlation(step: float) -> float:
        heights = np.arange(0, source.EDGE - step, source.EDGE / 4)
        pairs = np.array(
            [[drawn.phases(np.array([z + s, 0, 0]), (1, side, side), 1 / 6)[0] for s in (0, step)] for z in heights],
            np.float64,
        )
        pairs -= pairs.mean()
        return float((pairs[:, 0] * pairs[:, 1]).mean() / pairs.var())

    assert abs(correlation(source.SLICE_STEP)) < 0.1
    assert correlation(source.SLICE_STEP / 20) > 0.5


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        ("spinodal", {"porosity": 1.0}, "porosity must lie between 0.01 and 0.99, not 1.0"),
        ("spinodal", {"wavelength": "60 nm"}, "wavelength 60 nm is less than 2 voxels"),
        ("spinodal", {"spread": True}, "spread must lie between"),
        ("spheres", {"porosity": 0.6}, "porosity must lie between 0.01 and 0.5"),
        ("spheres", {"porosity": 0.3, "sphere": "grain"}, "porosity must lie between 0.5 and 0.99"),
        ("spheres", {"sphere": "cheese"}, "sphere must be pore or grain"),
        ("alloy", {"porosity": 0.01}, "porosity 0.01 cannot be reached with a speck_share of 0.02"),
        ("alloy", {"block_size": "9 parsec"}, "block_size '9 parsec' is not a number with a unit"),
        ("fibres", {"length": "1 um"}, "length must be 1 to 50 times the diameter"),
        ("fibres", {"orientation": [0.5, 0.5, 0.5]}, "orientation must be three numbers whose sum is 1"),
        ("fibres", {"orientation": [0.5, 0.5]}, "orientation must be three numbers whose sum is 1"),
        ("foam", {"burst": 0.8}, "burst must lie between 0 and 0.5"),
        ("foam", {"cell_diameter": 5}, "cell_diameter 5 without a unit means metres"),
    ],
)
def test_settings_that_cannot_be_are_refused(kind: str, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        build(kind, **settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", MATERIALS)
def test_a_study_fills_in_all_settings_of_a_material_and_takes_them_back(kind: str, tmp_path: Path) -> None:
    settings = {"porosity": 0.45} | ({"orientation": [0, 1, 0]} if kind == "fibres" else {})
    component, problems = check_component(SOURCES, ProcessModel, {"kind": kind, **settings}, tmp_path)
    assert component is not None and problems == []
    again, problems = check_component(SOURCES, ProcessModel, json.loads(json.dumps(component.as_dict())), tmp_path)
    assert again is not None and problems == []
    written, filled, taken = (SOURCES.build(c).fingerprint() for c in (Component(kind, settings), component, again))
    assert written == filled == taken


def test_lengths_with_units_and_in_metres_are_one_setting() -> None:
    assert build("foam", cell_diameter="0.2 mm").fingerprint() == build("foam", cell_diameter=2e-4).fingerprint()
    assert build("fibres", orientation=(0, 1, 0)).fingerprint()["orientation"] == [0, 1, 0]


@pytest.mark.parametrize("kind", MATERIALS)
def test_windows_beyond_any_memory_are_refused_before_they_are_cut(kind):
    source = build(kind)
    with pytest.raises(InputError, match="size x zoom must be at most 65536 voxels"):
        source.split(Window(1 << 20), {"train": 1}, seed=0)
    with pytest.raises(FailureError, match=r"window: 100000 of 65536\^3 voxels take .* GiB, and this machine has"):
        source.split(Window(1 << 16, dimensions=3), {"train": 100_000}, seed=0)
