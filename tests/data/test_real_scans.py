"""Two real sandstones."""

import numpy as np
import pytest

from matopt.data.check import check
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import read_grey
from matopt.data.read import read
from matopt.data.scan_statistics import percolation
from matopt.data.windows.scan import Scan
from matopt.errors import InputError
from matopt.stages.simulate import simulate


@pytest.fixture(scope="module")
def scan(shared_data):
    return read(shared_data / "berea.zip", voxel_size="5.345 um")


def test_berea_has_its_published_porosity(scan):
    assert scan.phases.shape == (400, 400, 400)
    assert scan.porosity == pytest.approx(0.1965, abs=5e-4)


def test_its_slices_are_independent_after_less_than_20_voxels(scan):
    """Mosser et al. 2017 train on subvolumes of this scan; slices 20 apart were found to correlate by 0.03."""
    assert [scan.decorrelation_length(axis) for axis in range(3)] == [18, 16, 17]
    pores = scan.phases == 0
    both = np.count_nonzero(pores[20:] & pores[:-20]) / pores[20:].size
    phi = scan.porosity
    assert (both - phi**2) / (phi * (1 - phi)) == pytest.approx(0.03, abs=0.01)


def test_enlarged_windows_keep_their_porosity_and_spread(scan):
    windows = scan.windows(64, zoom=2)
    train, test = windows.split(train=200, test=100)
    assert train.shape == (128, 128) and train.voxel_size == pytest.approx(2.6725e-6)
    corners = windows.choose({"train": 200, "test": 100})
    coarse = scan.windows(64).cut(corners["train"])
    np.testing.assert_allclose(train.porosity, coarse.porosity, atol=1e-12)
    assert train.porosity.mean() == pytest.approx(0.19, abs=0.03)
    assert train.porosity.std() == pytest.approx(0.078, abs=0.015)
    assert corners["train"][:, 0].max() + 18 < corners["test"][:, 0].min()
    assert not set(train.hashes) & set(test.hashes)


def test_subvolumes_of_berea_percolate(scan):
    train, test = scan.windows(64, dimensions=3).split(train=20, test=10)
    assert train.shape == (64, 64, 64) and len(test) == 10
    spanned = [percolation(Scan(phases, scan.voxel_size)) for phases in train.phases]
    assert np.mean([s["pore"] for s in spanned], axis=0).min() >= 0.9
    assert np.mean([s["grain"] for s in spanned], axis=0).min() == 1


def test_too_many_windows_are_told_with_the_number_there_are(scan):
    with pytest.raises(InputError, match=r"it holds train 138, test 69 \("):
        scan.windows(128).split(train=2000, test=1000)


def test_the_sandstone_matrix_is_sixty_slices(shared_data):
    rock = read(shared_data / "sandstone.mat", voxel_size="1 um", variable="xtr", shape=[60, 200, 200])
    porosity = 1 - rock.phases.reshape(60, -1).mean(1)
    assert porosity.min() == pytest.approx(0.0385, abs=1e-3) and porosity.max() == pytest.approx(0.1816, abs=1e-3)
    np.testing.assert_array_equal(rock.phases.reshape(60, -1), read_grey(shared_data / "sandstone.mat", ReadOptions()))
    train, validation, test = rock.windows(128, stride=36, slice_step=2).split(train=100, validation=50, test=50)
    assert [len(part) for part in (train, validation, test)] == [100, 50, 50]


def test_the_check_of_the_sandstone_matrix_says_what_it_is(shared_data):
    assert "`shape: [60, 200, 200]`" in str(check(shared_data / "sandstone.mat", ReadOptions()))
    report = check(shared_data / "sandstone.mat", ReadOptions(shape=[60, 200, 200]), "1 um")
    assert report.porosity == pytest.approx(0.0956, abs=1e-4)
    assert any("slices are further apart than pixels" in hint for hint in report.hints)


@pytest.mark.slow
def test_the_check_of_berea_says_what_it_is(shared_data):
    report = check(shared_data / "berea.zip", ReadOptions(), "5.345 um")
    assert report.levels == (0, 255) and report.window == 64
    assert report.percolation == {"pore": (1, 1, 1), "grain": (1, 1, 1)}
    assert report.spread == pytest.approx(0.078, abs=0.01)  # as measured between windows of 64
    # Cauchy: a phase's mean chord is four times its volume fraction over the specific surface.
    surface, chords = report.interface.specific_surface, report.interface.chord_length
    assert chords["pore"] == pytest.approx(4 * report.porosity / surface, rel=0.05)
    assert chords["grain"] == pytest.approx(4 * (1 - report.porosity) / surface, rel=0.05)


def test_a_real_scan_cut_short_is_refused(shared_data, tmp_path):
    for name, setting in (("berea.zip", {}), ("sandstone.mat", {"shape": (60, 200, 200)})):
        data = (shared_data / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(InputError, match=name):
            read_grey(tmp_path / name, ReadOptions(**setting))


@pytest.mark.slow
def test_resampled_slices_conduct_and_let_through_as_those_that_were_left_out(scan):
    """Of Berea every fourth slice is kept: what is made of them is far nearer to the rock than these as they are."""
    for a, b, c in ((0, 0, 0), (200, 200, 200), (100, 220, 20)):
        block = scan.phases[a : a + 96, b : b + 96, c : c + 96]
        kept = block[::4]
        resampled = read(kept, "21.38 x 5.345 x 5.345 um", resample=True).phases
        true, ignored, made = (
            simulate(phases[None], ["diffusivity", "permeability"], voxel_size="5.345 um").values[0]
            for phases in (block, kept, resampled)
        )
        assert (ignored / true < (0.3, 0.15)).all()
        np.testing.assert_allclose(made / true, 1, atol=0.4)
        assert abs(made[0] / true[0] - 1) < 0.25
