"""The judge lets rock pass for rock, and tells from it what only looks like it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from matopt.data.windows.scan import Scan
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.properties import Property, PropertyTable
from matopt.stages.judgement.blocks import blocked
from matopt.stages.judgement.copies import count_copies, nearest_training
from matopt.stages.judgement.distances import error_of_mean, error_of_spread, pooled_wasserstein, wasserstein
from matopt.stages.judgement.judge import Drawn, Judge, Judgement
from matopt.stages.judgement.resampling import AuthenticPool
from matopt.stages.judgement.statistics import TEN

VOXEL = 5.345e-6
DRAWN = 180


def property_table(solid: np.ndarray, status: str = "ok") -> PropertyTable:
    values = solid[:, None].astype(float)
    return PropertyTable((Property("solid", "s", "1", "1"),), values, np.full(values.shape, status), 0 * values)


@pytest.fixture(scope="module")
def rock(berea: np.ndarray) -> Microstructures:
    """Windows that neither the judge's training set nor its pool holds."""
    scan = Scan(berea[110:200].astype(np.uint8), VOXEL)
    return scan.windows(64, slice_step=5).split(rock=DRAWN, seed=1)[0]


@pytest.fixture(scope="module")
def judge(berea: np.ndarray) -> Judge:
    low, high = (Scan(part.astype(np.uint8), VOXEL) for part in (berea[:90], berea[220:]))
    pool = blocked(high.windows(64, slice_step=10), (30, 200, 200))
    pool = replace(pool, properties=property_table(1 - pool.microstructures.porosity))
    return Judge(pool, low.windows(64, slice_step=5).split(train=150)[0], DRAWN, pairs=60)


def judged(judge: Judge, phases: np.ndarray) -> Judgement:
    microstructures = Microstructures(phases.astype(np.uint8), VOXEL)
    return judge.judge(Drawn(microstructures.density(), VOXEL, property_table(1 - microstructures.porosity)))


def test_other_rock_is_within_pairs_of_authentic_sets(judge: Judge, rock: Microstructures) -> None:
    found = judged(judge, rock.phases)
    assert found.set_size == DRAWN and found.pairs == 60
    assert found.within_of_ten >= 9
    assert found.style.is_within and abs(found.style.deviations) < 2.5
    assert found.copies.is_within and found.grey_images == 0
    assert found.spread == pytest.approx(1, abs=0.15)
    assert found.distance("solid").value == pytest.approx(found.distance("porosity").value)


@pytest.mark.parametrize("width", [3, 5])
def test_smoothed_rock_is_caught(judge: Judge, rock: Microstructures, width: int) -> None:
    found = judged(judge, ndimage.median_filter(rock.phases, (1, width, width)))
    assert not found.distance("small_pores").is_within and found.distance("small_pores").percentile > 95
    assert found.style.deviations > 3 and not found.style.is_within
    assert found.within_of_ten <= {3: 9, 5: 6}[width]
    assert found.distance("s2").is_within  # which sees no detail


def test_a_levelled_gaussian_field_of_the_same_porosity_is_caught(judge: Judge, rock: Microstructures) -> None:
    noise = np.random.default_rng(0).standard_normal((DRAWN, 96, 96))
    field = ndimage.gaussian_filter(noise, (0, 3, 3))[:, 16:-16, 16:-16]
    found = judged(judge, field > np.quantile(field, rock.porosity.mean()))
    assert found.within_of_ten <= 5 and not found.distance("pores").is_within
    assert found.style.deviations > 5


def test_thinned_grain_is_caught(judge: Judge, rock: Microstructures) -> None:
    cross = ndimage.generate_binary_structure(2, 1)[None]
    found = judged(judge, ndimage.grey_erosion(rock.phases, footprint=cross))
    assert not any(found.distance(name).is_within for name in ("porosity", "s2", "lineal_path", "solid"))


def test_copies_of_the_training_set_are_caught_and_counted(judge: Judge, rock: Microstructures) -> None:
    copies = judge.train.phases[:40].copy()
    copies[:20] = copies[:20].transpose(0, 2, 1)[:, ::-1]
    copies[np.random.default_rng(0).random(copies.shape) < 0.02] ^= 1
    found = judged(judge, np.concatenate([copies, rock.phases[40:]]))
    assert not found.copies.is_within
    assert found.copies.share == pytest.approx(40 / DRAWN + 0.05, abs=0.06)


def test_a_generator_that_repeats_itself_has_no_spread(judge: Judge, rock: Microstructures) -> None:
    repeated = np.repeat(rock.phases[:1], DRAWN, axis=0)
    repeated[np.random.default_rng(0).random(repeated.shape) < 0.001] ^= 1
    found = judged(judge, repeated)
    assert found.spread < 0.5 and found.within_of_ten < 5


def test_grey_samples_are_counted_before_they_are_binarised(judge: Judge, rock: Microstructures) -> None:
    raw = rock.density()
    raw[:50, :, :7] = 0.4 + 0.2 * raw[:50, :, :7]  # 7 of 64 rows
    raw[50:100, :, :6] = 0.4 + 0.2 * raw[50:100, :, :6]
    found = judge.judge(Drawn(raw, VOXEL))
    assert found.grey_images == pytest.approx(50 / DRAWN)
    assert [d.name for d in found.distances if d.name in TEN] == list(TEN)
    assert found.distance("porosity").value == judged(judge, rock.phases).distance("porosity").value


def test_fresh_sets_of_one_process_are_within_as_often_as_the_percentile_says() -> None:
    noise = np.random.default_rng(1).standard_normal((1000, 24, 24))
    field = ndimage.gaussian_filter(noise, (0, 1.5, 1.5))[:, 4:-4, 4:-4] + 0.1 * noise[:, :1, :1]  # porosity varies
    grain = Microstructures((field > np.quantile(field, 0.3)).astype(np.uint8), VOXEL)
    fair = Judge(AuthenticPool(grain[:200], np.arange(200)), grain[200:400], 50, pairs=100)
    found = [fair.judge(Drawn(grain[400 + i : 450 + i].density(), VOXEL)) for i in range(0, 600, 50)]
    within = np.array([[distance.is_within for distance in judgement.distances] for judgement in found])
    percentiles = np.array([[distance.percentile for distance in judgement.distances] for judgement in found])
    assert within.mean() > 0.85
    assert 30 < np.median(percentiles) < 70


def test_volumes_are_judged_by_the_same_code() -> None:
    noise = np.random.default_rng(0).standard_normal((200, 20, 20, 20))
    field = ndimage.gaussian_filter(noise, (0, 1.5, 1.5, 1.5))[:, 2:-2, 2:-2, 2:-2]
    smoother = ndimage.gaussian_filter(noise, (0, 2, 2, 2))[150:, 2:-2, 2:-2, 2:-2]
    grain, smoother = ((f > np.quantile(f, 0.3)).astype(np.uint8) for f in (field, smoother))
    train, pool, other = (Microstructures(part, VOXEL) for part in (grain[:40], grain[40:120], grain[120:160]))
    volumes = Judge(AuthenticPool(pool, np.arange(80)), train, 40, pairs=50)
    assert volumes.judge(Drawn(other.density(), VOXEL)).within_of_ten >= 9
    found = volumes.judge(Drawn(Microstructures(smoother, VOXEL).density(), VOXEL))
    assert found.within_of_ten <= 6 and found.style.deviations > 3
    assert not found.distance("specific_surface").is_within


def test_distances_are_those_of_scipy_and_of_histograms() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(0, 1, 50), random.normal(1, 2, 50)
    assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b))
    first, second = random.integers(0, 9, (2, 50, 3, 6)).astype(float)
    bins = np.arange(6)
    expected = [stats.wasserstein_distance(bins, bins, *(h.sum(0)[k] for h in (first, second))) for k in range(3)]
    assert pooled_wasserstein(first, second) == pytest.approx(np.mean(expected))
    assert pooled_wasserstein(0 * first, second) == np.inf and pooled_wasserstein(0 * first, 0 * second) == 0
    assert error_of_mean(1.1 * first, first) == pytest.approx(0.1)
    assert error_of_spread(first + 5, first) == pytest.approx(0) and error_of_mean(first, 0 * first) == np.inf


def test_the_distance_to_the_training_set_is_zero_for_copies_and_one_for_strangers() -> None:
    random = np.random.default_rng(0)
    train = torch.from_numpy((random.random((3, 1, 40, 40)) < 0.8).astype(np.float32))
    assert nearest_training(train.rot90(1, (2, 3)), train) == pytest.approx(0, abs=1e-5)
    strangers = torch.from_numpy((random.random((20, 1, 40, 40)) < 0.4).astype(np.float32))
    assert nearest_training(strangers, train).mean() == pytest.approx(1, abs=0.1)
    authentic, groups = random.random(400), np.arange(400)
    assert count_copies(random.random(400), authentic, groups, seed=0).is_within
    assert count_copies(random.random(400) * 0.5, authentic, groups, seed=0).low > 0.05


def test_blocks_keep_windows_that_overlap_together(berea: np.ndarray) -> None:
    scan = Scan(berea[220:320].astype(np.uint8), VOXEL)
    pool = blocked(scan.windows(64, stride=34, slice_step=20), (50, 200, 200))
    assert len(np.unique(pool.groups)) == 8
    for first, second in pool.halves(0, 20):
        assert not set(pool.groups[first]) & set(pool.groups[second])
        assert len(first) + len(second) == len(pool.microstructures)
        assert min(len(first), len(second)) >= pool.largest_set
    windows = scan.windows(64, stride=34, slice_step=20)
    assert len(pool.microstructures) < len(windows)  # none lies across a border


def test_too_small_a_pool_is_refused() -> None:
    few = Microstructures(np.ones((20, 8, 8), np.uint8), 1e-6)
    with pytest.raises(InputError, match="7 independent groups"):
        AuthenticPool(few, np.arange(20) % 7)
    with pytest.raises(InputError, match="one group for each of 20"):
        AuthenticPool(few, np.arange(19))
    with pytest.raises(InputError, match="edges need 8"):
        AuthenticPool(Microstructures(few.phases[:, 1:], 1e-6), np.arange(20))
    with pytest.raises(InputError, match="sets of 7 are too small to be judged by"):
        AuthenticPool(few[:14], np.arange(14)).set_size(100)
    with pytest.raises(InputError, match="at least 50 pairs"):
        Judge(AuthenticPool(few, np.arange(20)), few, 10, pairs=49)


def test_what_does_not_go_together_is_refused(judge: Judge, rock: Microstructures) -> None:
    with pytest.raises(InputError, match="sets of 180; got 179 samples"):
        judge.judge(Drawn(rock[:179].density(), VOXEL))
    with pytest.raises(InputError, match="cannot be compared"):
        judge.judge(Drawn(rock.density(), 1e-6))
    with pytest.raises(InputError, match="180 property values are not converged"):
        judge.judge(Drawn(rock.density(), VOXEL, property_table(rock.porosity, "not_converged")))
