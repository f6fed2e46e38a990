"""Properties against the size of the window."""

from __future__ import annotations

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
import tifffile

from matopt.data.windows.scan import Scan
from matopt.errors import InputError
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.stages.representative_volume import size_curves, write_curves


@pytest.fixture
def checkers() -> Scan:
    """An image of blocks of four voxels: every window of a multiple of eight is the same."""
    cell = np.kron([[1, 0, 1], [1, 1, 1], [0, 1, 1]], np.ones((4, 4))).astype(np.uint8)
    return Scan(np.tile(cell, (8, 8)), 2e-6)


def test_a_periodic_image_has_no_spread_in_windows_of_whole_periods(checkers):
    points = size_curves(checkers, [YoungsModulus(1.0, 0.1, tolerance=1e-5)], [48, 12, 24])
    assert [p.size for p in points] == [12, 24, 48] and [p.length for p in points] == [2.4e-5, 4.8e-5, 9.6e-5]
    assert [p.counts["ok"] for p in points] == [20, 16, 4]
    assert all(p.spread < 1e-6 for p in points)
    assert [p.mean for p in points] == pytest.approx([points[0].mean] * 3, rel=1e-5)


def test_the_spread_of_noise_falls_as_one_over_the_edge():
    scan = Scan((np.random.default_rng(0).random((256, 256)) < 0.7).astype(np.uint8), 1e-6)
    points = size_curves(scan, [Diffusivity(0.2)], [8, 32], windows=64)
    assert points[0].spread / points[1].spread == pytest.approx(4, rel=0.3)
    assert points[0].low < points[0].median < points[0].high


def test_statuses_are_counted_and_what_does_not_converge_is_left_out(checkers):
    curve = size_curves(checkers, [Diffusivity(0.0), YoungsModulus(max_iterations=1)], [12, 24], windows=3)
    assert [p.counts["non_percolating"] for p in curve[:2]] == [3, 3] and [p.mean for p in curve[:2]] == [0, 0]
    assert [p.counts["not_converged"] for p in curve[2:]] == [3, 3] and all(np.isnan(p.mean) for p in curve[2:])


def test_subvolumes_of_a_real_scan_spread_less_the_larger_they_are(berea):
    scan = Scan(berea.astype(np.uint8), 5.345e-6)
    points = size_curves(scan, ["diffusivity"], [12, 36], windows=12, dimensions=3)
    assert points[1].deviation < points[0].deviation


def test_sizes_that_the_image_does_not_hold_are_refused(checkers):
    with pytest.raises(InputError, match="more than the image has"):
        size_curves(checkers, ["diffusivity"], [1000])
    with pytest.raises(InputError, match="at least one size"):
        size_curves(checkers, ["diffusivity"], [])


def test_the_command_writes_the_curves(checkers, tmp_path, capsys):
    from matopt.cli import app

    image, out = tmp_path / "image.tif", tmp_path / "curves.csv"
    tifffile.imwrite(image, checkers.phases * 255)
    arguments = ["label", str(image), "--voxel-size", "2 um", "--rev", "12,24", "--property", "diffusivity"]
    app([*arguments, "--out", str(out), "--store", str(tmp_path / "labels")], standalone_mode=False)
    table = pyarrow.csv.read_csv(out).to_pydict()
    points = size_curves(checkers, ["diffusivity"], [12, 24])
    assert table["size"] == [12, 24] and table["mean"] == pytest.approx([p.mean for p in points])
    assert "diffusivity, 12 voxels" in capsys.readouterr().out
    write_curves(tmp_path / "curves.parquet", points)
    assert pyarrow.parquet.read_table(tmp_path / "curves.parquet").to_pydict()["ok"] == table["ok"]
