"""Blocks of elements on periodic grids."""

from __future__ import annotations

import itertools

import pytest
import torch

from matopt.physics.elastic import element
from matopt.physics.elastic.gather import NUMBERS_TOGETHER, blocks


@pytest.mark.parametrize("shape", [(4, 5), (1, 3), (3, 2, 4), (1, 1, 1)])
@pytest.mark.parametrize("together", [1, 300, 2**20])
def test_corners_are_those_of_each_element_on_a_periodic_grid(shape, together, monkeypatch):
    monkeypatch.setitem(NUMBERS_TOGETHER, "cpu", together)
    dimensions = len(shape)
    x = torch.rand(3, dimensions, *shape)
    seen = torch.zeros(3, *shape, dtype=torch.int64)
    for block in blocks(x[:, 0]):
        found = block.corners(x).view(2**dimensions, dimensions, *block.line)
        for at in itertools.product(*map(range, (block.samples, *block.shape))):
            row, place = block.rows.start + at[0], (block.first + at[1], *at[2:])
            seen[(row, *place)] += 1
            for corner, values in zip(element.corners(dimensions), found, strict=True):
                node = tuple((p + c) % n for p, c, n in zip(place, corner, shape, strict=True))
                assert torch.equal(values[(slice(None), *at)], x[(row, slice(None), *node)])
    assert (seen == 1).all()


@pytest.mark.parametrize("shape", [(4, 5), (3, 2, 4)])
@pytest.mark.parametrize("together", [1, 300, 2**20])
def test_adding_to_corners_is_the_transpose_of_gathering_them(shape, together, monkeypatch):
    monkeypatch.setitem(NUMBERS_TOGETHER, "cpu", together)
    dimensions = len(shape)
    x, y = (torch.rand(2, dimensions, *shape, dtype=torch.float64) for _ in range(2))
    density = torch.rand(2, *shape, dtype=torch.float64)
    out, product = torch.zeros_like(x), 0.0
    for block in blocks(x[:, 0]):
        weighted = block.corners(x, block.elements(density))
        block.add_corners(out, weighted)
        product += (weighted * block.corners(y)).sum()
    assert torch.allclose((out * y).sum(), product)
