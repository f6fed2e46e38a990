"""Grey densities are cut where their porosity is held."""

from __future__ import annotations

import torch

from matopt.design.binary import LEVELS, binarised
from matopt.design.draws import nearest_in_porosity, porosities


def test_a_density_is_cut_at_the_level_nearest_to_one_half_that_holds_its_porosity() -> None:
    ramp = torch.linspace(0.2, 0.8, 100).view(1, 1, 10, 10)
    assert torch.equal(binarised(ramp, None, 0.0), (ramp >= 0.5).float())
    for held in (0.4, 0.5, 0.6):
        cut = binarised(ramp, torch.tensor([held]), 0.05)
        assert abs(float(porosities(cut)) - 0.5) <= abs(held - 0.5), "no further from one half than it must"
        assert abs(float(porosities(cut)) - held) < 0.0501
        assert torch.equal(cut.flatten().sort().values, cut.flatten()), "the densest voxels are grain"


def test_what_is_all_but_one_phase_stays_it() -> None:
    faint = torch.linspace(0.0, 0.2, 100).view(1, 1, 10, 10)
    cut = binarised(faint, torch.tensor([0.5]), 0.01)
    assert cut.sum() == 0 and LEVELS[0] > faint.max()


def test_each_density_is_cut_by_itself() -> None:
    density = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    held = torch.linspace(0.4, 0.6, 6)
    together = binarised(density, held, 0.01)
    for row in range(6):
        assert torch.equal(together[row], binarised(density[[row]], held[[row]], 0.01)[0])
    assert (porosities(together) - held).abs().max() < 0.0101


def test_draws_are_given_to_the_porosities_that_they_come_nearest_to() -> None:
    found = torch.tensor([0.1, 0.9, 0.32, 0.5, 0.3])
    chosen = nearest_in_porosity(found, torch.tensor([0.3, 0.31, 0.8]))
    assert set(chosen[:2].tolist()) == {2, 4} and chosen[2] == 1
