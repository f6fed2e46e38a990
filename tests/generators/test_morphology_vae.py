"""The variational autoencoders, with and without the morphology constraint."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from matopt.descriptors.clusters import connected_clusters
from matopt.descriptors.greyness import grey_share
from matopt.descriptors.phases import PORE
from matopt.descriptors.style import StyleFeatures, morphology_distance
from matopt.descriptors.style_blocks import FilterGrams, SegmentStatistics
from matopt.errors import FailureError, InputError
from matopt.generators.base import GENERATORS
from matopt.generators.morphology_vae import NOISE_DIM, MorphologyVAE
from matopt.generators.vae import VAE
from matopt.generators.variational.code_noise import CodeNoise
from matopt.microstructures import Microstructures
from matopt.registry import Component
from matopt.testing.images import random_microstructures


def blobs(n: int, size: int | tuple[int, int], seed: int, scale: float = 2.5) -> Microstructures:
    """Thresholded Gaussian fields whose porosity spreads about a fifth."""
    shape = (size, size) if isinstance(size, int) else size
    generator = np.random.default_rng(seed)
    rows, columns = (np.fft.fftfreq(edge) for edge in shape)
    weight = np.exp(-((2 * np.pi * scale) ** 2) * (rows[:, None] ** 2 + columns**2) / 2)
    field = np.fft.ifft2(np.fft.fft2(generator.standard_normal((n, *shape))) * weight).real
    level = np.quantile(field, generator.uniform(0.1, 0.3, n))[:, None, None]
    return Microstructures((field > level).astype(np.uint8), 1e-6)


def small_pores(grain: torch.Tensor) -> float:
    """How many there are in a microstructure, on average."""
    return float(connected_clusters(grain.double(), PORE).small_count.float().mean())


def style_of(authentic: Microstructures) -> StyleFeatures:
    """Features that no generator has seen: filters of another seed than those that they learn by."""
    return StyleFeatures(authentic.density(), [FilterGrams(2, seed=1), SegmentStatistics(2)])


def speckled(n: int, size: int, seed: int) -> Microstructures:
    """Blobs, with one voxel in a hundred of the grain turned into pore: detail that no code of a few numbers holds."""
    phases = blobs(n, size, seed, scale=4.0).phases
    return Microstructures(phases * (np.random.default_rng(seed).random(phases.shape) > 0.01).astype(np.uint8), 1e-6)


@pytest.fixture(scope="module")
def fitted() -> MorphologyVAE:
    return MorphologyVAE(latent_dim=5, steps=12, detail_steps=12, channels=2).fit(blobs(9, 16, seed=0), seed=3)


@pytest.fixture(scope="module")
def learnt() -> MorphologyVAE:
    return MorphologyVAE(steps=240, detail_steps=160, channels=16).fit(speckled(60, 32, seed=0))


def test_both_are_found_by_name_and_the_plain_one_has_no_morphology_weight() -> None:
    assert GENERATORS.find("vae") is VAE and GENERATORS.find("morphology_vae") is MorphologyVAE
    assert VAE().morphology_weight == 0.0
    with pytest.raises(InputError, match="morphology_weight"):
        GENERATORS.build(Component("vae", {"morphology_weight": 1.0}))


def test_another_seed_gives_another_generator(fitted: MorphologyVAE) -> None:
    other = MorphologyVAE(latent_dim=5, steps=12, detail_steps=0).fit(blobs(9, 16, seed=0), seed=4)
    z = torch.randn(4, fitted.latent_dim, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(other.shapes(z[:, :5]), fitted.shapes(z))


def test_a_state_on_disk_becomes_the_same_generator(fitted: MorphologyVAE, tmp_path: Path) -> None:
    torch.save(fitted.state_dict(), tmp_path / "state.pt")
    copy = MorphologyVAE()
    copy.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert copy.latent_dim == 5 + NOISE_DIM and copy.voxel_size == fitted.voxel_size
    assert torch.equal(copy.sample(3, seed=0), fitted.sample(3, seed=0))
    images = blobs(4, 16, seed=5).density()
    assert torch.equal(copy.encode(images), fitted.encode(images))


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((48, 80), {"detail_steps": 0}),
        ((64, 32), {"detail_steps": 0, "downsampling": 2}),
        ((128, 128), {"detail_steps": 0}),
        ((16, 32, 16), {"detail_steps": 0}),
        pytest.param((16, 32, 16), {"detail_steps": 1, "channels": 1}, marks=pytest.mark.slow),
    ],
)
def test_edges_of_any_multiple_of_16_are_learnt(shape: tuple[int, ...], settings: dict[str, int]) -> None:
    """Of images and volumes."""
    generator = MorphologyVAE(steps=4, **settings).fit(random_microstructures(4, shape, seed=0))
    assert generator.sample(2, seed=0).shape == (2, 1, *shape)


def test_what_cannot_be_learnt_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="got 60 x 100, the nearest are 64 x 96"):
        VAE(steps=1).fit(blobs(4, (60, 100), seed=0))
    with pytest.raises(InputError, match="got 16 x 16 x 20, the nearest are 16 x 16 x 16"):
        VAE(steps=1).fit(Microstructures(np.ones((3, 16, 16, 20), np.uint8), 1e-6))
    with pytest.raises(InputError, match="cannot learn from 1"):
        VAE(steps=1).fit(blobs(1, 32, seed=0))
    with pytest.raises(InputError, match="latent_dim"):
        VAE(latent_dim=0)
    with pytest.raises(InputError, match="must not be negative"):
        MorphologyVAE(morphology_weight=-1.0)
    with pytest.raises(InputError, match="detail_steps >= 0"):
        MorphologyVAE(detail_steps=-1)
    with pytest.raises(FailureError, match="call fit"):
        VAE().sample(1, seed=0)


def test_progress_is_reported_and_can_be_stopped() -> None:
    heard: dict[int, dict[str, float]] = {}

    def report(step: int, /, **scalars: float) -> bool:
        heard[step] = scalars
        return step >= 60

    generator = MorphologyVAE(steps=40, detail_steps=40, channels=2)
    generator.fit(blobs(9, 16, seed=0), blobs(5, 16, seed=1), report)
    assert max(heard) == 60
    assert {"reconstruction", "divergence", "aggregate", "morphology", "layout", "validation_reconstruction"} <= set(
        heard[40]
    )
    assert {"detail/cross_entropy", "detail/validation_cross_entropy"} <= set(heard[60])


def test_a_vae_has_no_term_beyond_its_bound() -> None:
    heard: list[dict[str, float]] = []
    VAE(steps=20).fit(blobs(9, 32, seed=0), report=lambda step, /, **s: heard.append(s))
    for scalars in heard:
        assert scalars["loss"] == pytest.approx(scalars["reconstruction"] + scalars["divergence"], rel=1e-5)
    plain, weightless = (
        kind(steps=20, **settings).fit(blobs(9, 32, seed=0)).sample(2, seed=0)
        for kind, settings in ((VAE, {}), (MorphologyVAE, {"morphology_weight": 0.0, "detail_steps": 0}))
    )
    assert torch.equal(plain, weightless)


def test_the_constraint_brings_shapes_nearer_to_the_authentic_ones(learnt: MorphologyVAE) -> None:
    train, held_out = speckled(60, 32, seed=0), speckled(100, 32, seed=1).density()
    features = style_of(train)
    with torch.no_grad():
        constrained = learnt.shapes(torch.randn(100, learnt.latent_dim, generator=torch.Generator().manual_seed(0)))
    plain = VAE(steps=480).fit(train).sample(100, seed=0)  # as long a training of shapes, in seconds
    assert morphology_distance(features, constrained, held_out) < 0.6 * morphology_distance(features, plain, held_out)
    assert grey_share(constrained).mean() < 0.6 * grey_share(plain).mean()


def test_a_code_sets_the_layout_and_its_noise_the_detail(learnt: MorphologyVAE) -> None:
    """Shapes have no specks, samples have them as the material does; with other noise specks move and bodies stay."""
    z = torch.randn(100, learnt.latent_dim, generator=torch.Generator().manual_seed(0))
    other = torch.cat([z[:, :-NOISE_DIM], z[:, -NOISE_DIM:].roll(1, 0)], 1)
    with torch.no_grad():
        shapes, drawn, again = (x >= 0.5 for x in (learnt.shapes(z), learnt.decode(z), learnt.decode(other)))
    specks = [small_pores(x) for x in (shapes, drawn, speckled(100, 32, seed=1).density() >= 0.5)]
    assert specks[0] < 0.1 * specks[2] and 0.4 < specks[1] / specks[2] < 2.5
    moved = (drawn != again).float().mean()
    unlike = (drawn != drawn.roll(1, 0)).float().mean()
    assert 0.01 < moved < 0.6 * unlike
    porosity = [1 - x.float().flatten(1).mean(1).numpy() for x in (shapes, drawn)]
    assert np.corrcoef(porosity)[0, 1] > 0.99
    assert porosity[1].std() == pytest.approx(speckled(60, 32, seed=0).porosity.std(), rel=0.25)


@pytest.mark.parametrize("of", ["all", "half"])
def test_gradients_of_shapes_lead_uphill(learnt: MorphologyVAE, of: str) -> None:
    """Steps along them change the density of all voxels, or of half of them, nearly as they foretell."""
    weights = torch.ones(32, 32)
    if of == "half":
        weights[16:] = -1
    z = torch.randn(50, learnt.latent_dim, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad((learnt.decode(z) * weights).sum(), z)
    assert not gradient[:, -NOISE_DIM:].any()
    step = 0.5 * torch.nn.functional.normalize(gradient)
    with torch.no_grad():
        change = ((learnt.decode(z + step) - learnt.decode(z - step)) * weights).sum()
    assert 0.4 < change / (2 * (gradient * step).sum()) < 2


def test_noise_of_codes_is_white_and_as_alike_as_the_codes() -> None:
    noise = CodeNoise(8, (64, 64))
    z = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    drawn = noise(z)
    assert drawn.shape == (50, 1, 64, 64)
    flat = drawn.flatten(1)
    torch.testing.assert_close(flat.mean(1), torch.zeros(50), atol=1e-5, rtol=0)
    torch.testing.assert_close(flat.square().mean(1), torch.ones(50))
    assert (drawn[..., 1:] * drawn[..., :-1]).mean((1, 2, 3)).abs().max() < 5 / 64
    ones = torch.cat([torch.ones(50, 1), z], 1)
    alike = torch.nn.functional.normalize(ones) @ torch.nn.functional.normalize(ones).T
    torch.testing.assert_close(flat @ flat.T / 64**2, alike, atol=5 / 64, rtol=0)


def test_what_the_page_of_generators_shows_works() -> None:
    page = (Path(__file__).parents[2] / "docs" / "generators.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page.split("## Morphology VAE")[1].split("\n## ")[0], re.DOTALL)
    exec(example, {})


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_sandstone_is_drawn_crisp_and_with_the_right_spread_of_porosity(berea: np.ndarray) -> None:
    """Berea, 100 windows of 64^2 from one half of the scan; all figures against windows from the other half."""
    choice = np.random.default_rng(0)

    def windows(first: int, last: int, n: int) -> Microstructures:
        sites = [(z, y, x) for z in range(first, last, 20) for y in range(0, 337, 64) for x in range(0, 337, 64)]
        chosen = choice.permutation(len(sites))[:n]
        cuts = [berea[z, y : y + 64, x : x + 64] for z, y, x in (sites[i] for i in chosen)]
        return Microstructures(np.stack(cuts).astype(np.uint8), 5.345e-6)

    train, held_out = windows(10, 190, 100), windows(210, 400, 300)
    features = style_of(train)
    raw = {kind: kind().fit(train).sample(300, seed=0) for kind in (VAE, MorphologyVAE)}
    distance = {kind: morphology_distance(features, x, held_out.density()) for kind, x in raw.items()}
    samples = raw[MorphologyVAE]
    assert distance[MorphologyVAE] < 0.05 and distance[MorphologyVAE] < 0.25 * distance[VAE]
    assert grey_share(samples).mean() < 0.05 < grey_share(raw[VAE]).mean()
    drawn = Microstructures.from_density(samples, train.voxel_size)
    assert wasserstein_distance(drawn.porosity, held_out.porosity) < 0.03
    # No copies: of two independent images of porosity p, 2 p (1 - p) of the voxels differ.
    pore = 1.0 - drawn.phases.reshape(300, -1).astype(np.float32)
    known = 1.0 - train.phases.reshape(100, -1).astype(np.float32)
    p, q = pore.mean(1)[:, None], known.mean(1)[None]
    differing = p + q - 2 * pore @ known.T / pore.shape[1]
    assert np.mean((differing / (p + q - 2 * p * q)).min(1)) > 0.55
