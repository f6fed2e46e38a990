"""Batches of microstructures: what they may hold, and what they are known by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from matopt.data.write import write
from matopt.descriptors.surface import specific_surface
from matopt.errors import InputError
from matopt.generators.mrf import MarkovRandomField
from matopt.microstructures import Microstructures
from matopt.physics.diffusivity import Diffusivity
from matopt.predictors.cnn import CNN
from matopt.stages.simulate import simulate

PHASES = (np.random.default_rng(0).random((5, 8, 6)) < 0.7).astype(np.uint8)


@pytest.mark.parametrize(
    ("phases", "voxel_size", "told"),
    [
        (PHASES.astype(float), 1e-6, "must be uint8"),
        (PHASES[0], 1e-6, r"shape \(N, \*S\)"),
        (PHASES * 2, 1e-6, "must be 0 .pore. or 1 .grain."),
        (PHASES, 0.0, "voxel_size must be a positive length"),
        (PHASES, float("nan"), "voxel_size must be a positive length"),
        (PHASES, 2.5, "2.5 without a unit means metres; write '2.5 um'"),
        (PHASES[:, None], 1e-6, r"volumes of one voxel along an axis: .* write phases\[:, 0\]"),
        (PHASES[..., None], 1e-6, r"write phases\[..., 0\]"),
    ],
)
def test_what_is_no_batch_is_refused(phases: np.ndarray, voxel_size: float, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Microstructures(phases, voxel_size)


def test_a_hash_is_of_shape_and_phases_alone() -> None:
    batch = Microstructures(PHASES, 1e-6)
    assert len(set(batch.hashes)) == 5
    assert Microstructures(PHASES, 2e-6).hashes == batch.hashes
    assert batch[[3, 1]].hashes == (batch.hashes[3], batch.hashes[1])
    assert not set(Microstructures(PHASES.reshape(5, 6, 8), 1e-6).hashes) & set(batch.hashes)
    flipped = PHASES.copy()
    flipped[2, 4, 4] ^= 1
    assert [a == b for a, b in zip(Microstructures(flipped, 1e-6).hashes, batch.hashes, strict=True)].count(False) == 1


def test_density_and_back() -> None:
    batch = Microstructures(PHASES, 1e-6)
    density = batch.density()
    assert density.shape == (5, 1, 8, 6) and density.dtype == torch.float32
    np.testing.assert_allclose(1 - density.mean((1, 2, 3)).numpy(), batch.porosity, atol=1e-6)
    back = Microstructures.from_density(density * 0.5, 1e-6)
    np.testing.assert_array_equal(back.phases, PHASES)


def test_only_batches_of_one_kind_are_joined() -> None:
    batch = Microstructures(PHASES, 1e-6)
    np.testing.assert_array_equal(Microstructures.concatenate([batch[:2], batch[2:]]).phases, PHASES)
    with pytest.raises(ValueError, match="different shapes or voxel sizes"):
        Microstructures.concatenate([batch, Microstructures(PHASES, 2e-6)])


@pytest.mark.parametrize("dtype", [bool, np.int64, np.int8, np.uint16])
def test_zeros_and_ones_of_any_whole_type_are_phases(dtype: type) -> None:
    batch = Microstructures(PHASES.astype(dtype), np.float32(2e-6))
    assert batch.phases.dtype == np.uint8 and batch.hashes == Microstructures(PHASES, "2 um").hashes
    assert Microstructures(PHASES, "2.5 um").voxel_size == pytest.approx(2.5e-6)


def test_one_sample_is_a_batch_of_one() -> None:
    batch = Microstructures(PHASES, 1e-6)
    np.testing.assert_array_equal(batch[1].phases, PHASES[1:2])
    np.testing.assert_array_equal(batch[np.int64(-1)].phases, PHASES[-1:])
    assert [sample.hashes[0] for sample in batch] == list(batch.hashes)
    with pytest.raises(IndexError):
        batch[5]


def test_where_densities_are_wanted_the_error_says_so() -> None:
    with pytest.raises(AttributeError, match=r"what takes densities is given `microstructures\.density\(\)`"):
        specific_surface(Microstructures(PHASES, 1e-6), 1e-6)
    with pytest.raises(InputError, match=r"phases must be a NumPy array .* not a Tensor"):
        Microstructures(torch.zeros(2, 8, 8), 1e-6)


def test_properties_of_arrays_and_of_one_name() -> None:
    expected = simulate(Microstructures(PHASES, "2 um"), ["diffusivity"])
    for given in (
        simulate(Microstructures(PHASES, "2 um"), "diffusivity"),
        simulate(PHASES > 0, Diffusivity(0.01), voxel_size="2 um"),
    ):
        np.testing.assert_array_equal(given.values, expected.values)
    with pytest.raises(InputError, match=r"add `voxel_size='5\.345 um'`"):
        simulate(PHASES, "diffusivity")
    with pytest.raises(InputError, match="a voxel size of their own"):
        simulate(Microstructures(PHASES, "2 um"), "diffusivity", voxel_size="2 um")


def test_a_notebook_shows_what_it_holds_not_all_of_it() -> None:
    m = Microstructures(PHASES, "2.5 um")
    assert repr(m) == f"Microstructures: 5 images of 8 x 6 voxels of 2.5 um, porosity {1 - PHASES.mean():.3f}"
    table = simulate(m, "diffusivity")
    low, high = table.values.min(), table.values.max()
    assert repr(table) == f"PropertyTable of 5 microstructures\n  diffusivity: 5 of 5 ok, {low:.4g} to {high:.4g}"
    assert (np.asarray(m) == PHASES).all()


def test_natural_calls_work_or_say_what_to_write(tmp_path: Path) -> None:
    m = Microstructures(PHASES, "2.5 um")
    table = simulate(m, "diffusivity")
    assert table[-1].values.tolist() == table.values[-1:].tolist() and len(list(table)) == 5
    with pytest.raises(InputError, match=r"column\('diffusivity'\)"):
        table["diffusivity"]
    with pytest.raises(InputError, match="no property 'difusivity'; did you mean 'diffusivity'"):
        table.column("difusivity")
    with pytest.raises(InputError, match="no property was named"):
        simulate(m, [])
    with pytest.raises(InputError, match=r"write\(path, microstructures\)"):
        write(m, tmp_path / "a.tif")


@pytest.mark.parametrize("given", [PHASES, torch.from_numpy(PHASES), torch.ones(5, 8, 6), "rock.tif"], ids=str)
def test_models_say_what_they_are_to_be_given(given: object) -> None:
    m = Microstructures(PHASES, "2.5 um")
    table = simulate(m, "diffusivity")
    model = CNN(steps=1).fit(m, table)
    assert model.predict(m).shape == (5, 1)
    for wrong in (
        lambda: model.predict(given),
        lambda: CNN(steps=1).fit(given, table),
        lambda: CNN(steps=1).fit(m, given),
        lambda: CNN(steps=1).fit(m, table, (given, table)),
        lambda: MarkovRandomField().fit(given),
    ):
        with pytest.raises(InputError, match=r"write (Microstructures|simulate)\("):
            wrong()
    with pytest.raises(InputError, match="5 microstructures and 3 rows of properties"):
        CNN(steps=1).fit(m, table[:3])
