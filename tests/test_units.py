"""Voxel sizes as people write them."""

import numpy as np
import pytest

from matopt.errors import InputError
from matopt.units import length_text, metres, voxel_edges


@pytest.mark.parametrize(
    ("text", "value"),
    [("5.345 um", 5.345e-6), ("0.5 mm", 5e-4), ("12nm", 12e-9), ("2 µm", 2e-6), ("2 μm", 2e-6), ("1e-6 m", 1e-6)],
)
def test_units_are_understood(text, value):
    assert metres(text) == pytest.approx(value, rel=1e-12)


def test_a_bare_number_is_metres():
    assert metres(5.345e-6) == 5.345e-6


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        *[(text, "is not a number with a unit") for text in ("5.345", "5 parsecs", "um", "nan um", "")],
        *[(number, "must be a positive length") for number in ("-1 um", "0 um", -1.0)],
        *[(other, f"is {other}; write a length") for other in (True, None)],
        (1e999, "without a unit means metres"),
        ("1-2 um", "'1-2' is not a number"),
    ],
)
def test_what_is_no_length_is_refused(wrong, told):
    with pytest.raises(InputError, match=f"^voxel_size .*{told}"):
        metres(wrong)


def test_the_error_names_the_setting():
    with pytest.raises(InputError, match=r"^cement '2' is not a number with a unit"):
        metres("2", "cement")


def test_a_number_whose_unit_was_forgotten_is_refused():
    with pytest.raises(InputError, match=r"'5\.345 um' if you mean micrometres"):
        metres(5.345)


@pytest.mark.parametrize(
    ("text", "edges"),
    [
        ("20 x 5 x 5 um", (2e-5, 5e-6, 5e-6)),
        ("20x5.5x5um", (2e-5, 5.5e-6, 5e-6)),
        ("1e-3 x 2e-3 mm", (1e-6, 2e-6)),
        ("5 um", (5e-6,)),
        (np.float32(2**-18), (2**-18,)),
    ],
)
def test_edges_along_each_axis_are_understood_and_written_alike(text, edges):
    assert voxel_edges(text) == pytest.approx(edges, rel=1e-12)
    assert voxel_edges(length_text(*edges))[-1] == pytest.approx(edges[-1], rel=1e-5)


@pytest.mark.parametrize("wrong", ["20 x 5", "20 x 5 x um", "1 x 2 x 3 x 4 um", "x um", "5 um x 5 um", "2 x -5 um"])
def test_what_are_no_edges_is_refused(wrong):
    with pytest.raises(InputError, match=r"^voxel_size "):
        voxel_edges(wrong)


def test_lengths_are_written_in_units_that_read_well():
    assert length_text(2e-5, 5e-6, None) == "20 x 5 x ? um"
    assert [length_text(n) for n in (3.2e-9, 5.345e-6, 2e-3, 5.0)] == ["3.2 nm", "5.345 um", "2 mm", "5 m"]
