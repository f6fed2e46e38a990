from collections.abc import Callable

import numpy as np
import pytest
import torch

from matopt.errors import InputError, InputWarning
from matopt.generators.base import Generator
from matopt.generators.diffusion.denoiser import LocalDenoiser, own_logit
from matopt.generators.diffusion.planes import planes_logit
from matopt.generators.slices_to_volume import SlicesToVolume
from matopt.microstructures import Microstructures
from matopt.testing.generators import GeneratorConformance
from matopt.testing.images import random_microstructures

SMALL = {"steps": 20, "channels": 8, "sampling_steps": 6}


class TestSlicesToVolume(GeneratorConformance):
    @pytest.fixture(scope="class")
    def make(self) -> Callable[[], Generator]:
        return lambda: SlicesToVolume(isotropic=False, **SMALL)

    @pytest.fixture(scope="class")
    def train(self) -> Microstructures:
        return random_microstructures(4, (8, 8, 8), seed=0)


def test_each_plane_is_asked_of_its_own_slices() -> None:
    denoisers = [LocalDenoiser.seeded(2, 8, seed) for seed in range(3)]
    for denoiser in denoisers:
        torch.nn.init.normal_(denoiser.network.last.weight, generator=torch.Generator().manual_seed(1))
    y = torch.randn(2, 1, 8, 12, 16, generator=torch.Generator().manual_seed(0))
    sigma, prior = torch.tensor(0.8), 1.2
    with torch.no_grad():
        found = planes_logit(denoisers, prior, lambda sigma: 1.1 + 0 * sigma)(y, sigma)
        for voxel in [(0, 2, 5, 9), (1, 7, 0, 15)]:
            n, i, j, k = voxel
            slices = [(y[n, 0, i], (j, k)), (y[n, 0, :, j], (i, k)), (y[n, 0, :, :, k], (i, j))]
            said = [
                denoiser.network_logit(image[None, None], sigma)[0, 0][place]
                for denoiser, (image, place) in zip(denoisers, slices, strict=True)
            ]
            expected = own_logit(y, sigma)[n, 0, i, j, k] + prior + 1.1 * sum(s - prior for s in said)
            torch.testing.assert_close(found[n, 0, i, j, k], expected, rtol=1e-4, atol=1e-4)


def test_slices_give_volumes_whose_porosity_varies_less_than_theirs() -> None:
    """As the slices' two-point correlation says, and about the slices' mean."""
    slices = random_microstructures(60, (32, 32), seed=1)
    generator = SlicesToVolume(edge=16, **SMALL).fit(slices, seed=0)
    drawn = generator.draw(12, seed=2)
    assert drawn.shape == (16, 16, 16) and drawn.voxel_size == slices.voxel_size
    porosity, of_slices = (1 - m.phases.reshape(len(m), -1).mean(1) for m in (drawn, slices))
    assert abs(porosity.mean() - of_slices.mean()) < 4 * of_slices.std() / len(drawn) ** 0.5
    assert np.ptp(porosity) > 0
    assert generator.sample(1, 0, shape=(12, 16, 20), periodic=True).shape == (1, 1, 12, 16, 20)


def test_larger_volumes_vary_less_and_a_generator_stored_without_their_law_is_refused() -> None:
    generator = SlicesToVolume(edge=16, **{**SMALL, "steps": 1}).fit(
        random_microstructures(60, (32, 32), seed=1), seed=0
    )
    small, large = (1 - generator.sample(8, 0, shape=(edge,) * 3).flatten(1).mean(1) for edge in (12, 32))
    assert large.std() < 0.6 * small.std()
    state = {name: value for name, value in generator.state_dict().items() if name != "porosities"}
    with pytest.raises(InputError, match="fit it again"):
        SlicesToVolume(**SMALL).load_state_dict(state)


def test_slices_of_an_anisotropic_material_are_refused() -> None:
    with pytest.raises(InputError, match="give volumes"):
        SlicesToVolume(isotropic=False).fit(random_microstructures(4, (16, 16), seed=0))


def test_beds_in_slices_are_refused_and_in_volumes_learnt_as_they_lie() -> None:
    first = np.random.default_rng(0).integers(0, 6, 20)
    volumes = np.broadcast_to((np.arange(12) + first[:, None]) % 6 > 1, (12, 12, 20, 12)).transpose(2, 3, 0, 1)
    bedded = Microstructures(volumes.astype(np.uint8), 1e-6)
    with pytest.warns(InputWarning, match="axes"), pytest.raises(InputError, match="axes of these slices differ"):
        SlicesToVolume(**SMALL).fit(Microstructures(bedded.phases[:, :, :, 0], 1e-6))
    with pytest.warns(InputWarning, match="axes"):
        found = SlicesToVolume(**{**SMALL, "steps": 1}).fit(bedded)
    told = SlicesToVolume(isotropic=False, **{**SMALL, "steps": 1}).fit(bedded)
    torch.testing.assert_close(found.sample(1, seed=0), told.sample(1, seed=0), rtol=0, atol=0)
