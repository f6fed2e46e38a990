"""What a coarse solution says of how samples conduct."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_cnn import blobs

from matopt.predictors.cnn import CNN
from matopt.predictors.convolutional.conductances import CONTRAST, conductances
from matopt.stages.simulate import simulate


@pytest.mark.parametrize("shape", [(12, 12), (40, 24), (8, 8, 12)])
def test_layers_conduct_as_their_closed_form_says(shape: tuple[int, ...]) -> None:
    density = torch.zeros(1, 1, *shape, dtype=torch.float64)
    density[:, :, : shape[0] // 2] = 1
    along = torch.full((len(shape),), np.log((1 + 1 / CONTRAST) / 2), dtype=torch.float64)
    along[0] = np.log(2 / (1 + CONTRAST))
    # Half grain, half pore: the same whichever of the two conducts, in series along x, side by side across it.
    torch.testing.assert_close(conductances(density)[0], along.repeat(2))


@pytest.mark.parametrize("shape", [(13, 9), (7, 11, 5)])
def test_mirror_images_conduct_alike_at_odd_edges_too(shape: tuple[int, ...]) -> None:
    density = torch.rand(3, 1, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for axis in range(2, density.ndim):
        torch.testing.assert_close(conductances(density.flip(axis)), conductances(density))


def test_a_thin_gap_shows_and_phases_are_dual_in_sections() -> None:
    sealed = torch.ones(1, 1, 32, 32)
    sealed[:, :, 15] = 0
    assert float(conductances(sealed)[0, 0]) < -1 < -0.1 < float(conductances(sealed)[0, 1])
    told = conductances(blobs(40, (64, 64), 0).density())
    # Together they are -log(CONTRAST) exactly (Keller 1964); a coarse solution is off, by less than samples differ.
    off = told[:, 0] + told[:, 3] + np.log(CONTRAST)
    assert off.abs().mean() < 0.5 * told.std(0).min()


def test_a_conductivity_is_known_from_few_samples() -> None:
    train, test = blobs(30, (32, 32), 0), blobs(60, (32, 32), 1)
    labels, truth = (np.log(simulate(m, ["diffusivity"]).values[:, 0]) for m in (train, test))
    model = CNN(steps=60, width=8).fit(train, simulate(train, ["diffusivity"]))
    with torch.no_grad():
        told = np.log(model.predict(test.density())[:, 0].double().numpy())
    powers = [np.vander(m.porosity, 3) for m in (train, test)]
    of_porosity = powers[1] @ np.linalg.lstsq(powers[0], labels, rcond=None)[0]
    assert np.square(told - truth).mean() < 0.25 * np.square(of_porosity - truth).mean()
