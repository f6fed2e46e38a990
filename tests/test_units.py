"""Voxel sizes as people write them."""

import pytest

from matopt.errors import InputError
from matopt.units import metres


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
